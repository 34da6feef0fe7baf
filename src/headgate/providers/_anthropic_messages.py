"""OpenAI's chat messages as Anthropic's system blocks and turns.

What Anthropic refuses is avoided rather than sent: blank text blocks, trailing blanks in a prefilled answer, two turns
of one role in a row (https://platform.claude.com/docs/en/api/messages). Order is kept otherwise.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.providers import _chat as chat
from headgate.providers._chat import CacheControl, RedactedThinkingBlock, ThinkingBlock

_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF = "application/pdf"
_TOOL_ID = re.compile(r"[^a-zA-Z0-9_-]")


class TextBlock(msgspec.Struct, tag_field="type", tag="text", omit_defaults=True):
    """Text."""

    text: str
    cache_control: CacheControl | None = None


class Base64Source(msgspec.Struct, tag_field="type", tag="base64"):
    """Content in the request."""

    media_type: str
    data: str


class TextSource(msgspec.Struct, tag_field="type", tag="text"):
    """Plain text as a document's content."""

    data: str
    media_type: str = "text/plain"


class URLSource(msgspec.Struct, tag_field="type", tag="url"):
    """Content that Anthropic fetches."""

    url: str


class FileSource(msgspec.Struct, tag_field="type", tag="file"):
    """Content that was uploaded to Anthropic before."""

    file_id: str


Source = Base64Source | TextSource | URLSource | FileSource


class ImageBlock(msgspec.Struct, tag_field="type", tag="image", omit_defaults=True):
    """An image."""

    source: Source
    cache_control: CacheControl | None = None


class DocumentBlock(msgspec.Struct, tag_field="type", tag="document", omit_defaults=True):
    """A PDF or text document."""

    source: Source
    title: str | None = None
    cache_control: CacheControl | None = None


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use", omit_defaults=True):
    """A tool call that the model made."""

    id: str
    name: str
    input: msgspec.Raw
    cache_control: CacheControl | None = None


class ToolResultBlock(msgspec.Struct, tag_field="type", tag="tool_result", omit_defaults=True):
    """What a tool call returned."""

    tool_use_id: str
    content: "str | list[Block]" = ""
    cache_control: CacheControl | None = None


Block = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock
_Cacheable = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock


class Turn(msgspec.Struct):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: list[Block]


class Conversation(NamedTuple):
    """What the messages of a chat say, in Anthropic's terms."""

    system: list[TextBlock]
    turns: list[Turn]


def translate_messages(messages: list[chat.Message]) -> Conversation:
    """Translate a chat. Raises `InvalidRequestError` naming the message that has no counterpart."""
    system: list[TextBlock] = []
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        match message:
            case chat.SystemMessage():
                system += _system_blocks(message, where)
            case chat.UserMessage():
                _extend(turns, "user", _cached(list(_content_blocks(message.content, where)), message.cache_control))
            case chat.AssistantMessage():
                _extend(turns, "assistant", _cached(list(_assistant_blocks(message, where)), message.cache_control))
            case chat.ToolMessage():
                _extend(turns, "user", [_tool_result(message, where)])
    if not turns:
        text = "Invalid value for 'messages': expected at least one user or assistant message that is not blank."
        raise InvalidRequestError(text, param="messages")
    _trim_prefill(turns)
    return Conversation(system, turns)


def tool_id(identifier: str) -> str:
    """Make an id of another provider's acceptable; Anthropic allows letters, digits, `_` and `-`."""
    return _TOOL_ID.sub("_", identifier)


def _extend(turns: list[Turn], role: Literal["user", "assistant"], blocks: list[Block]) -> None:
    if not blocks:
        return
    if turns and turns[-1].role == role:
        turns[-1].content += blocks
    else:
        turns.append(Turn(role, blocks))


def _cached(blocks: list[Block], cache_control: CacheControl | None) -> list[Block]:
    """Put a message's cache breakpoint on its last block."""
    if cache_control is not None and blocks and isinstance(blocks[-1], _Cacheable):
        blocks[-1].cache_control = cache_control
    return blocks


def _trim_prefill(turns: list[Turn]) -> None:
    """Anthropic refuses a last assistant turn that ends with white space."""
    if turns[-1].role == "assistant" and isinstance(last := turns[-1].content[-1], TextBlock):
        last.text = last.text.rstrip()


def _system_blocks(message: chat.SystemMessage, where: str) -> Iterator[TextBlock]:
    blocks: list[Block] = []
    for position, part in enumerate(chat.content_parts(message.content)):
        if not isinstance(part, chat.TextPart):
            name = f"{where}.content[{position}]"
            raise InvalidRequestError(f"Invalid value for '{name}': instructions can only be text.", param=name)
        if part.text.strip():
            blocks.append(TextBlock(part.text, part.cache_control))
    for block in _cached(blocks, message.cache_control):
        assert isinstance(block, TextBlock)  # noqa: S101 - only text was appended
        yield block


