"""An OpenAI chat completion request as a Converse request.

Members of Converse's own (`guardrailConfig`, `performanceConfig`, `requestMetadata` ...) pass as they are, and what
neither API knows goes to the model in `additionalModelRequestFields`. Members that only OpenAI has are refused, or left
out with `drop_params: true`, except that a value that asks for nothing is left out without complaint
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, encode, text
from headgate.core.provider import Attachment
from headgate.providers import _chat as chat
from headgate.providers._bedrock_messages import Block, Conversation, translate_messages
from headgate.providers._bedrock_models import Traits
from headgate.providers._bedrock_tools import add_tools

# LiteLLM 1.80.5's budgets, with `minimal` raised to the least that Claude accepts; xhigh and max carry on the row.
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
_LEAST_BUDGET = 1024

_CONVERSE = frozenset(
    {
        *("guardrailConfig", "performanceConfig", "requestMetadata", "promptVariables"),
        *("additionalModelResponseFieldPaths", "serviceTier"),
    }
)
_TRANSLATED = frozenset(
    {
        *("model", "messages", "stream", "stop", "max_tokens", "max_completion_tokens", "temperature", "top_p"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "service_tier"),
        *("additionalModelRequestFields", "inferenceConfig", "outputConfig", "n", "top_k"),
    }
)
# Members that say nothing about the answer.
_IGNORED = frozenset(
    {
        *("stream_options", "store", "user", "metadata", "safety_identifier", "prompt_cache_key"),
        "prompt_cache_retention",
    }
)
# Members that Converse can not honor, each with the values that ask for nothing.
_UNSUPPORTED: dict[str, frozenset[bytes]] = {
    "logprobs": frozenset({b"false"}),
    "top_logprobs": frozenset({b"0"}),
    "frequency_penalty": frozenset({b"0", b"0.0"}),
    "presence_penalty": frozenset({b"0", b"0.0"}),
    "logit_bias": frozenset({b"{}"}),
    "modalities": frozenset({b'["text"]'}),
    "verbosity": frozenset({b'"medium"'}),
    **dict.fromkeys(
        ("seed", "prediction", "audio", "web_search_options", "functions", "function_call"), frozenset[bytes]()
    ),
}
_TIERS = {"auto": "", "default": "default", "flex": "flex", "priority": "priority"}

_number = msgspec.json.Decoder(float)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ChatSettings(msgspec.Struct, frozen=True):
    """What a deployment decides about translation.

    `max_tokens` limits every answer, whatever the client asks for. The others are LiteLLM's parameters of these names.
    """

    drop_params: bool = False
    allowed_openai_params: frozenset[str] = frozenset()
    max_tokens: int | None = None


def encode_chat(
    members: Members, traits: Traits, settings: ChatSettings, attachments: Mapping[str, Attachment]
) -> bytes:
    """Translate the members of a chat request. Raises `InvalidRequestError` naming what has no counterpart."""
    chat.refuse_several_choices(members)
    conversation = translate_messages(chat.decode_messages(members), attachments)
    body: dict[str, Any] = {
        "messages": [{"role": turn.role, "content": turn.content} for turn in conversation.turns],
        "system": conversation.system,
    }
    fields = _sort_members(members, body, settings)
    inference = _inference(members, settings)
    if (top_k := chat.present(members, "top_k")) is not None:
        fields |= {"inferenceConfig": {"topK": top_k}} if traits.family in ("nova", "nova-2") else {"top_k": top_k}
    _add_service_tier(members, body)
    if (output := chat.present(members, "outputConfig")) is not None:
        body["outputConfig"] = chat.decode_member(_object, output, "outputConfig")
    _add_reasoning(members, body, fields, inference, traits, settings, conversation)
    add_tools(members, body, fields, traits, conversation, drop=settings.drop_params)
    if (given := chat.present(members, "additionalModelRequestFields")) is not None:
        own = chat.decode_member(_object, given, "additionalModelRequestFields")
        fields |= own
    body |= {"inferenceConfig": inference, "additionalModelRequestFields": fields}
    return encode({name: value for name, value in body.items() if value})


def _sort_members(members: Members, body: dict[str, Any], settings: ChatSettings) -> dict[str, Any]:
    """Put Converse's own members into the body; return those that are for the model."""
    fields: dict[str, Any] = {}
    for name, value in members.items():
        if name in _TRANSLATED or name in _IGNORED or bytes(value) == b"null":
            continue
        harmless = None if name in settings.allowed_openai_params else _UNSUPPORTED.get(name)
        if name in _CONVERSE:
            body[name] = value
        elif harmless is None:
            fields[name] = value
        elif not settings.drop_params and bytes(value) not in harmless:
            message = f"Bedrock does not support '{name}'. Leave it out, or set drop_params: true to have it left out."
            raise InvalidRequestError(message, param=name)
    return fields


