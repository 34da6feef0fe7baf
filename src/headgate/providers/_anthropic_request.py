"""An OpenAI chat completion request as an Anthropic Messages request.

Members that both APIs share or that only Anthropic has (`thinking`, `top_k`, `mcp_servers`, ...) pass through raw.
Members that only OpenAI has are refused, or left out with `drop_params: true`, as in LiteLLM 1.80.5; except that a
value without effect (`n: 1`, `logprobs: false`, a penalty of 0) is left out without complaint.
"""

import re
from typing import Any

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, encode, flag, raw, text
from headgate.providers import _chat as chat
from headgate.providers._anthropic_messages import TextBlock, Turn, translate_messages
from headgate.providers._anthropic_models import Capabilities
from headgate.providers._anthropic_schema import supported_schema

JSON_TOOL = "json_tool_call"
"""The tool that makes older models answer in JSON; its calls are turned back into content."""

DEFAULT_MAX_TOKENS = 4096
"""Anthropic requires a limit; this is LiteLLM's when neither the client nor the deployment gives one."""

DEFAULT_MAX_TOKENS_ADAPTIVE = 16384
"""The same for models that think by themselves: thinking counts towards the limit and would use up the smaller one."""

# LiteLLM 1.80.5's budgets, with `minimal` raised to the least that Anthropic accepts; xhigh and max carry on the row.
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
_LEAST_BUDGET = 1024
_EFFORTS = {"minimal": "low", **{effort: effort for effort in ("low", "medium", "high", "xhigh", "max")}}

