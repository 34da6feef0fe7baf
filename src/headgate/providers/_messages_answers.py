"""From OpenAI chat answers, whole or streamed, to Anthropic messages."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.json import encode
from headgate.core.provider import StreamTranslator
from headgate.core.sse import EventReader
from headgate.core.usage import Usage
from headgate.providers._errors import protocol_error

_STOP_REASONS: Mapping[str | None, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_MALFORMED = "The upstream provider's answer is not a chat completion."
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    id: str = ""
    model: str = ""


_decoder = msgspec.json.Decoder(_Chat)


def encode_message(chat: bytes, usage: Usage | None) -> bytes:
    """Return the Anthropic message for a chat completion. Raises `UpstreamError` when it is not one."""
    try:
        answer = _decoder.decode(chat)
    except _ERRORS:
        raise protocol_error(_MALFORMED) from None
    if not answer.choices or answer.choices[0].message is None:
        raise protocol_error(_MALFORMED)
    choice, message = answer.choices[0], answer.choices[0].message
    content: list[dict[str, Any]] = []
    if message.reasoning_content:
        content.append({"type": "thinking", "thinking": message.reasoning_content, "signature": ""})
    if message.content or message.refusal:
        content.append({"type": "text", "text": message.content or message.refusal})
    for call in message.tool_calls or ():
        function = call.function or _Function()
        content.append(_tool_use(call.id or "", function.name or "", _arguments(function.arguments)))
    return encode(
        {
            "id": answer.id,
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": content,
            "stop_reason": _STOP_REASONS.get(choice.finish_reason, "end_turn"),
            "stop_sequence": None,
            "usage": reported_usage(usage or Usage()),
        }
    )


def reported_usage(usage: Usage) -> dict[str, int]:
    """Return usage as Anthropic counts: the input without what a cache held."""
    return {
        "input_tokens": max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }


def _tool_use(identifier: str, name: str, arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": identifier, "name": name, "input": arguments}


def _arguments(text: str | None) -> object:
    """Return a call's arguments as an object; what is none is kept, so that nothing the model said is lost."""
    try:
        value = msgspec.json.decode(text or "{}")
    except _ERRORS:
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": value}


class MessagesTranslator:
    """Turns a stream of chat chunks, as `chat` translates the upstream's bytes into them, into Anthropic's events."""

    def __init__(self, chat: StreamTranslator) -> None:
        self._chat = chat
        self._reader = EventReader()
        self._failure: UpstreamError | None = None
        self._started = False
        self._finished = False
        self._open: tuple[str, int] | None = None
        """The kind of the block that is open, and for a tool the index of its call."""
        self._index = -1
        self._stop_reason = "end_turn"

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported so far."""
        return self._chat.usage

    @property
    def complete(self) -> bool:
        """True once the message is whole."""
        return self._finished

    @property
    def failure(self) -> UpstreamError | None:
        """An error in the stream, or bytes that are not its protocol."""
        return self._failure or self._chat.failure

    @property
    def output_characters(self) -> int:
        """Characters of output seen."""
        return self._chat.output_characters

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return Anthropic's events."""
        return self._translate(self._chat.feed(data))

    def finish(self) -> bytes:
        """Take the end of the upstream's body."""
        output = self._translate(self._chat.finish())
        if self.failure is None and not self._finished:
            output += self._end()
        return output

    def _translate(self, chunks: bytes) -> bytes:
        output: list[bytes] = []
        try:
            for event in self._reader.feed(chunks):
                if event.data == b"[DONE]":
                    output.append(self._end())
                else:
                    output += self._chunk(_decoder.decode(event.data))
        except (*_ERRORS, ValueError):
            self._failure = protocol_error(_MALFORMED)
        return b"".join(output)

    def _chunk(self, chunk: _Chat) -> Iterable[bytes]:
        if not self._started:
            self._started = True
            message = {"id": chunk.id, "type": "message", "role": "assistant", "model": chunk.model, "content": []}
            # Chat reports usage at the end only; `message_delta` carries it.
            started = {**message, "stop_reason": None, "stop_sequence": None, "usage": reported_usage(Usage())}
            yield _event("message_start", {"message": started})
        for choice in chunk.choices[:1]:
            if choice.delta is not None:
                yield from self._delta(choice.delta)
            if choice.finish_reason is not None:
                self._stop_reason = _STOP_REASONS.get(choice.finish_reason, "end_turn")

    def _delta(self, delta: _Message) -> Iterable[bytes]:
        if delta.reasoning_content:
            yield from self._switch("thinking", 0, {"type": "thinking", "thinking": "", "signature": ""})
            yield self._block_delta({"type": "thinking_delta", "thinking": delta.reasoning_content})
        text = delta.content or delta.refusal
        if text:
            yield from self._switch("text", 0, {"type": "text", "text": ""})
            yield self._block_delta({"type": "text_delta", "text": text})
        for call in delta.tool_calls or ():
            function = call.function or _Function()
            if self._open != ("tool_use", call.index):
                yield from self._switch("tool_use", call.index, _tool_use(call.id or "", function.name or "", {}))
            if function.arguments:
                yield self._block_delta({"type": "input_json_delta", "partial_json": function.arguments})

    def _switch(self, kind: str, call: int, block: dict[str, Any]) -> Iterable[bytes]:
        """Make the block that a delta belongs to the open one."""
        if self._open == (kind, call):
            return
        yield from self._close_block()
        self._open = (kind, call)
        self._index += 1
        yield _event("content_block_start", {"index": self._index, "content_block": block})

    def _close_block(self) -> Iterable[bytes]:
        if self._open is not None:
            self._open = None
            yield _event("content_block_stop", {"index": self._index})

    def _block_delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": delta})

    def _end(self) -> bytes:
        if self._finished or not self._started:
            return b""
        self._finished = True
        delta = {"stop_reason": self._stop_reason, "stop_sequence": None}
        closing = {"delta": delta, "usage": reported_usage(self.usage or Usage())}
        return b"".join([*self._close_block(), _event("message_delta", closing), _event("message_stop", {})])


def _event(name: str, members: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode({"type": name, **members}))
