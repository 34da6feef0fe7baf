"""OpenAI's chat messages as Converse's system blocks and turns.

Converse takes no two turns of one role in a row, no blank text, and files only by content or from S3
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html). Order is kept otherwise.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from headgate.core.errors import InvalidRequestError
from headgate.core.provider import Attachment
from headgate.providers import _chat as chat
from headgate.providers._chat import CacheControl, DataURL, RedactedThinkingBlock, ThinkingBlock

Block = dict[str, Any]
"""A content block: an object with one member, which names its kind."""

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_VIDEOS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/webm": "webm",
    "video/mpeg": "mpeg",
}
_FORMATS = {".htm": "html", ".jpg": "jpeg", **{f".{name}": name for name in {*_IMAGES.values(), *_DOCUMENTS.values()}}}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\-()\[\] ]+")
_BLANKS = re.compile(r" {2,}")
# Converse's own pattern of a tool call's id is wider; Claude's is this one.
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")


class Turn(NamedTuple):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: list[Block]


class Conversation(NamedTuple):
    """What the messages of a chat say, in Converse's terms; `tools` are the names of all tools that were called."""

    system: list[Block]
    turns: list[Turn]
    tools: list[str]


def remote_files(messages: list[chat.Message]) -> Iterator[str]:
    """Name the http(s) URLs of files, which Converse does not fetch."""
    for message in messages:
        for part in () if isinstance(message, chat.SystemMessage) else chat.content_parts(message.content):
            url = _reference(part)
            if url[:8].lower() == "https://" or url[:7].lower() == "http://":
                yield url


def translate_messages(messages: list[chat.Message], attachments: Mapping[str, Attachment]) -> Conversation:
    """Translate a chat; raises `InvalidRequestError` naming the message that has no counterpart."""
    return _Translation(attachments).run(messages)


