"""Converse's answers as OpenAI chat completions.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax
"""

from typing import Any

import msgspec

from headgate.core.provider import Answer
from headgate.core.usage import Usage
from headgate.providers._bedrock_tools import JSON_TOOL
from headgate.providers._chat import FunctionCall, RedactedThinkingBlock, Thinking, ThinkingBlock, ToolCall
from headgate.providers._chat_answers import AnswerMessage, FinishReason, encode_completion
from headgate.providers._errors import protocol_error

# A reason that is not here yet is an end like any other.
_FINISH_REASONS: dict[str, FinishReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
}


class TokenUsage(msgspec.Struct, rename="camel"):
    """Converse's usage; its input tokens do not include those read from or written to the cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None

    def counted(self) -> Usage:
        """Count as OpenAI does: the input includes the cached tokens."""
        read, written = max(self.cache_read_input_tokens or 0, 0), max(self.cache_write_input_tokens or 0, 0)
        return Usage(max(self.input_tokens, 0) + read + written, max(self.output_tokens, 0), read, written)


class _ToolUse(msgspec.Struct):
    id: str = msgspec.field(name="toolUseId")
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")
    type: str | None = None


class _ReasoningText(msgspec.Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _CitedText(msgspec.Struct):
    text: str = ""


class _Cited(msgspec.Struct):
    content: list[_CitedText] = []
    citations: list[msgspec.Raw] = []


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Answer(msgspec.Struct, rename="camel"):
    output: _Output
    stop_reason: str
    usage: TokenUsage
    trace: msgspec.Raw = msgspec.Raw()
    additional_model_response_fields: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(_Answer)


def finish_reason(stop_reason: str, *, tool_calls: bool) -> FinishReason:
    """Return OpenAI's word for a stop reason; `tool_calls` says whether the answer holds calls for the client."""
    return _FINISH_REASONS.get(stop_reason) or ("tool_calls" if tool_calls else "stop")


def decode_chat(body: bytes, *, json_tool: bool, identifier: str, created: float, model: str) -> Answer:
    """Translate a whole answer. Raises `UpstreamError` (PROTOCOL) when it is not one of Converse's.

    With `json_tool` a call of `JSON_TOOL` is the content. `created` is in seconds since the epoch.
    """
    try:
        answer = _decoder.decode(body)
        message, called = _translate(answer, json_tool=json_tool)
        usage = answer.usage.counted()
        encoded = encode_completion(
            identifier=identifier,
            created=created,
            model=model,
            message=message,
            finish_reason=finish_reason(answer.stop_reason, tool_calls=called),
            usage=usage,
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise protocol_error("The upstream provider's answer is not one of Bedrock's Converse API.") from None
    return Answer(encoded, usage)


def _translate(answer: _Answer, *, json_tool: bool) -> tuple[AnswerMessage, bool]:
    """Return the message, and whether it holds tool calls for the client."""
    texts: list[str] = []
    thinking: list[Thinking] = []
    calls: list[ToolCall] = []
    extra: dict[str, Any] = {}
    for block in answer.output.message.content if answer.output.message else ():
        if block.text is not None:
            texts.append(block.text)
        if block.reasoning_content is not None:
            thinking.append(_thinking(block.reasoning_content))
        if block.citations_content is not None:
            texts += [piece.text for piece in block.citations_content.content]
            extra.setdefault("citations", []).extend(block.citations_content.citations)
        # What the provider's own servers called is no business of the client's.
        if block.tool_use is not None and block.tool_use.type != "server_tool_use":
            arguments = bytes(block.tool_use.input).decode()
            if json_tool and block.tool_use.name == JSON_TOOL:
                texts[:] = [arguments]
            else:
                calls.append(ToolCall(block.tool_use.id, FunctionCall(block.tool_use.name, arguments)))
    added = {"trace": answer.trace, "additionalModelResponseFields": answer.additional_model_response_fields}
    extra |= {name: value for name, value in added.items() if bytes(value) not in (b"", b"null")}
    message = AnswerMessage(content="".join(texts) if texts else None if calls else "")
    if calls:
        message.tool_calls = calls
    if thinking:
        message.thinking_blocks = thinking
        message.reasoning_content = "".join(part.thinking for part in thinking if isinstance(part, ThinkingBlock))
    if extra:
        message.provider_specific_fields = extra
    return message, bool(calls)


def _thinking(reasoning: _Reasoning) -> Thinking:
    if reasoning.redacted_content is not None:
        return RedactedThinkingBlock(reasoning.redacted_content)
    said = reasoning.reasoning_text or _ReasoningText()
    return ThinkingBlock(said.text, said.signature or "")
