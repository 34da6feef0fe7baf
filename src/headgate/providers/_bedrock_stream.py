"""ConverseStream's events as OpenAI chat completion chunks.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_ResponseSyntax
"""

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.usage import Usage
from headgate.providers._bedrock_answer import TokenUsage, finish_reason
from headgate.providers._bedrock_errors import read_exception
from headgate.providers._bedrock_tools import JSON_TOOL
from headgate.providers._chat import FunctionCall, RedactedThinkingBlock, ThinkingBlock, ToolCall
from headgate.providers._chat_answers import DONE, ChunkWriter
from headgate.providers._errors import protocol_error, truncated_error
from headgate.providers._event_stream import EventStreamError, EventStreamReader, Message


class _ToolStart(msgspec.Struct):
    id: str = msgspec.field(name="toolUseId")
    name: str
    type: str | None = None


class _Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolStart | None = None


class _ToolDelta(msgspec.Struct):
    input: str = ""


class _ReasoningDelta(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None
    citation: msgspec.Raw = msgspec.Raw()


class _BlockStart(msgspec.Struct, rename="camel"):
    content_block_index: int
    start: _Start | None = None


class _BlockDelta(msgspec.Struct, rename="camel"):
    content_block_index: int
    delta: _Delta


class _BlockStop(msgspec.Struct, rename="camel"):
    content_block_index: int


class _MessageStop(msgspec.Struct, rename="camel"):
    stop_reason: str
    additional_model_response_fields: msgspec.Raw = msgspec.Raw()


class _Metadata(msgspec.Struct):
    usage: TokenUsage
    trace: msgspec.Raw = msgspec.Raw()


_block_start = msgspec.json.Decoder(_BlockStart)
_block_delta = msgspec.json.Decoder(_BlockDelta)
_block_stop = msgspec.json.Decoder(_BlockStop)
_message_stop = msgspec.json.Decoder(_MessageStop)
_metadata = msgspec.json.Decoder(_Metadata)

_JSON = -1
"""The place among the tool calls of the call that stands for `response_format`."""


class ConverseTranslator:
    """Translates one stream; implements `StreamTranslator`. With `json_tool` a call of `JSON_TOOL` is the content."""

    def __init__(self, writer: ChunkWriter, *, include_usage: bool, json_tool: bool) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failure: UpstreamError | None = None
        self.output_characters = 0
        self._reader = EventStreamReader()
        self._writer = writer
        self._include_usage = include_usage
        self._json_tool = json_tool
        self._started = False
        self._stopped = False
        # By the index of their content block: the place of tool calls, and the reasoning as far as it came.
        self._tools: dict[int, int] = {}
        self._thinking: dict[int, ThinkingBlock] = {}
        self._calls = 0
        self._held: list[str] = []

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return what to send to the client."""
        pieces: list[bytes] = []
        try:
            for message in self._reader.feed(data):
                self.failure = read_exception(message)
                if self.failure is not None:
                    break
                pieces.append(self._event(message))
        except EventStreamError as error:
            self.failure = protocol_error(f"The upstream provider's event stream is damaged: {error}.")
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self.failure = protocol_error("The upstream provider's stream holds an event that can not be read.")
        return b"".join(pieces)

    def finish(self) -> bytes:
        """Take the end of the upstream's body; return what remains to be sent."""
        if self.complete or self.failure is not None:
            return b""
        if self._stopped and not self._reader.midway:
            self.complete = True
            return DONE
        self.failure = truncated_error()
        return b""

    def _event(self, message: Message) -> bytes:
        if self.complete:
            return b""
        match message.headers.get(":event-type"):
            case "contentBlockDelta":
                return self._opened() + self._delta(_block_delta.decode(message.payload))
            case "messageStart":
                return self._opened()
            case "contentBlockStart":
                return self._opened() + self._block_start(_block_start.decode(message.payload))
            case "contentBlockStop":
                return self._block_stop(_block_stop.decode(message.payload).content_block_index)
            case "messageStop":
                return self._opened() + self._message_stop(_message_stop.decode(message.payload))
            case "metadata":
                return self._metadata(_metadata.decode(message.payload))
        return b""

    def _opened(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return self._writer.role()

    def _block_start(self, event: _BlockStart) -> bytes:
        tool = event.start.tool_use if event.start is not None else None
        # What the provider's own servers call is no business of the client's.
        if tool is None or tool.type == "server_tool_use":
            return b""
        if self._json_tool and tool.name == JSON_TOOL:
            self._tools[event.content_block_index] = _JSON
            self._held.clear()
            self._json_tool = False
            return b""
        place = self._tools[event.content_block_index] = self._calls
        self._calls += 1
        self.output_characters += len(tool.name)
        return self._writer.tool_start(place, ToolCall(tool.id, FunctionCall(tool.name)))

    def _delta(self, event: _BlockDelta) -> bytes:
        delta = event.delta
        if delta.text is not None:
            self.output_characters += len(delta.text)
            if self._json_tool:
                # Counts only when the model answers without the call.
                self._held.append(delta.text)
                return b""
            return self._writer.text(delta.text) if delta.text else b""
        if delta.tool_use is not None:
            return self._arguments(self._tools.get(event.content_block_index), delta.tool_use.input)
        if delta.reasoning_content is not None:
            return self._reasoning(event.content_block_index, delta.reasoning_content)
        if bytes(delta.citation):
            return self._writer.provider_specific({"citation": delta.citation})
        return b""

    def _arguments(self, place: int | None, fragment: str) -> bytes:
        if place is None or not fragment:
            return b""
        self.output_characters += len(fragment)
        return self._writer.text(fragment) if place == _JSON else self._writer.tool_arguments(place, fragment)

    def _reasoning(self, index: int, delta: _ReasoningDelta) -> bytes:
        if delta.redacted_content is not None:
            return self._writer.thinking(RedactedThinkingBlock(delta.redacted_content))
        block = self._thinking.setdefault(index, ThinkingBlock(""))
        block.signature += delta.signature or ""
        if not delta.text:
            return b""
        block.thinking += delta.text
        self.output_characters += len(delta.text)
        return self._writer.reasoning(delta.text)

    def _block_stop(self, index: int) -> bytes:
        thinking = self._thinking.pop(index, None)
        return b"" if thinking is None else self._writer.thinking(thinking)

    def _message_stop(self, event: _MessageStop) -> bytes:
        self._stopped = True
        finish = self._writer.finish(finish_reason(event.stop_reason, tool_calls=self._calls > 0))
        if self._held:
            finish = self._writer.text("".join(self._held)) + finish
        extra = event.additional_model_response_fields
        if not bytes(extra):
            return finish
        return self._writer.provider_specific({"additionalModelResponseFields": extra}) + finish

    def _metadata(self, event: _Metadata) -> bytes:
        """Take the usage, with which a stream ends."""
        self.usage = event.usage.counted()
        if not self._stopped:
            return b""
        self.complete = True
        pieces = [self._writer.provider_specific({"trace": event.trace})] if bytes(event.trace) else []
        if self._include_usage:
            pieces.append(self._writer.usage(self.usage))
        return b"".join([*pieces, DONE])