def _assistant_blocks(message: chat.AssistantMessage, where: str) -> Iterator[Block]:
    for thinking in message.thinking_blocks or ():
        # Only thinking with its signature is accepted back.
        if isinstance(thinking, RedactedThinkingBlock) or thinking.signature:
            yield thinking
    if message.refusal and message.refusal.strip():
        yield TextBlock(message.refusal)
    yield from _content_blocks(message.content, where)
    for position, call in enumerate(message.tool_calls or ()):
        arguments = chat.arguments_object(call, f"{where}.tool_calls[{position}]")
        yield ToolUseBlock(tool_id(call.id), call.function.name, arguments)


def _tool_result(message: chat.ToolMessage, where: str) -> ToolResultBlock:
    if isinstance(message.content, str):
        return ToolResultBlock(tool_id(message.tool_call_id), message.content, message.cache_control)
    blocks = list(_content_blocks(message.content, where))
    cache_control = message.cache_control
    for block in blocks:
        # A breakpoint counts on the result as a whole, not on what is inside it.
        if isinstance(block, _Cacheable) and block.cache_control is not None:
            cache_control, block.cache_control = cache_control or block.cache_control, None
    return ToolResultBlock(tool_id(message.tool_call_id), blocks or "", cache_control)


def _content_blocks(content: chat.Content, where: str) -> Iterator[Block]:
    for position, part in enumerate(chat.content_parts(content)):
        name = f"{where}.content[{position}]"
        match part:
            case chat.TextPart():
                if part.text.strip():
                    yield TextBlock(part.text, part.cache_control)
            case chat.ImagePart():
                yield _image(part, f"{name}.image_url")
            case chat.FilePart():
                yield _document(part, f"{name}.file")
            case chat.RefusalPart():
                if part.refusal.strip():
                    yield TextBlock(part.refusal)
            case ThinkingBlock() | RedactedThinkingBlock():
                if isinstance(part, RedactedThinkingBlock) or part.signature:
                    yield part
            case chat.AudioPart():
                raise InvalidRequestError(f"Invalid value for '{name}': Claude does not take audio.", param=name)


def _image(part: chat.ImagePart, name: str) -> Block:
    data = chat.decode_data_url(part.url, name)
    if data is None:
        return ImageBlock(_url_source(part.url, name), part.cache_control)
    media_type = (part.format or data.media_type).replace("image/jpg", "image/jpeg")
    if media_type in _IMAGE_TYPES:
        return ImageBlock(Base64Source(media_type, data.data), part.cache_control)
    if media_type == _PDF:
        return DocumentBlock(Base64Source(_PDF, data.data), cache_control=part.cache_control)
    message = f"Invalid value for '{name}': {media_type!r} is not supported; use JPEG, PNG, GIF or WebP."
    raise InvalidRequestError(message, param=name)


def _document(part: chat.FilePart, name: str) -> Block:
    file = part.file
    if file.file_data is None:
        if not file.file_id:
            message = f"Invalid value for '{name}': expected 'file_data' or 'file_id'."
            raise InvalidRequestError(message, param=name)
        fetched = "://" in file.file_id
        source: Source = _url_source(file.file_id, f"{name}.file_id") if fetched else FileSource(file.file_id)
        return DocumentBlock(source, file.filename, part.cache_control)
    data = chat.decode_data_url(file.file_data, f"{name}.file_data")
    if data is None:
        named_pdf = (file.filename or "").lower().endswith(".pdf")
        data = chat.DataURL(_PDF if named_pdf else "unknown", file.file_data)
    media_type = file.format or data.media_type
    if media_type in _IMAGE_TYPES:
        return ImageBlock(Base64Source(media_type, data.data), part.cache_control)
    if media_type == "text/plain":
        return DocumentBlock(TextSource(_plain_text(data.data, name)), file.filename, part.cache_control)
    if media_type == _PDF:
        return DocumentBlock(Base64Source(_PDF, data.data), file.filename, part.cache_control)
    message = (
        f"Invalid value for '{name}.file_data': {media_type!r} is not supported; use a PDF, plain text or an image."
    )
    raise InvalidRequestError(message, param=f"{name}.file_data")


def _url_source(url: str, name: str) -> URLSource:
    if url[:8].lower() != "https://" and url[:7].lower() != "http://":
        raise InvalidRequestError(f"Invalid value for '{name}': expected an http(s) URL or a data URL.", param=name)
    return URLSource(url)


def _plain_text(data: str, name: str) -> str:
    try:
        return binascii.a2b_base64(data, strict_mode=True).decode()
    except (ValueError, UnicodeDecodeError):
        message = f"Invalid value for '{name}.file_data': expected UTF-8 text in base64."
        raise InvalidRequestError(message, param=f"{name}.file_data") from None