class _Translation:
    def __init__(self, attachments: Mapping[str, Attachment]) -> None:
        self._attachments = attachments
        self._conversation = Conversation([], [], [])
        self._document_names: set[str] = set()

    def run(self, messages: list[chat.Message]) -> Conversation:
        conversation = self._conversation
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            match message:
                case chat.SystemMessage():
                    conversation.system.extend(_system_blocks(message, where))
                case chat.UserMessage():
                    self._extend("user", self._content_blocks(message.content, where), message.cache_control)
                case chat.AssistantMessage():
                    self._extend("assistant", self._assistant_blocks(message, where), message.cache_control)
                case chat.ToolMessage():
                    self._extend("user", iter([self._tool_result(message, where)]), message.cache_control)
        if not conversation.turns:
            text = "Invalid value for 'messages': expected at least one user message that is not blank."
            raise InvalidRequestError(text, param="messages")
        last = conversation.turns[-1]
        if last.role == "assistant" and "text" in last.content[-1]:
            # A prefilled answer must not end with white space.
            last.content[-1]["text"] = last.content[-1]["text"].rstrip()
        return conversation

    def _extend(
        self, role: Literal["user", "assistant"], blocks: Iterator[Block], cache_control: CacheControl | None
    ) -> None:
        content = list(blocks)
        if not content:
            return
        if cache_control is not None:
            content.append(cache_point(cache_control))
        turns = self._conversation.turns
        if turns and turns[-1].role == role:
            turns[-1].content.extend(content)
        else:
            turns.append(Turn(role, content))

    def _assistant_blocks(self, message: chat.AssistantMessage, where: str) -> Iterator[Block]:
        for thinking in message.thinking_blocks or ():
            yield from _thinking_blocks(thinking)
        if message.refusal and message.refusal.strip():
            yield {"text": message.refusal}
        yield from self._content_blocks(message.content, where)
        for position, call in enumerate(message.tool_calls or ()):
            arguments = chat.arguments_object(call, f"{where}.tool_calls[{position}]")
            if call.function.name not in self._conversation.tools:
                self._conversation.tools.append(call.function.name)
            yield {"toolUse": {"toolUseId": _tool_id(call.id), "name": call.function.name, "input": arguments}}

    def _tool_result(self, message: chat.ToolMessage, where: str) -> Block:
        blocks = [
            block
            for block in self._content_blocks(message.content, where)
            if not block.keys() & {"cachePoint", "audio"}
        ]
        return {"toolResult": {"toolUseId": _tool_id(message.tool_call_id), "content": blocks}}

    def _content_blocks(self, content: chat.Content, where: str) -> Iterator[Block]:
        for position, part in enumerate(chat.content_parts(content)):
            name = f"{where}.content[{position}]"
            match part:
                case chat.TextPart(text=text) | chat.RefusalPart(refusal=text):
                    if not text.strip():
                        continue
                    yield {"text": text}
                case chat.ImagePart():
                    yield self._file(part.url, part.format or "", "", f"{name}.image_url")
                case chat.FilePart(file=file):
                    yield self._file(_reference(part), file.format or "", file.filename or "", f"{name}.file")
                case chat.AudioPart(input_audio=audio):
                    yield {"audio": {"format": audio.format, "source": {"bytes": audio.data}}}
                case ThinkingBlock() | RedactedThinkingBlock():
                    yield from _thinking_blocks(part)
            if isinstance(part, chat.TextPart | chat.ImagePart | chat.FilePart) and part.cache_control is not None:
                yield cache_point(part.cache_control)

    def _file(self, url: str, stated_type: str, filename: str, name: str) -> Block:
        """Return the image, document or video at a data URL, a fetched URL or an S3 URI."""
        if not url:
            message = f"Invalid value for '{name}': expected a URL, or a file's content as a data URL."
            raise InvalidRequestError(message, param=name)
        if url[:5].lower() == "s3://":
            return self._block(stated_type, filename or url.rpartition("/")[2], {"s3Location": {"uri": url}}, name)
        data = chat.decode_data_url(url, name)
        if data is None:
            attachment = self._attachments.get(url)
            if attachment is None:
                message = f"Invalid value for '{name}': expected an http(s) URL, a data URL or an s3:// URI."
                raise InvalidRequestError(message, param=name)
            data = DataURL(attachment.media_type, base64.b64encode(attachment.data).decode())
        return self._block(stated_type or data.media_type, filename, {"bytes": data.data}, name)

    def _block(self, media_type: str, filename: str, source: Block, name: str) -> Block:
        media_type = media_type.partition(";")[0].strip().lower()
        extension = _FORMATS.get(f".{filename.rpartition('.')[2].lower()}", "")
        if (image := _IMAGES.get(media_type)) or (not media_type and extension in _IMAGES.values()):
            return {"image": {"format": image or extension, "source": source}}
        if (video := _VIDEOS.get(media_type)) is not None:
            return {"video": {"format": video, "source": source}}
        document = _DOCUMENTS.get(media_type, extension)
        if not document:
            message = f"Invalid value for '{name}': files of type '{media_type[:60]}' are not supported."
            raise InvalidRequestError(message, param=name)
        return {"document": {"format": document, "name": self._document_name(filename), "source": source}}

    def _document_name(self, filename: str) -> str:
        """Return a name that Converse allows and that no other document of the request has."""
        stem = filename.rpartition(".")[0] or filename
        name = _BLANKS.sub(" ", _NOT_IN_NAMES.sub(" ", stem)).strip()[:180] or "document"
        number, unique = 1, name
        while unique in self._document_names:
            number += 1
            unique = f"{name} ({number})"
        self._document_names.add(unique)
        return unique


def cache_point(cache_control: CacheControl) -> Block:
    """Return the block that ends a cached prefix; the five minutes that are the default are not spelled out."""
    point = {"type": "default"}
    if cache_control.get("ttl") == "1h":
        point["ttl"] = "1h"
    return {"cachePoint": point}


def _reference(part: chat.Part) -> str:
    """Return where a part's file is, empty for a part without one."""
    if isinstance(part, chat.ImagePart):
        return part.url
    return (part.file.file_data or part.file.file_id or "") if isinstance(part, chat.FilePart) else ""


def _tool_id(identifier: str) -> str:
    return _NOT_IN_IDS.sub("_", identifier)[:64]


def _thinking_blocks(thinking: chat.Thinking) -> Iterator[Block]:
    if isinstance(thinking, RedactedThinkingBlock):
        yield {"reasoningContent": {"redactedContent": thinking.data}}
    elif thinking.signature:
        # Without its signature a model does not accept its reasoning back.
        yield {"reasoningContent": {"reasoningText": {"text": thinking.thinking, "signature": thinking.signature}}}


def _system_blocks(message: chat.SystemMessage, where: str) -> Iterator[Block]:
    for position, part in enumerate(chat.content_parts(message.content)):
        if not isinstance(part, chat.TextPart):
            name = f"{where}.content[{position}]"
            raise InvalidRequestError(f"Invalid value for '{name}': instructions can only be text.", param=name)
        if not part.text.strip():
            continue
        yield {"text": part.text}
        if part.cache_control is not None:
            yield cache_point(part.cache_control)
    if message.cache_control is not None:
        yield cache_point(message.cache_control)
