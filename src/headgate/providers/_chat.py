"""An OpenAI chat completion request, as far as providers with another wire format must read it.

`decode_messages`, `decode_tools` and their siblings turn the raw members of a call into typed values and answer what is
not a chat request with an `InvalidRequestError` that names the member. The types follow OpenAI's reference
(https://platform.openai.com/docs/api-reference/chat/create), with LiteLLM's additions that clients rely on:
`cache_control` on parts, messages and tools, `thinking_blocks` and `reasoning_content` on assistant messages,
and `format` beside an image URL or file.
"""

import re
from typing import Any, Literal, TypeVar

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, integer

CacheControl = dict[str, Any]
"""A cache breakpoint, such as `{"type": "ephemeral"}`; passed on as it is."""

_T = TypeVar("_T")


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """A piece of text."""

    text: str
    cache_control: CacheControl | None = None


class ImageURL(msgspec.Struct):
    """Where an image is: an http(s) URL or a data URL. `format` is its media type where the client knows better."""

    url: str
    format: str | None = None


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    """An image; both `{"url": ...}` and the bare string are in use."""

    image_url: ImageURL | str
    cache_control: CacheControl | None = None

    @property
    def url(self) -> str:
        """The URL, whichever way it was given."""
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url

    @property
    def format(self) -> str | None:
        """The media type that the client stated beside the URL."""
        return None if isinstance(self.image_url, str) else self.image_url.format


class File(msgspec.Struct):
    """A file by content (`file_data`, a data URL) or by reference (`file_id`)."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None
    format: str | None = None


class FilePart(msgspec.Struct, tag_field="type", tag="file"):
    """A file, such as a PDF document."""

    file: File
    cache_control: CacheControl | None = None


class Audio(msgspec.Struct):
    """Base64 audio of a `format` such as `wav`."""

    data: str
    format: str


class AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    """A piece of audio."""

    input_audio: Audio


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    """What an assistant said instead of an answer."""

    refusal: str


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    """Reasoning that a model signed; it must go back unchanged. Also part of answers."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(msgspec.Struct, tag_field="type", tag="redacted_thinking"):
    """Reasoning that the provider encrypted; it must go back unchanged. Also part of answers."""

    data: str


Thinking = ThinkingBlock | RedactedThinkingBlock
Part = TextPart | ImagePart | FilePart | AudioPart | RefusalPart | Thinking
Content = str | list[Part] | None


class FunctionCall(msgspec.Struct):
    """A function's name and its arguments as JSON text."""

    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct):
    """A call that an assistant asks for. Also part of answers."""

    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class SystemMessage(msgspec.Struct, tag_field="role", tag="system"):
    """Instructions."""

    content: Content
    cache_control: CacheControl | None = None


class DeveloperMessage(SystemMessage, tag_field="role", tag="developer"):
    """Instructions, by their newer name."""


class UserMessage(msgspec.Struct, tag_field="role", tag="user"):
    """What the user says."""

    content: Content
    cache_control: CacheControl | None = None


class AssistantMessage(msgspec.Struct, tag_field="role", tag="assistant"):
    """What the model said earlier, or as the last message the beginning of what it shall say."""

    content: Content = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None
    thinking_blocks: list[Thinking] | None = None
    reasoning_content: str | None = None
    cache_control: CacheControl | None = None


class ToolMessage(msgspec.Struct, tag_field="role", tag="tool"):
    """The result of the tool call with the id `tool_call_id`."""

    tool_call_id: str
    content: Content
    cache_control: CacheControl | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionDefinition(msgspec.Struct):
    """A function that the model may call; `parameters` is a JSON schema, its members raw."""

    name: str
    description: str | None = None
    parameters: dict[str, msgspec.Raw] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class FunctionTool(msgspec.Struct):
    """A tool of type `function`."""

    function: FunctionDefinition
    cache_control: CacheControl | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """Which tools the model uses: `tool` means the one called `name`."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""


class JSONSchema(msgspec.Struct):
    """The schema that an answer must follow."""

    name: str = "response"
    schema: dict[str, msgspec.Raw] = {}
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(msgspec.Struct):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


class DataURL(msgspec.Struct, frozen=True):
    """The content of a `data:` URL: its media type in lower case without parameters, and base64 text, unchecked."""

    media_type: str
    data: str


class _Named(msgspec.Struct):
    name: str


class _NamedTool(msgspec.Struct, tag_field="type", tag="function"):
    function: _Named


class _ToolKind(msgspec.Struct):
    type: str = ""
    function: msgspec.Raw = msgspec.Raw()

    @property
    def is_function(self) -> bool:
        return self.type == "function" or (not self.type and bool(bytes(self.function)))


_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)

_messages = msgspec.json.Decoder(list[Message])
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_tool_kind = msgspec.json.Decoder(_ToolKind)
_function_tool = msgspec.json.Decoder(FunctionTool)
_tool_choice = msgspec.json.Decoder(Literal["auto", "none", "required"] | _NamedTool)
_response_format = msgspec.json.Decoder(ResponseFormat)
_stop = msgspec.json.Decoder(str | list[str])
_arguments = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_member(decoder: msgspec.json.Decoder[_T], raw: msgspec.Raw | bytes, name: str) -> _T:
    """Decode a raw member; raises `InvalidRequestError` naming the value at fault, such as `messages[2].content`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        where = name + path.rstrip("`")
        message = f"Invalid value for '{where}': {reason[:1].lower()}{reason[1:200]}."
        raise InvalidRequestError(message, param=where) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"Invalid value for '{name}': {error}.", param=name) from None
    except RecursionError:
        raise InvalidRequestError(f"Invalid value for '{name}': nested too deeply.", param=name) from None


