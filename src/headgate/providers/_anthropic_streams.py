"""Anthropic's message streams: relayed as they are, or translated into OpenAI chat chunks.

The flow of events: `message_start`, then for each block `content_block_start`, `content_block_delta`s and
`content_block_stop`, then `message_delta` and `message_stop`; `ping` anywhere, and instead of the rest `error`
(https://platform.claude.com/docs/en/build-with-claude/streaming).
"""

from collections.abc import Iterable

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.sse import Event, EventReader
from headgate.core.usage import Usage
from headgate.providers._anthropic_answers import DECODE_ERRORS, Answer, Block, ReportedUsage, finish_reason
from headgate.providers._anthropic_errors import stream_failure
from headgate.providers._anthropic_request import JSON_TOOL
from headgate.providers._chat import FunctionCall, RedactedThinkingBlock, ThinkingBlock, ToolCall
from headgate.providers._chat_answers import DONE, ChunkWriter
from headgate.providers._errors import protocol_error, truncated_error

_MALFORMED = "The upstream provider sent a stream event that is not valid."
_TOO_LARGE = "The upstream provider sent a stream event that is too large."


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: msgspec.Raw = msgspec.Raw()
    stop_reason: str | None = None


class _StreamEvent(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: Block | None = None
    message: Answer | None = None
    usage: ReportedUsage | None = None


class _Output(msgspec.Struct):
    text: str = ""
    partial_json: str = ""
    thinking: str = ""


class _Started(msgspec.Struct):
    usage: ReportedUsage


class _RelayedEvent(msgspec.Struct):
    type: str
    delta: _Output | None = None
    message: _Started | None = None
    usage: ReportedUsage | None = None


_decode_event = msgspec.json.Decoder(_StreamEvent).decode
_decode_relayed = msgspec.json.Decoder(_RelayedEvent).decode


class _Reader:
    """What both translators share: reading events, and how a stream ends."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failure: UpstreamError | None = None
        self.output_characters = 0
        self._secrets = tuple(secrets)
        self._reader = EventReader()

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return what to send to the client."""
        sent: list[bytes] = []
        try:
            for event in self._reader.feed(data):
                if self.complete or self.failure is not None:
                    break
                sent.append(self._event(event))
        except DECODE_ERRORS:
            self.failure = protocol_error(_MALFORMED)
        except ValueError:
            self.failure = protocol_error(_TOO_LARGE)
        return b"".join(sent)

    def finish(self) -> bytes:
        """Take the end of the upstream's body; an end before `message_stop` is a failure."""
        if not self.complete and self.failure is None:
            self.failure = truncated_error()
        return b""

    def _event(self, event: Event) -> bytes:
        raise NotImplementedError


class MessagesRelay(_Reader):
    """Passes an Anthropic stream on, event by event, unchanged but for line ends.

    Of each event only what is counted is decoded, which costs less than searching for it.
    """

    def _event(self, event: Event) -> bytes:
        name, data = event
        read = _decode_relayed(data)
        kind = read.type
        if kind == "content_block_delta":
            if (delta := read.delta) is not None:
                self.output_characters += len(delta.text) + len(delta.partial_json) + len(delta.thinking)
        elif kind == "error" or name == b"error":
            self.failure = stream_failure(data, self._secrets)
            return b""
        elif kind == "message_stop":
            self.complete = True
        else:
            reported = read.message.usage if read.message is not None else read.usage
            if reported is not None:
                self.usage = reported.total(self.usage)
        if b"\n" in data:
            data = data.replace(b"\n", b"\ndata: ")
        return b"event: %b\ndata: %b\n\n" % (name, data) if name else b"data: %b\n\n" % data


class ChatTranslator(_Reader):
    """Translates an Anthropic stream into OpenAI chat chunks.

    A signed thinking block follows its reasoning as a whole, in `thinking_blocks`, when the block ends. `created` is in
    seconds since the epoch.
    """

    def __init__(self, *, created: float, include_usage: bool, secrets: Iterable[str] = ()) -> None:
        super().__init__(secrets)
        self._created = created
        self._include_usage = include_usage
        self._writer: ChunkWriter | None = None
        self._stop_reason: str | None = None
        self._tools = 0
        self._block: Block | None = None
        self._fragments: list[str] = []
        """What came of the open block: all of its thinking, or a mark that a tool's arguments began."""

    def _event(self, event: Event) -> bytes:
        if event.name == b"error":
            self.failure = stream_failure(event.data, self._secrets)
            return b""
        read = _decode_event(event.data)
        writer = self._writer
        match read.type:
            case "content_block_delta" if writer is not None and read.delta is not None:
                return self._delta(read.delta, writer)
            case "content_block_start" if writer is not None and read.content_block is not None:
                return self._start_block(read.content_block, writer)
            case "content_block_stop" if writer is not None:
                return self._stop_block(writer)
            case "message_start" if writer is None and read.message is not None:
                return self._start(read.message)
            case "message_delta" if writer is not None:
                if read.delta is not None:
                    self._stop_reason = read.delta.stop_reason or self._stop_reason
                if read.usage is not None:
                    self.usage = read.usage.total(self.usage)
            case "message_stop" if writer is not None:
                return self._stop(writer)
            case "error":
                self.failure = stream_failure(event.data, self._secrets)
            case "message_start" | "content_block_start" | "content_block_delta" | "message_delta" | "message_stop":
                self.failure = protocol_error(_MALFORMED)
        return b""

    def _start(self, message: Answer) -> bytes:
        self.usage = message.usage.total()
        self._writer = ChunkWriter(identifier=message.id, created=self._created, model=message.model)
        return self._writer.role()

    def _stop(self, writer: ChunkWriter) -> bytes:
        self.complete = True
        sent = writer.finish(finish_reason(self._stop_reason, calls=self._tools > 0))
        if self._include_usage:
            sent += writer.usage(self.usage or Usage())
        return sent + DONE

    def _start_block(self, block: Block, writer: ChunkWriter) -> bytes:
        self._block, self._fragments = block, []
        if block.type == "tool_use" and block.name != JSON_TOOL:
            self._tools += 1
            return writer.tool_start(self._tools - 1, ToolCall(block.id, FunctionCall(block.name)))
        if block.type == "text" and block.text:
            self.output_characters += len(block.text)
            return writer.text(block.text)
        if block.type == "redacted_thinking":
            return writer.thinking(RedactedThinkingBlock(block.data))
        return b""

    def _delta(self, delta: _Delta, writer: ChunkWriter) -> bytes:
        match delta.type:
            case "text_delta":
                self.output_characters += len(delta.text)
                return writer.text(delta.text)
            case "input_json_delta" if self._block is not None:
                return self._arguments(self._block, delta.partial_json, writer)
            case "thinking_delta":
                self.output_characters += len(delta.thinking)
                self._fragments.append(delta.thinking)
                return writer.reasoning(delta.thinking)
            case "signature_delta" if self._block is not None:
                self._block.signature += delta.signature
            case "citations_delta" if delta.citation:
                return writer.provider_specific({"citation": delta.citation})
        return b""

    def _arguments(self, block: Block, fragment: str, writer: ChunkWriter) -> bytes:
        # The input of tools that Anthropic runs itself is not the client's to see.
        if not fragment or block.type != "tool_use":
            return b""
        self.output_characters += len(fragment)
        self._fragments = [fragment]
        if block.name == JSON_TOOL:
            return writer.text(fragment)
        return writer.tool_arguments(self._tools - 1, fragment)

    def _stop_block(self, writer: ChunkWriter) -> bytes:
        block, self._block = self._block, None
        if block is None:
            return b""
        if block.type == "thinking" and (block.signature or self._fragments):
            return writer.thinking(ThinkingBlock(block.thinking + "".join(self._fragments), block.signature))
        if self._fragments:
            return b""
        # A call without arguments has no delta, but clients parse what they got as JSON.
        return self._arguments(block, bytes(block.input).decode() or "{}", writer)
