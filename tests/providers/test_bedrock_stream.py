import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from headgate.core.errors import Category
from headgate.core.usage import Usage
from headgate.providers._bedrock_stream import ConverseTranslator
from headgate.providers._chat_answers import ChunkWriter
from tests.doubles.event_stream import encode_event, encode_exception, encode_message


def event(kind: str, **value: Any) -> bytes:
    return encode_event(kind, json.dumps({**value, "p": "abc"}).encode())


def delta(index: int, **value: Any) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=index, delta=value)


def tool_start(index: int, identifier: str, name: str, **more: Any) -> bytes:
    return event(
        "contentBlockStart", contentBlockIndex=index, start={"toolUse": {"toolUseId": identifier, "name": name, **more}}
    )


def metadata(**usage: int) -> bytes:
    return event(
        "metadata", usage={"inputTokens": 10, "outputTokens": 4, "totalTokens": 14, **usage}, metrics={"latencyMs": 1}
    )


START = event("messageStart", role="assistant")


def stop(reason: str = "end_turn") -> bytes:
    return event("messageStop", stopReason=reason)


THINKING = [
    START,
    delta(0, reasoningContent={"text": "let me "}),
    delta(0, reasoningContent={"text": "see ä"}),
    delta(0, reasoningContent={"signature": "c2ln"}),
    event("contentBlockStop", contentBlockIndex=0),
    delta(1, text="Look"),
    delta(1, text="ing"),
    event("contentBlockStop", contentBlockIndex=1),
    tool_start(2, "tooluse_1", "weather"),
    delta(2, toolUse={"input": '{"city":'}),
    delta(2, toolUse={"input": '"Bern"}'}),
    event("contentBlockStop", contentBlockIndex=2),
    tool_start(3, "tooluse_2", "time"),
    delta(3, toolUse={"input": ""}),
    event("contentBlockStop", contentBlockIndex=3),
    stop("tool_use"),
    metadata(cacheReadInputTokens=5, cacheWriteInputTokens=2),
]


def translator(*, include_usage: bool = True, json_tool: bool = False) -> ConverseTranslator:
    writer = ChunkWriter(identifier="chatcmpl-1", created=1_700_000_000, model="m")
    return ConverseTranslator(writer, include_usage=include_usage, json_tool=json_tool)


def run(frames: list[bytes], target: ConverseTranslator) -> list[Any]:
    sent = b"".join(target.feed(frame) for frame in frames) + target.finish()
    lines = [line.removeprefix(b"data: ") for line in sent.split(b"\n\n") if line]
    assert target.failure is not None or lines.pop() == b"[DONE]"
    return [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]


def content(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_thinking_text_and_parallel_tools() -> None:
    target = translator()
    chunks = run(THINKING, target)
    assert target.complete
    assert target.usage == Usage(17, 4, 5, 2)
    assert target.output_characters == len("let me see äLooking") + len('weather{"city":"Bern"}time')
    assert content(chunks) == "Looking"
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert "".join(getattr(each, "reasoning_content", "") for each in deltas) == "let me see ä"
    blocks = [block for each in deltas for block in getattr(each, "thinking_blocks", [])]
    assert blocks == [{"type": "thinking", "thinking": "let me see ä", "signature": "c2ln"}]
    calls = [call for each in deltas for call in each.tool_calls or []]
    assert [(call.index, call.id, call.function.name) for call in calls if call.id] == [
        (0, "tooluse_1", "weather"),
        (1, "tooluse_2", "time"),
    ]
    assert "".join(call.function.arguments for call in calls if call.index == 0) == '{"city":"Bern"}'
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"
    assert chunks[-1].usage.total_tokens == 21
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 5


@given(st.lists(st.integers(0, len(b"".join(THINKING))), max_size=12))
def test_any_cut_gives_the_same(cuts: list[int]) -> None:
    stream = b"".join(THINKING)
    expected = translator()
    whole = expected.feed(stream) + expected.finish()
    target = translator()
    edges = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert b"".join(map(target.feed, pieces)) + target.finish() == whole
    assert target.usage == expected.usage


def test_every_byte_by_itself_and_every_truncation() -> None:
    stream = b"".join(THINKING)
    target = translator()
    for position in range(len(stream)):
        assert not target.complete
        cut = translator()
        cut.feed(stream[:position])
        cut.finish()
        # From the end of messageStop on, only the usage is missing.
        assert cut.complete == (position == len(stream) - len(THINKING[-1]))
        assert (cut.failure is None) == cut.complete
        target.feed(stream[position : position + 1])
    assert target.complete


def test_usage_is_shown_only_when_asked() -> None:
    target = translator(include_usage=False)
    chunks = run([START, delta(0, text="a"), stop(), metadata()], target)
    assert all(chunk.usage is None for chunk in chunks)
    assert target.usage == Usage(10, 4)


def test_a_clean_end_without_metadata_is_complete() -> None:
    target = translator()
    assert content(run([START, delta(0, text="a"), stop()], target)) == "a"
    assert target.complete
    assert target.usage is None


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("a_reason_of_tomorrow", "stop"),
    ],
)
def test_stop_reasons(reason: str, finish: str) -> None:
    chunks = run([START, delta(0, text="a"), stop(reason), metadata()], translator(include_usage=False))
    assert chunks[-1].choices[0].finish_reason == finish


