"""OpenAI chat completions and chunks, for providers that translate their own answers into them.

The shapes are those of https://platform.openai.com/docs/api-reference/chat/object and `/chat/streaming`, with
LiteLLM's additions: `reasoning_content` and `thinking_blocks` beside the content, and `cache_read_input_tokens` and
`cache_creation_input_tokens` in the usage.
"""

from typing import Any, Literal

import msgspec

from headgate.core.usage import Usage
from headgate.providers._chat import Thinking, ToolCall

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

DONE = b"data: [DONE]\n\n"
"""The event that ends an OpenAI stream."""

_encode = msgspec.json.Encoder().encode


class AnswerMessage(msgspec.Struct, kw_only=True):
    """The message of a completion; members that are UNSET do not appear."""

    role: Literal["assistant"] = "assistant"
    content: str | None = None
    tool_calls: list[ToolCall] | msgspec.UnsetType = msgspec.UNSET
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET
    thinking_blocks: list[Thinking] | msgspec.UnsetType = msgspec.UNSET
    provider_specific_fields: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class _Choice(msgspec.Struct):
    finish_reason: FinishReason
    message: AnswerMessage
    index: int = 0


class _InputDetails(msgspec.Struct):
    cached_tokens: int
    audio_tokens: int


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int
    audio_tokens: int


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _InputDetails
    completion_tokens_details: _OutputDetails
    cache_creation_input_tokens: int
    cache_read_input_tokens: int


class _Completion(msgspec.Struct):
    id: str
    created: int
    model: str
    choices: list[_Choice]
    usage: _Usage
    object: str = "chat.completion"


def _usage(usage: Usage) -> _Usage:
    return _Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=_InputDetails(usage.cache_read_tokens, usage.input_audio_tokens),
        completion_tokens_details=_OutputDetails(usage.reasoning_tokens, usage.output_audio_tokens),
        cache_creation_input_tokens=usage.cache_write_tokens,
        cache_read_input_tokens=usage.cache_read_tokens,
    )


def encode_completion(
    *, identifier: str, created: float, model: str, message: AnswerMessage, finish_reason: FinishReason, usage: Usage
) -> bytes:
    """Encode a whole chat completion with one choice. `created` is in seconds since the epoch."""
    choices = [_Choice(finish_reason, message)]
    return _encode(_Completion(identifier, int(created), model, choices, _usage(usage)))


class ChunkWriter:
    """Writes the chunks of one chat completion stream as server-sent events.

    Everything but the delta is the same in each chunk, so it is encoded once; a delta costs one string encoding.
    `created` is in seconds since the epoch.
    """

    def __init__(self, *, identifier: str, created: float, model: str) -> None:
        head = _encode({"id": identifier, "object": "chat.completion.chunk", "created": int(created), "model": model})
        self._head = b"data: " + head[:-1]
        self._open = self._head + b',"choices":[{"index":0,"delta":{'
        self._close = b'},"finish_reason":null}]}\n\n'

    def role(self) -> bytes:
        """Open the message; the first chunk of a stream."""
        return self._open + b'"role":"assistant","content":""' + self._close

    def text(self, text: str) -> bytes:
        """Continue the content."""
        return self._open + b'"content":' + _encode(text) + self._close

    def reasoning(self, text: str) -> bytes:
        """Continue the reasoning."""
        return self._open + b'"reasoning_content":' + _encode(text) + self._close

    def thinking(self, block: Thinking) -> bytes:
        """Give one whole thinking block, with which the client can continue the conversation."""
        return self._open + b'"thinking_blocks":[' + _encode(block) + b"]" + self._close

    def provider_specific(self, fields: dict[str, Any]) -> bytes:
        """Give what OpenAI's format has no place for, such as citations, where LiteLLM puts it."""
        return self._open + b'"provider_specific_fields":' + _encode(fields) + self._close

    def tool_start(self, index: int, call: ToolCall) -> bytes:
        """Begin the tool call number `index`, counted from zero."""
        return self._open + b'"tool_calls":[{"index":%d,' % index + _encode(call)[1:] + b"]" + self._close

    def tool_arguments(self, index: int, fragment: str) -> bytes:
        """Continue the arguments of the tool call number `index`."""
        call = b'"tool_calls":[{"index":%d,"function":{"arguments":' % index
        return self._open + call + _encode(fragment) + b"}}]" + self._close

    def finish(self, reason: FinishReason) -> bytes:
        """End the message."""
        return self._open + b'},"finish_reason":' + _encode(reason) + b"}]}\n\n"

    def usage(self, usage: Usage) -> bytes:
        """Report the usage in a chunk without choices, as OpenAI does when the client asked for it."""
        return self._head + b',"choices":[],"usage":' + _encode(_usage(usage)) + b"}\n\n"