def _inference(members: Members, settings: ChatSettings) -> Block:
    inference: Block = {}
    if (given := chat.present(members, "inferenceConfig")) is not None:
        own = chat.decode_member(_object, given, "inferenceConfig")
        inference |= own
        if "maxTokens" in inference:
            decoder = msgspec.json.Decoder(int)
            inference["maxTokens"] = chat.decode_member(decoder, inference["maxTokens"], "inferenceConfig.maxTokens")
    asked = chat.decode_max_tokens(members)
    limit = inference.get("maxTokens") if asked is None else asked
    if settings.max_tokens is not None:
        limit = settings.max_tokens if limit is None else min(limit, settings.max_tokens)
    if limit is not None:
        if limit < 1:
            raise InvalidRequestError("Invalid value for 'max_tokens': expected at least 1.", param="max_tokens")
        inference["maxTokens"] = limit
    for name, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        if (value := chat.present(members, name)) is not None:
            chat.decode_member(_number, value, name)
            inference[theirs] = value
    # Claude refuses sequences of white space only.
    if stop := [sequence for sequence in chat.decode_stop(members) if sequence.strip()]:
        inference["stopSequences"] = stop
    return inference


def _add_service_tier(members: Members, body: dict[str, Any]) -> None:
    tier = text(members, "service_tier")
    if tier is None or "serviceTier" in body:
        return
    if tier not in _TIERS:
        message = f"Invalid value for 'service_tier': expected one of {', '.join(_TIERS)}."
        raise InvalidRequestError(message, param="service_tier")
    if _TIERS[tier]:
        body["serviceTier"] = {"type": _TIERS[tier]}


def _add_reasoning(
    members: Members,
    body: dict[str, Any],
    fields: dict[str, Any],
    inference: Block,
    traits: Traits,
    settings: ChatSettings,
    conversation: Conversation,
) -> None:
    """Turn `reasoning_effort` into what the model's family knows; a `thinking` member of the client's wins."""
    effort = text(members, "reasoning_effort")
    if effort is None or "thinking" in fields or "reasoningConfig" in fields:
        return
    if effort != "none" and effort not in _BUDGETS:
        message = f"Invalid value for 'reasoning_effort': expected none or one of {', '.join(_BUDGETS)}."
        raise InvalidRequestError(message, param="reasoning_effort")
    if traits.family == "gpt-oss":
        fields["reasoning_effort"] = effort
    elif effort == "none":
        return
    elif traits.family == "nova-2":
        level = {"minimal": "low", "xhigh": "high", "max": "high"}.get(effort, effort)
        fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
    elif traits.family == "claude" and traits.claude.adaptive_thinking:
        fields["thinking"] = {"type": "adaptive"}
        level = "low" if effort == "minimal" else effort
        body["outputConfig"] = {"effort": level, **body.get("outputConfig", {})}
    elif traits.family == "claude" and traits.claude.thinking:
        budget = min(_BUDGETS[effort], inference.get("maxTokens", 2 * _BUDGETS["max"]) - 1)
        if budget >= _LEAST_BUDGET and not _lacks_thinking(conversation):
            fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
    elif not settings.drop_params:
        message = "This model does not take 'reasoning_effort'; leave it out, or set drop_params: true."
        raise InvalidRequestError(message, param="reasoning_effort")


def _lacks_thinking(conversation: Conversation) -> bool:
    """Tell whether a tool call came back without the thinking before it, as OpenAI clients send it.

    With a budget Claude refuses such a conversation, so that the rest of it must go without thinking.
    """
    for turn in conversation.turns:
        kinds = {kind for block in turn.content for kind in block}
        if "toolUse" in kinds and "reasoningContent" not in kinds:
            return True
    return False