@pytest.mark.parametrize(
    ("kind", "body", "category"),
    [
        ("throttlingException", {"message": "slow down"}, Category.RATE_LIMIT),
        ("modelStreamErrorException", {"message": "broke", "originalStatusCode": 500}, Category.INTERNAL),
        ("modelStreamErrorException", {"originalStatusCode": 429, "originalMessage": "busy"}, Category.RATE_LIMIT),
        ("validationException", {"message": "Input is too long for requested model."}, Category.CONTEXT_WINDOW),
        ("internalServerException", {}, Category.INTERNAL),
        ("serviceUnavailableException", {"message": "away"}, Category.INTERNAL),
        ("modelTimeoutException", {"message": "late"}, Category.TIMEOUT),
        ("exceptionOfTomorrow", {"message": "?"}, Category.INTERNAL),
    ],
)
def test_exceptions_inside_a_stream(kind: str, body: Any, category: Category) -> None:
    target = translator()
    chunks = run([START, delta(0, text="a"), encode_exception(kind, json.dumps(body).encode())], target)
    assert content(chunks) == "a"
    assert not target.complete
    assert target.failure is not None
    assert target.failure.category is category


def test_an_error_message_inside_a_stream() -> None:
    target = translator()
    target.feed(encode_message({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "no"}))
    assert target.failure is not None
    assert (target.failure.category, target.failure.message) == (Category.INTERNAL, "no")


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00" * 20,
        event("messageStop"),
        encode_event("contentBlockDelta", b"\xff"),
        encode_event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"\\ud800"}}'),
        encode_message({":event-type": "messageStop"}, b"{}"),
        encode_event("metadata", b"[" * 100_000),
    ],
)
def test_damage_is_a_failure_after_what_was_good(damage: bytes) -> None:
    target = translator()
    sent = target.feed(START + delta(0, text="good") + damage)
    assert b"good" in sent
    assert target.failure is not None
    assert target.failure.category is Category.PROTOCOL
    assert target.finish() == b""


def test_what_is_unknown_or_not_for_the_client_is_skipped() -> None:
    frames = [
        START,
        event("eventOfTomorrow", a=1),
        event("contentBlockStart", contentBlockIndex=0, start={"image": {"format": "png"}}),
        tool_start(0, "srv_1", "search", type="server_tool_use"),
        delta(0, toolUse={"input": '{"q":1}'}),
        delta(1, somethingOfTomorrow={}),
        delta(1, text=""),
        delta(1, text="a"),
        stop(),
        metadata(),
        delta(1, text="after the end"),
    ]
    chunks = run(frames, translator(include_usage=False))
    assert content(chunks) == "a"
    assert all(not chunk.choices[0].delta.tool_calls for chunk in chunks)


def test_citations_traces_and_redacted_reasoning_are_passed() -> None:
    frames = [
        START,
        delta(0, reasoningContent={"redactedContent": "AAAA"}),
        delta(1, text="a"),
        delta(1, citation={"title": "t"}),
        event("messageStop", stopReason="end_turn", additionalModelResponseFields={"x": 1}),
        event("metadata", usage={"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, trace={"guardrail": {}}),
    ]
    deltas = [chunk.choices[0].delta for chunk in run(frames, translator(include_usage=False))]
    extra = [each.provider_specific_fields for each in deltas if getattr(each, "provider_specific_fields", None)]
    assert extra == [
        {"citation": {"title": "t"}},
        {"additionalModelResponseFields": {"x": 1}},
        {"trace": {"guardrail": {}}},
    ]
    assert deltas[1].thinking_blocks == [{"type": "redacted_thinking", "data": "AAAA"}]


def test_the_json_tool_becomes_content_without_what_was_said_before_it() -> None:
    frames = [
        START,
        delta(0, text="Here you are:"),
        tool_start(1, "t1", "json_tool_call"),
        delta(1, toolUse={"input": '{"a":'}),
        delta(1, toolUse={"input": "1}"}),
        stop("tool_use"),
        metadata(),
    ]
    chunks = run(frames, translator(include_usage=False, json_tool=True))
    assert content(chunks) == '{"a":1}'
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_text_counts_when_the_json_tool_was_not_called() -> None:
    chunks = run([START, delta(0, text="No, "), delta(0, text="sorry"), stop(), metadata()], translator(json_tool=True))
    assert content(chunks) == "No, sorry"


KINDS = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata")
NAMES = ("contentBlockIndex", "delta", "start", "text", "toolUse", "input", "usage", "stopReason", "citation")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), values), max_size=6))
def test_no_event_raises(events: list[tuple[str, Any]]) -> None:
    target = translator()
    for kind, value in events:
        if target.failure is None:
            target.feed(encode_event(kind, json.dumps(value).encode()))
    target.finish()
    assert target.complete == (target.failure is None)