def present(members: Members, name: str) -> msgspec.Raw | None:
    """Return a raw member, None when it is absent or null."""
    value = members.get(name)
    return None if value is None or bytes(value) == b"null" else value


def decode_messages(members: Members) -> list[Message]:
    """Return the messages, at least one."""
    raw = present(members, "messages")
    if raw is None:
        raise InvalidRequestError("Missing required parameter: 'messages'.", param="messages")
    messages = decode_member(_messages, raw, "messages")
    if not messages:
        raise InvalidRequestError("Invalid value for 'messages': expected at least one message.", param="messages")
    return messages


def content_parts(content: Content) -> list[Part]:
    """Return content as parts; a string is one text part, null none."""
    if content is None:
        return []
    return [TextPart(content)] if isinstance(content, str) else content


def decode_tools(members: Members) -> list[FunctionTool | msgspec.Raw]:
    """Return the tools in order: functions typed, a tool of any other type raw, for the provider to pass or refuse."""
    raw = present(members, "tools")
    if raw is None:
        return []
    tools: list[FunctionTool | msgspec.Raw] = []
    entries = decode_member(_raw_list, raw, "tools")
    for index, tool in enumerate(entries):
        name = f"tools[{index}]"
        is_function = decode_member(_tool_kind, tool, name).is_function
        tools.append(decode_member(_function_tool, tool, name) if is_function else tool)
    return tools


def decode_tool_choice(members: Members) -> ToolChoice | None:
    """Return which tools to use; None when the client did not say."""
    raw = present(members, "tool_choice")
    if raw is None:
        return None
    choice = decode_member(_tool_choice, raw, "tool_choice")
    return ToolChoice("tool", choice.function.name) if isinstance(choice, _NamedTool) else ToolChoice(choice)


def decode_response_format(members: Members) -> ResponseFormat | None:
    """Return the demanded form of the answer; None when any text will do."""
    raw = present(members, "response_format")
    if raw is None:
        return None
    form = decode_member(_response_format, raw, "response_format")
    if form.type == "json_schema" and form.json_schema is None:
        name = "response_format.json_schema"
        raise InvalidRequestError(f"Missing required parameter: '{name}'.", param=name)
    return None if form.type == "text" else form


def decode_stop(members: Members) -> list[str]:
    """Return the stop sequences, none when absent."""
    raw = present(members, "stop")
    if raw is None:
        return []
    stop = decode_member(_stop, raw, "stop")
    return [stop] if isinstance(stop, str) else stop


def decode_max_tokens(members: Members) -> int | None:
    """Return `max_completion_tokens`, or else the older `max_tokens`; None when neither is given."""
    value = integer(members, "max_completion_tokens")
    return integer(members, "max_tokens") if value is None else value


def refuse_several_choices(members: Members) -> None:
    """Refuse `n` above one, for upstreams that give one answer per call."""
    if (integer(members, "n") or 1) != 1:
        raise InvalidRequestError("Invalid value for 'n': this model gives one choice per request.", param="n")


def arguments_object(call: ToolCall, where: str) -> msgspec.Raw:
    """Return a tool call's arguments as a raw JSON object; no text at all means none. `where` is the call's path."""
    if not call.function.arguments.strip():
        return msgspec.Raw(b"{}")
    arguments = call.function.arguments.encode(errors="replace")
    decode_member(_arguments, arguments, f"{where}.function.arguments")
    return msgspec.Raw(arguments)


def decode_data_url(url: str, where: str) -> DataURL | None:
    """Split a base64 `data:` URL; None for a URL of another scheme. `where` is the part's path, for the error."""
    if url[:5].lower() != "data:":
        return None
    head = _DATA_URL.match(url)
    if head is None or not head[2].lower().endswith(";base64"):
        message = f"Invalid value for '{where}': expected a data URL of the form data:<media type>;base64,<data>."
        raise InvalidRequestError(message, param=where)
    return DataURL(head[1].strip().lower(), url[head.end() :])
