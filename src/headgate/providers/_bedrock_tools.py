"""Tools, their choice, and answers in JSON, in Converse's terms.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html
"""

from typing import Any

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, encode, flag, raw
from headgate.providers import _chat as chat
from headgate.providers._anthropic_schema import supported_schema
from headgate.providers._bedrock_messages import Block, Conversation, cache_point
from headgate.providers._bedrock_models import Traits

JSON_TOOL = "json_tool_call"
"""The tool that makes a model answer in JSON; its calls are turned back into content. The name is LiteLLM's."""

_JSON_ONLY = "Answer with one valid JSON object and nothing else: no other text and no code fence."
_OWN_TOOLS = frozenset({"toolSpec", "systemTool", "cachePoint"})

_any_object = msgspec.json.Decoder(dict[str, Any])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def add_tools(
    members: Members,
    body: dict[str, Any],
    fields: dict[str, Any],
    traits: Traits,
    conversation: Conversation,
    *,
    drop: bool,
) -> None:
    """Add tools, their choice and the form of the answer to the body and to the fields for the model.

    `drop` leaves out what the model can not do, instead of raising `InvalidRequestError`.
    """
    choice = chat.decode_tool_choice(members)
    tools: list[Block] = []
    for index, tool in enumerate(chat.decode_tools(members)):
        tools += _translate(tool, f"tools[{index}]", fields, traits)
    if choice is not None and choice.mode == "none":
        # Converse has no such choice: without tools none can be called.
        tools, choice = [], None
    if not tools and "tools" not in fields:
        # Converse refuses a conversation with calls of tools that are not declared.
        tools = [_specification(chat.FunctionDefinition(name), traits) for name in conversation.tools]
    json_tool = answers_by_tool(members, traits)
    _add_form(members, body, tools, traits, json_tool=json_tool)
    if tools:
        selection = _selection(
            choice, traits, json_tool, several=len(tools) > 1, thinking="thinking" in fields, drop=drop
        )
        selection = _add_parallel(members, fields, selection, traits, drop=drop)
        body["toolConfig"] = {"tools": tools, **({"toolChoice": selection} if selection else {})}


def answers_by_tool(members: Members, traits: Traits) -> bool:
    """Tell whether the answer comes as a call of `JSON_TOOL`; a client that demands a tool of its own gets that one."""
    if traits.structured_outputs or traits.forced_tool == "none" or chat.present(members, "response_format") is None:
        return False
    form, choice = chat.decode_response_format(members), chat.decode_tool_choice(members)
    return form is not None and form.json_schema is not None and (choice is None or choice.mode in ("auto", "none"))


def _translate(tool: chat.FunctionTool | msgspec.Raw, name: str, fields: dict[str, Any], traits: Traits) -> list[Block]:
    if isinstance(tool, chat.FunctionTool):
        cache_control = tool.cache_control or tool.function.cache_control
        point = [cache_point(cache_control)] if cache_control is not None else []
        return [_specification(tool.function, traits), *point]
    own = chat.decode_member(_object, tool, name)
    if own.keys() & _OWN_TOOLS:
        return [own]
    if traits.family == "claude":
        # Tools that Anthropic defines, such as computer use, reach Claude as they are.
        fields.setdefault("tools", []).append(tool)
        return []
    message = f"Invalid value for '{name}': expected a tool of type 'function'; the model knows no other."
    raise InvalidRequestError(message, param=name)


def _specification(function: chat.FunctionDefinition, traits: Traits) -> Block:
    schema = function.parameters or {"properties": msgspec.Raw(b"{}")}
    specification: Block = {"name": function.name, "inputSchema": {"json": {"type": raw("object"), **schema}}}
    if function.description:
        specification["description"] = function.description
    if function.strict and traits.structured_outputs:
        specification["strict"] = True
    return {"toolSpec": specification}


def _add_form(members: Members, body: dict[str, Any], tools: list[Block], traits: Traits, *, json_tool: bool) -> None:
    """Demand JSON by the best means that the model has."""
    form = chat.decode_response_format(members)
    if form is None:
        return
    if form.json_schema is None:
        body["system"] = [*body["system"], {"text": _JSON_ONLY}]
    elif traits.structured_outputs:
        body["outputConfig"] = {"textFormat": _text_format(form.json_schema, traits), **body.get("outputConfig", {})}
    elif json_tool:
        schema = chat.FunctionDefinition(JSON_TOOL, form.json_schema.description, form.json_schema.schema)
        tools.append(_specification(schema, traits))
    elif traits.forced_tool == "none":
        schema_text = encode(form.json_schema.schema).decode()
        body["system"] = [*body["system"], {"text": f"{_JSON_ONLY} It follows this JSON schema: {schema_text}"}]


def _text_format(form: chat.JSONSchema, traits: Traits) -> Block:
    schema = encode(form.schema)
    if traits.family == "claude":
        name = "response_format.json_schema.schema"
        schema = encode(supported_schema(chat.decode_member(_any_object, schema, name), name))
    definition = {"schema": schema.decode(), "name": form.name}
    if form.description:
        definition["description"] = form.description
    return {"type": "json_schema", "structure": {"jsonSchema": definition}}


def _selection(
    choice: chat.ToolChoice | None, traits: Traits, json_tool: bool, *, several: bool, thinking: bool, drop: bool
) -> Block | None:
    """Return Converse's `toolChoice`, None for its own default."""
    if json_tool:
        # Thinking excludes forced tools (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
        if thinking:
            return None
        return {"any": {}} if several or traits.forced_tool == "any" else {"tool": {"name": JSON_TOOL}}
    if choice is None or choice.mode == "auto":
        return None
    if traits.forced_tool == "none" and not drop:
        message = "This model can not be made to call a tool: 'tool_choice' must be 'auto' or 'none'."
        raise InvalidRequestError(message, param="tool_choice")
    if traits.forced_tool == "none":
        return None
    if choice.mode == "tool" and traits.forced_tool == "tool":
        return {"tool": {"name": choice.name}}
    return {"any": {}}


def _add_parallel(
    members: Members, fields: dict[str, Any], selection: Block | None, traits: Traits, *, drop: bool
) -> Block | None:
    """Limit the answer to one tool call where the client asks for it, which only Claude can; returns the selection."""
    if flag(members, "parallel_tool_calls") is not False or (drop and traits.family != "claude"):
        return selection
    if traits.family != "claude":
        message = "This model can not be limited to one tool call; leave 'parallel_tool_calls' out."
        raise InvalidRequestError(message, param="parallel_tool_calls")
    kind, details = next(iter((selection or {"auto": {}}).items()))
    fields["tool_choice"] = {"type": kind, **details, "disable_parallel_tool_use": True}
    return None
