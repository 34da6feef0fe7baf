"""From an Anthropic Messages request to an OpenAI chat request, for upstreams that speak only the latter.

Source of the shapes: https://platform.claude.com/docs/en/api/messages and
https://platform.openai.com/docs/api-reference/chat/create. Blocks of one user turn become several chat messages where
they must: tool results come before what else the user says, as chat wants them right behind the calls.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, encode, raw

Message = dict[str, Any]
Block = Mapping[str, Any]

_TOOL_CHOICES: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none"}
_COPIED = ("stream", "temperature", "top_p")
_UNTRANSLATED = frozenset({"mcp_servers", "container", "context_management"})
"""Members that ask for what only Anthropic's own API does; leaving them out would change what the client gets."""


def chat_members(members: Members, *, limit_name: str) -> Members:
    """Return the members of the chat request that asks for the same.

    `limit_name` is the upstream's name for the limit of output tokens. `top_k`, `thinking`, `service_tier` and cache
    breakpoints have no counterpart and are left out. Raises `InvalidRequestError` naming what can not be translated.
    """
    for name in _UNTRANSLATED & members.keys():
        message = f"'{name}' is not supported by the model's upstream, which does not speak the Messages API."
        raise InvalidRequestError(message, param=name)
    chat: Members = {"model": members["model"], "messages": raw(_messages(members))}
    chat[limit_name] = members["max_tokens"]
    chat.update((name, members[name]) for name in _COPIED if name in members)
    if "stop_sequences" in members:
        chat["stop"] = members["stop_sequences"]
    if "tools" in members:
        chat["tools"] = raw([_tool(index, tool) for index, tool in enumerate(_list(members, "tools"))])
        _add_tool_choice(chat, members)
    user = _decode(members, "metadata", dict[str, Any]).get("user_id") if "metadata" in members else None
    if isinstance(user, str):
        chat["user"] = raw(user)
    return chat


def _messages(members: Members) -> list[Message]:
    messages: list[Message] = []
    if "system" in members:
        system = _text_of(_decode(members, "system", str | list[dict[str, Any]] | None), "system")
        if system:
            messages.append({"role": "system", "content": system})
    for index, message in enumerate(_list(members, "messages")):
        where = f"messages[{index}]"
        role, content = message.get("role"), message.get("content")
        blocks: Any = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise _invalid(f"{where}.content", "a string or an array of content blocks")
        if role == "user":
            messages += _user_messages(blocks, where)
        elif role == "assistant":
            messages.append(_assistant_message(blocks, where))
        else:
            raise _invalid(f"{where}.role", "'user' or 'assistant'")
    return messages


def _user_messages(blocks: list[Block], where: str) -> list[Message]:
    results: list[Message] = []
    parts: list[Message] = []
    for index, block in enumerate(blocks):
        place = f"{where}.content[{index}]"
        if block.get("type") == "tool_result":
            result, images = _tool_result(block, place)
            results.append(result)
            parts += images
        else:
            parts.append(_part(block, place))
    if not parts:
        return results
    if all(part["type"] == "text" for part in parts):
        return [*results, {"role": "user", "content": "\n\n".join(part["text"] for part in parts)}]
    return [*results, {"role": "user", "content": parts}]


def _assistant_message(blocks: list[Block], where: str) -> Message:
    text: list[str] = []
    calls: list[Message] = []
    for index, block in enumerate(blocks):
        place = f"{where}.content[{index}]"
        kind = block.get("type")
        if kind == "text":
            text.append(_string(block, "text", place))
        elif kind == "tool_use":
            function = {"name": _string(block, "name", place), "arguments": encode(block.get("input", {})).decode()}
            calls.append({"id": _string(block, "id", place), "type": "function", "function": function})
        elif kind not in ("thinking", "redacted_thinking"):
            # Reasoning is signed for the provider that wrote it; to another one it means nothing.
            raise _invalid(f"{place}.type", "text, tool_use or thinking")
    message: Message = {"role": "assistant", "content": "".join(text) or None}
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    return message


def _tool_result(block: Block, where: str) -> tuple[Message, list[Message]]:
    """Return the tool message, and the images of the result, which only a user message can hold."""
    content = block.get("content") or ""
    parts = [] if isinstance(content, str) else [_part(part, where) for part in content]
    text = content if isinstance(content, str) else "\n".join(part["text"] for part in parts if part["type"] == "text")
    if block.get("is_error") is True:
        text = f"Error: {text}"
    result = {"role": "tool", "tool_call_id": _string(block, "tool_use_id", where), "content": text}
    return result, [part for part in parts if part["type"] != "text"]


def _part(block: Any, where: str) -> Message:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text":
        return {"type": "text", "text": _string(block, "text", where)}
    source = block.get("source") if isinstance(block, dict) else None
    if kind in ("image", "document") and isinstance(source, dict):
        url = _source_url(source, where)
        if kind == "image":
            return {"type": "image_url", "image_url": {"url": url}}
        if source.get("type") == "text":
            return {"type": "text", "text": _string(source, "data", where)}
        return {"type": "file", "file": {"filename": block.get("title") or "document.pdf", "file_data": url}}
    raise _invalid(f"{where}.type", "text, image, document or tool_result")


def _source_url(source: Block, where: str) -> str:
    kind = source.get("type")
    if kind == "base64":
        return f"data:{_string(source, 'media_type', where)};base64,{_string(source, 'data', where)}"
    if kind == "url":
        return _string(source, "url", where)
    if kind == "text":
        return ""
    raise _invalid(f"{where}.source.type", "base64, url or text")


def _tool(index: int, tool: Block) -> Message:
    where = f"tools[{index}]"
    if tool.get("type") not in (None, "custom"):
        raise _invalid(f"{where}.type", "custom; the model's upstream has no server tools")
    function = {"name": _string(tool, "name", where), "parameters": tool.get("input_schema") or {"type": "object"}}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _add_tool_choice(chat: Members, members: Members) -> None:
    if "tool_choice" not in members:
        return
    choice = _decode(members, "tool_choice", dict[str, Any])
    kind = choice.get("type")
    if kind == "tool":
        chat["tool_choice"] = raw({"type": "function", "function": {"name": _string(choice, "name", "tool_choice")}})
    elif kind in _TOOL_CHOICES:
        chat["tool_choice"] = raw(_TOOL_CHOICES[kind])
    else:
        raise _invalid("tool_choice.type", "auto, any, tool or none")
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = raw(value=False)


def _text_of(content: str | list[dict[str, Any]] | None, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n\n".join(_string(block, "text", where) for block in content)


def _list(members: Members, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _decode(members, name, list[dict[str, Any]])
    return found


def _decode(members: Members, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(members[name], type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequestError(f"Invalid value for '{name}': {error}", param=name) from None


def _string(block: Block, name: str, where: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise _invalid(f"{where}.{name}", "a string")
    return value


def _invalid(where: str, words: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid value for '{where}': expected {words}.", param=where.partition("[")[0])
