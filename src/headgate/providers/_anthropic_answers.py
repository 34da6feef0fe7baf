"""Anthropic's answers as typed values, and whole answers as OpenAI chat completions.

The types are flat and tolerant on purpose: Anthropic adds block, delta and event types over time and asks clients to
skip the ones that they do not know (https://platform.claude.com/docs/en/api/versioning).
"""

from collections.abc import Mapping

import msgspec

from headgate.core.usage import Usage
from headgate.providers._anthropic_request import JSON_TOOL
from headgate.providers._chat import FunctionCall, RedactedThinkingBlock, Thinking, ThinkingBlock, ToolCall
from headgate.providers._chat_answers import AnswerMessage, FinishReason, encode_completion

_FINISH_REASONS: Mapping[str | None, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding an upstream's bytes can raise."""


class OutputDetails(msgspec.Struct):
    """What the output tokens went into."""

    thinking_tokens: int | None = None


class ReportedUsage(msgspec.Struct):
    """Usage as reported; the parts of a stream's are cumulative, and absent where they did not change."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None

    def total(self, before: Usage | None = None) -> Usage:
        """Return our counts, with `before` for what is absent. Anthropic's input excludes what the cache held."""
        before = before or Usage()
        written = _count(self.cache_creation_input_tokens, before.cache_write_tokens)
        read = _count(self.cache_read_input_tokens, before.cache_read_tokens)
        uncached = before.input_tokens - before.cache_write_tokens - before.cache_read_tokens
        details = self.output_tokens_details
        return Usage(
            input_tokens=_count(self.input_tokens, uncached) + written + read,
            output_tokens=_count(self.output_tokens, before.output_tokens),
            cache_read_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=_count(details.thinking_tokens if details else None, before.reasoning_tokens),
        )


class Block(msgspec.Struct):
    """A content block of any type."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw()
    citations: list[msgspec.Raw] | None = None


class Answer(msgspec.Struct):
    """A message, whole or as it begins a stream."""

    id: str
    model: str
    usage: ReportedUsage
    content: list[Block] = []
    stop_reason: str | None = None


class Metered(msgspec.Struct):
    """Of an answer, what is read when the rest passes through."""

    usage: ReportedUsage


def finish_reason(stop_reason: str | None, *, calls: bool) -> FinishReason:
    """Return OpenAI's name of a stop reason. `calls` says whether tool calls are part of the translated answer."""
    reason = _FINISH_REASONS.get(stop_reason, "stop")
    return "stop" if reason == "tool_calls" and not calls else reason


def translate_answer(answer: Answer, created: float) -> tuple[bytes, Usage]:
    """Return an answer as a chat completion, with its usage. Raises UnicodeDecodeError for a broken tool input."""
    text: list[str] = []
    thinking: list[Thinking] = []
    calls: list[ToolCall] = []
    citations: list[list[msgspec.Raw]] = []
    for block in answer.content:
        if block.type == "text":
            text.append(block.text)
            if block.citations:
                citations.append(block.citations)
        elif block.type == "tool_use":
            arguments = bytes(block.input).decode() or "{}"
            if block.name == JSON_TOOL:
                text.append(arguments)
            else:
                calls.append(ToolCall(block.id, FunctionCall(block.name, arguments)))
        elif block.type == "thinking":
            thinking.append(ThinkingBlock(block.thinking, block.signature))
        elif block.type == "redacted_thinking":
            thinking.append(RedactedThinkingBlock(block.data))
    message = AnswerMessage(content="".join(text) if text or not calls else None)
    if calls:
        message.tool_calls = calls
    if thinking:
        message.thinking_blocks = thinking
        reasoning = "".join(part.thinking for part in thinking if isinstance(part, ThinkingBlock))
        message.reasoning_content = reasoning or msgspec.UNSET
    if citations:
        message.provider_specific_fields = {"citations": citations}
    usage = answer.usage.total()
    body = encode_completion(
        identifier=answer.id,
        created=created,
        model=answer.model,
        message=message,
        finish_reason=finish_reason(answer.stop_reason, calls=bool(calls)),
        usage=usage,
    )
    return body, usage


def _count(value: int | None, before: int) -> int:
    return before if value is None else max(value, 0)