_TRANSLATED = frozenset(
    {
        *("model", "messages", "stream", "max_tokens", "max_completion_tokens", "max_output_tokens", "stop", "user"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "metadata"),
        *("temperature", "top_p", "top_k", "output_config", "web_search_options"),
    }
)
# Members that say nothing about the answer.
_IGNORED = frozenset(
    {
        *("stream_options", "store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
        *("safety_identifier",),
    }
)
# Members that Anthropic can not honor, each with the values that ask for nothing.
_UNSUPPORTED: dict[str, frozenset[bytes]] = {
    "n": frozenset({b"1"}),
    "logprobs": frozenset({b"false"}),
    "top_logprobs": frozenset({b"0"}),
    "frequency_penalty": frozenset({b"0", b"0.0"}),
    "presence_penalty": frozenset({b"0", b"0.0"}),
    "logit_bias": frozenset({b"{}"}),
    "modalities": frozenset({b'["text"]'}),
    "service_tier": frozenset({b'"default"'}),
    "verbosity": frozenset({b'"medium"'}),
    **dict.fromkeys(("seed", "prediction", "audio", "moderation", "functions", "function_call"), frozenset[bytes]()),
}
_SAMPLING = ("temperature", "top_p", "top_k")
_ANTHROPIC_TIERS = frozenset({b'"auto"', b'"standard_only"'})
_SEARCHES = {"low": 1, "medium": 5, "high": 10}
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[\d\s()-]{7,}")
_FORCED = frozenset({"required", "tool"})
_JSON_ONLY = "Answer with one valid JSON object and nothing else: no other text and no code fence."


class _Thinking(msgspec.Struct):
    budget_tokens: int = 0


_thinking = msgspec.json.Decoder(_Thinking)
_integer = msgspec.json.Decoder(int)
_number = msgspec.json.Decoder(float)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any_object = msgspec.json.Decoder(dict[str, Any])


class ChatSettings(msgspec.Struct, frozen=True):
    """What a deployment decides about translation: LiteLLM's parameters of the same names."""

    capabilities: Capabilities
    drop_params: bool = False
    allowed_openai_params: frozenset[str] = frozenset()
    max_output_tokens: int | None = None


def encode_chat(members: Members, model: msgspec.Raw, settings: ChatSettings, *, stream: bool) -> bytes:
    """Translate the members of a chat request; `model` is the upstream's name of the model, encoded.

    Raises `InvalidRequestError` naming what is malformed or has no counterpart.
    """
    messages = chat.decode_messages(members)
    conversation = translate_messages(messages)
    body: dict[str, Any] = _passed_through(members, settings)
    system = conversation.system
    form = chat.decode_response_format(members)
    if form is not None and form.type == "json_object":
        system = [*system, TextBlock(_JSON_ONLY)]
    if system:
        body["system"] = system
    body |= {"model": model, "messages": conversation.turns, "max_tokens": _max_tokens(members, settings)}
    if stream:
        body["stream"] = True
    if stop := [sequence for sequence in chat.decode_stop(members) if sequence.strip()]:
        # Anthropic refuses sequences of white space only.
        body["stop_sequences"] = stop
    if metadata := _metadata(members):
        body["metadata"] = metadata
    _add_reasoning(body, members, settings, conversation.turns)
    _add_tools(body, members, form, settings)
    return encode(body)


def _passed_through(members: Members, settings: ChatSettings) -> dict[str, Any]:
    passed: dict[str, Any] = {}
    for name, value in members.items():
        if name in _TRANSLATED or name in _IGNORED or bytes(value) == b"null":
            continue
        harmless = None if name in settings.allowed_openai_params else _UNSUPPORTED.get(name)
        if harmless is None or (name == "service_tier" and bytes(value) in _ANTHROPIC_TIERS):
            passed[name] = value
        elif not settings.drop_params and bytes(value) not in harmless:
            message = f"Claude does not support '{name}'. Leave it out, or set drop_params: true to have it left out."
            raise InvalidRequestError(message, param=name)
    if settings.capabilities.sampling or not settings.drop_params:
        passed |= {name: members[name] for name in _SAMPLING if chat.present(members, name) is not None}
    if "temperature" in passed:
        passed["temperature"] = _temperature(passed["temperature"], settings)
    if (config := chat.present(members, "output_config")) is not None:
        passed["output_config"] = chat.decode_member(_object, config, "output_config")
    return passed


def _temperature(value: msgspec.Raw, settings: ChatSettings) -> msgspec.Raw:
    """OpenAI's temperature goes to 2, Anthropic's to 1."""
    if chat.decode_member(_number, value, "temperature") <= 1:
        return value
    if settings.drop_params:
        return msgspec.Raw(b"1")
    message = "Invalid value for 'temperature': Claude takes 0 to 1. Set drop_params: true to have it limited to 1."
    raise InvalidRequestError(message, param="temperature")


def _asked_limit(members: Members) -> int | None:
    limit = chat.decode_max_tokens(members)
    if limit is None and (value := chat.present(members, "max_output_tokens")) is not None:
        return chat.decode_member(_integer, value, "max_output_tokens")
    return limit


def _max_tokens(members: Members, settings: ChatSettings) -> int:
    limit = _asked_limit(members)
    if limit is not None:
        return limit
    adaptive = settings.capabilities.adaptive_thinking
    return settings.max_output_tokens or (DEFAULT_MAX_TOKENS_ADAPTIVE if adaptive else DEFAULT_MAX_TOKENS)


def _metadata(members: Members) -> dict[str, str]:
    """Anthropic takes an opaque user id and refuses mail addresses and telephone numbers."""
    user = text(members, "user")
    if user is None and (metadata := chat.present(members, "metadata")) is not None:
        user = text(chat.decode_member(_object, metadata, "metadata"), "user_id")
    return {"user_id": user} if user and _PERSONAL.fullmatch(user) is None else {}


def _add_reasoning(body: dict[str, Any], members: Members, settings: ChatSettings, turns: list[Turn]) -> None:
    """Turn `reasoning_effort` into an effort or a budget of thinking; a `thinking` member of the client's wins."""
    effort = text(members, "reasoning_effort")
    if "thinking" in body:
        if _asked_limit(members) is None:
            body["max_tokens"] += max(chat.decode_member(_thinking, body["thinking"], "thinking").budget_tokens, 0)
        return
    if effort is None or effort == "none":
        return
    if effort not in _BUDGETS:
        message = f"Invalid value for 'reasoning_effort': expected none or one of {', '.join(_BUDGETS)}."
        raise InvalidRequestError(message, param="reasoning_effort")
    if not settings.capabilities.thinking:
        if settings.drop_params:
            return
        message = "This model does not think; leave 'reasoning_effort' out, or set drop_params: true."
        raise InvalidRequestError(message, param="reasoning_effort")
    if settings.capabilities.adaptive_thinking:
        # The newest models would otherwise leave the text of their thinking out.
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
        body["output_config"] = {"effort": _EFFORTS[effort], **body.get("output_config", {})}
        return
    if _lacks_thinking(turns):
        return
    budget = _BUDGETS[effort]
    if _asked_limit(members) is None:
        # The budget counts towards the limit, which was not meant for it.
        body["max_tokens"] += budget
    budget = min(budget, body["max_tokens"] - 1)
    if budget >= _LEAST_BUDGET:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _lacks_thinking(turns: list[Turn]) -> bool:
    """Tell whether a tool call came back without the thinking before it, as OpenAI clients send it.

    With a budget Anthropic refuses such a conversation, so that the rest of it must go without thinking.
    """
    for turn in turns:
        kinds = {block.__struct_config__.tag for block in turn.content}
        if turn.role == "assistant" and "tool_use" in kinds and not kinds & {"thinking", "redacted_thinking"}:
            return True
    return False


def _add_tools(
    body: dict[str, Any], members: Members, form: chat.ResponseFormat | None, settings: ChatSettings
) -> None:
    capabilities = settings.capabilities
    tools = [_tool(tool) for tool in chat.decode_tools(members)]
    if (options := chat.present(members, "web_search_options")) is not None:
        tools.append(_web_search(options))
    choice = chat.decode_tool_choice(members)
    if choice is not None and choice.mode in _FORCED and settings.drop_params and not capabilities.forced_tools:
        choice = None
    json_tool = None
    if form is not None and form.json_schema is not None:
        if capabilities.structured_outputs:
            output = {"type": "json_schema", "schema": _output_schema(form.json_schema)}
            body["output_config"] = {"format": output, **body.get("output_config", {})}
        elif choice is None or choice.mode not in _FORCED:
            json_tool = {"name": JSON_TOOL, "input_schema": _object_schema(form.json_schema.schema)}
            if form.json_schema.description:
                json_tool["description"] = form.json_schema.description
    selection = _selection(choice, bool(tools), json_tool is not None, thinking="thinking" in body)
    if json_tool is not None:
        tools.append(json_tool)
    if not tools:
        return
    body["tools"] = tools
    if flag(members, "parallel_tool_calls") is False and (selection is None or selection["type"] != "none"):
        selection = {**(selection or {"type": "auto"}), "disable_parallel_tool_use": True}
    if selection is not None:
        body["tool_choice"] = selection


def _selection(choice: chat.ToolChoice | None, has_tools: bool, json_tool: bool, *, thinking: bool) -> Any:
    """Return Anthropic's `tool_choice`, None for its own default."""
    if json_tool:
        # Thinking excludes forced tools (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
        if thinking:
            return None
        may_call = has_tools and (choice is None or choice.mode == "auto")
        return {"type": "any"} if may_call else {"type": "tool", "name": JSON_TOOL}
    if choice is None:
        return None
    if choice.mode == "tool":
        return {"type": "tool", "name": choice.name}
    return {"type": "any" if choice.mode == "required" else choice.mode}


def _tool(tool: chat.FunctionTool | msgspec.Raw) -> Any:
    """A function in Anthropic's form; a tool that is already Anthropic's own passes as it is."""
    if isinstance(tool, msgspec.Raw):
        return tool
    function = tool.function
    translated: dict[str, Any] = {"name": function.name, "input_schema": _object_schema(function.parameters or {})}
    if function.description is not None:
        translated["description"] = function.description
    if (cache_control := tool.cache_control or function.cache_control) is not None:
        translated["cache_control"] = cache_control
    return translated


def _object_schema(schema: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Anthropic requires `type: object`, which OpenAI lets out for functions without parameters."""
    if "type" in schema:
        return schema
    return {"type": raw("object"), **({} if schema else {"properties": msgspec.Raw(b"{}")}), **schema}


def _output_schema(form: chat.JSONSchema) -> dict[str, Any]:
    name = "response_format.json_schema.schema"
    schema = supported_schema(chat.decode_member(_any_object, encode(form.schema), name), name)
    return schema if "description" in schema or not form.description else {**schema, "description": form.description}


def _web_search(raw_options: msgspec.Raw) -> dict[str, Any]:
    """OpenAI's `web_search_options` as Anthropic's server tool, with LiteLLM's limits for each context size."""
    options = chat.decode_member(_any_object, raw_options, "web_search_options")
    tool: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
    size, location = options.get("search_context_size"), options.get("user_location")
    if isinstance(size, str) and size in _SEARCHES:
        tool["max_uses"] = _SEARCHES[size]
    if isinstance(location, dict) and isinstance(place := location.get("approximate"), dict):
        fields = ("city", "region", "country", "timezone")
        tool["user_location"] = {"type": "approximate", **{name: place[name] for name in fields if place.get(name)}}
    return tool
