import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from headgate.core.errors import Category, UpstreamError
from headgate.core.provider import Answer
from headgate.core.usage import Usage
from headgate.providers._bedrock_answer import decode_chat

USAGE = {"inputTokens": 30, "outputTokens": 6, "totalTokens": 36}


def decode(content: list[Any], *, json_tool: bool = False, **members: Any) -> Answer:
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "end_turn",
        "usage": USAGE,
        "metrics": {"latencyMs": 1},
        **members,
    }
    return decode_chat(json.dumps(body).encode(), json_tool=json_tool, identifier="chatcmpl-1", created=1.5, model="m")


def completion(content: list[Any], **options: Any) -> Any:
    return ChatCompletion.model_validate_json(decode(content, **options).body, strict=True)


def test_text() -> None:
    # The example answer of AWS' reference of Converse.
    text = "Here's a simple 'Hello, World!' program in Python:"
    answer = completion([{"text": text}])
    assert (answer.id, answer.model, answer.created) == ("chatcmpl-1", "m", 1)
    assert answer.choices[0].message.content == text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == 36


def test_tool_calls_and_reasoning() -> None:
    answer = completion(
        [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "AAAA"}},
            {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": [1, 2]}}},
            {"toolUse": {"toolUseId": "t2", "name": "look", "input": {}}},
            {"toolUse": {"toolUseId": "t3", "name": "search", "input": {}, "type": "server_tool_use"}},
        ],
        stopReason="tool_use",
    )
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls]
    assert calls == [("t1", "look", {"a": [1, 2]}), ("t2", "look", {})]
    assert choice.message.reasoning_content == "hm"
    assert choice.message.thinking_blocks == [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "AAAA"},
    ]


def test_cached_tokens_are_part_of_the_input() -> None:
    usage = {**USAGE, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}
    assert decode([{"text": "a"}], usage=usage).usage == Usage(150, 6, 100, 20)


def test_the_json_tool_is_the_content() -> None:
    blocks = [{"text": "Here:"}, {"toolUse": {"toolUseId": "t", "name": "json_tool_call", "input": {"a": 1}}}]
    choice = completion(blocks, json_tool=True, stopReason="tool_use").choices[0]
    assert (json.loads(choice.message.content), choice.finish_reason) == ({"a": 1}, "stop")
    assert completion(blocks, stopReason="tool_use").choices[0].message.tool_calls[0].id == "t"


def test_traces_citations_and_response_fields_are_passed() -> None:
    cited = {"citationsContent": {"content": [{"text": "said"}], "citations": [{"title": "t"}]}}
    answer = completion([cited], trace={"guardrail": {"x": 1}}, additionalModelResponseFields={"y": 2})
    message = answer.choices[0].message
    assert message.content == "said"
    assert message.provider_specific_fields == {
        "citations": [{"title": "t"}],
        "trace": {"guardrail": {"x": 1}},
        "additionalModelResponseFields": {"y": 2},
    }


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_tokens", "length"), ("guardrail_intervened", "content_filter"), ("new", "stop")]
)
def test_stop_reasons(reason: str, finish: str) -> None:
    assert completion([], stopReason=reason).choices[0].finish_reason == finish


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b"\xff", b"[" * 100_000, b'{"output":{},"stopReason":1}']
)
def test_anything_else_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        decode_chat(body, json_tool=False, identifier="i", created=0, model="m")
    assert caught.value.category is Category.PROTOCOL
