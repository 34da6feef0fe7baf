import json
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from headgate.core.usage import Usage
from headgate.providers._chat import FunctionCall, RedactedThinkingBlock, ThinkingBlock, ToolCall
from headgate.providers._chat_answers import DONE, AnswerMessage, ChunkWriter, encode_completion

USAGE = Usage(input_tokens=30, output_tokens=12, cache_read_tokens=10, cache_write_tokens=5, reasoning_tokens=4)
CALL = ToolCall("call_1", FunctionCall("weather", '{"city":"Z\u00fcrich"}'))


def parse(event: bytes) -> dict[str, Any]:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    ChatCompletionChunk.model_validate_json(event[6:], strict=True)
    chunk: dict[str, Any] = json.loads(event[6:])
    return chunk


def test_a_completion_is_what_the_official_client_expects() -> None:
    message = AnswerMessage(content="Hi", tool_calls=[CALL], reasoning_content="Hm")
    body = encode_completion(
        identifier="msg_1", created=17.9, model="m", message=message, finish_reason="tool_calls", usage=USAGE
    )
    parsed = ChatCompletion.model_validate_json(body, strict=True)
    assert (parsed.id, parsed.created, parsed.model) == ("msg_1", 17, "m")
    assert parsed.choices[0].message.tool_calls is not None
    assert json.loads(body)["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 12,
        "total_tokens": 42,
        "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 0},
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 10,
    }


def test_members_that_are_not_set_do_not_appear() -> None:
    body = encode_completion(
        identifier="x", created=0, model="m", message=AnswerMessage(), finish_reason="stop", usage=Usage()
    )
    assert json.loads(body)["choices"][0]["message"] == {"role": "assistant", "content": None}


def test_chunks_are_what_the_official_client_expects() -> None:
    writer = ChunkWriter(identifier='a"b', created=17.9, model="m")
    deltas = [
        (writer.role(), {"role": "assistant", "content": ""}),
        (writer.text('say "hi"\n'), {"content": 'say "hi"\n'}),
        (writer.reasoning("so"), {"reasoning_content": "so"}),
        (
            writer.thinking(ThinkingBlock("so", "sig")),
            {"thinking_blocks": [{"type": "thinking", "thinking": "so", "signature": "sig"}]},
        ),
        (
            writer.thinking(RedactedThinkingBlock("xyz")),
            {"thinking_blocks": [{"type": "redacted_thinking", "data": "xyz"}]},
        ),
        (writer.provider_specific({"citation": 1}), {"provider_specific_fields": {"citation": 1}}),
        (
            writer.tool_start(2, CALL),
            {
                "tool_calls": [
                    {
                        "index": 2,
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Z\u00fcrich"}'},
                    }
                ]
            },
        ),
        (writer.tool_arguments(2, '{"a'), {"tool_calls": [{"index": 2, "function": {"arguments": '{"a'}}]}),
    ]
    for event, delta in deltas:
        chunk = parse(event)
        assert (chunk["id"], chunk["created"], chunk["model"]) == ('a"b', 17, "m")
        assert chunk["choices"] == [{"index": 0, "delta": delta, "finish_reason": None}]


def test_the_last_chunks_carry_finish_reason_and_usage() -> None:
    writer = ChunkWriter(identifier="x", created=0, model="m")
    assert parse(writer.finish("length"))["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    usage = parse(writer.usage(USAGE))
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 42
    assert DONE == b"data: [DONE]\n\n"
