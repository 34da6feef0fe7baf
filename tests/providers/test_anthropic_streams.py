import itertools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from headgate.core.errors import Category
from headgate.core.usage import Usage
from headgate.providers._anthropic_streams import ChatTranslator, MessagesRelay

RECORDED = pathlib.Path(__file__).parents[1] / "contract" / "anthropic"
STREAMS = sorted(path.name for path in RECORDED.glob("stream_*.sse"))
TEXT_USAGE = Usage(input_tokens=40, output_tokens=15, cache_read_tokens=5, cache_write_tokens=10)


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def chat(*, include_usage: bool = True) -> ChatTranslator:
    return ChatTranslator(created=1700000000.5, include_usage=include_usage, secrets=("sk-ant-secret",))


def outcome(translator: ChatTranslator | MessagesRelay, pieces: list[bytes]) -> tuple[object, ...]:
    sent = b"".join(translator.feed(piece) for piece in pieces) + translator.finish()
    failure = translator.failure
    told = None if failure is None else (failure.message, failure.category, failure.status)
    return sent, translator.usage, translator.complete, told, translator.output_characters


def chunks(data: bytes) -> list[dict[str, Any]]:
    found = []
    for event in data.split(b"\n\n")[:-1]:
        assert event.startswith(b"data: ")
        if event != b"data: [DONE]":
            ChatCompletionChunk.model_validate_json(event[6:], strict=True)
            found.append(json.loads(event[6:]))
    return found


def deltas(data: bytes) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(data) if chunk["choices"]]


def test_text_becomes_chunks() -> None:
    translator = chat()
    sent = translator.feed(recorded("stream_text.sse")) + translator.finish()
    assert deltas(sent) == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": ' • "Zürich" 🚀\n'},
        {"content": "!"},
        {},
    ]
    first, *_, finish, usage = chunks(sent)
    assert (first["id"], first["created"]) == ("msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", 1700000000)
    assert first["model"] == "claude-sonnet-4-5-20250929"
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 40
    assert usage["usage"]["cache_read_input_tokens"] == 5
    assert sent.endswith(b"data: [DONE]\n\n")
    assert translator.complete
    assert translator.failure is None
    assert translator.usage == TEXT_USAGE
    assert translator.output_characters == len('Hello • "Zürich" 🚀\n!')


def test_usage_is_only_sent_when_asked_for_but_always_known() -> None:
    translator = chat(include_usage=False)
    sent = translator.feed(recorded("stream_text.sse"))
    assert all(chunk["choices"] for chunk in chunks(sent))
    assert translator.usage == TEXT_USAGE


def test_tool_calls_are_counted_by_themselves_and_their_arguments_streamed() -> None:
    sent = chat().feed(recorded("stream_tools.sse"))
    tools = [delta["tool_calls"][0] for delta in deltas(sent) if "tool_calls" in delta]
    assert tools == [
        {
            "index": 0,
            "id": "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
            "type": "function",
            "function": {"name": "get_weather", "arguments": ""},
        },
        {"index": 0, "function": {"arguments": '{"location":'}},
        {"index": 0, "function": {"arguments": ' "San Francisco, CA"}'}},
        {"index": 1, "id": "toolu_02", "type": "function", "function": {"name": "get_time", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]
    assert chunks(sent)[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_thinking_is_streamed_and_then_given_whole_with_its_signature() -> None:
    translator = chat()
    sent = translator.feed(recorded("stream_thinking.sse"))
    signature = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"
    assert deltas(sent)[1:-1] == [
        {"reasoning_content": "Let me solve this:"},
        {"reasoning_content": " 27 * 453"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Let me solve this: 27 * 453", "signature": signature}]},
        {"thinking_blocks": [{"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}]},
        {"content": "27 * 453 = 12,231"},
    ]
    assert translator.usage == Usage(input_tokens=39, output_tokens=120, reasoning_tokens=80)


def test_what_anthropic_ran_itself_stays_hidden_and_citations_are_kept() -> None:
    translator = chat()
    sent = translator.feed(recorded("stream_web_search.sse"))
    kinds = [next(iter(delta), "finish") for delta in deltas(sent)]
    assert kinds == ["role", "content", "provider_specific_fields", "content", "finish"]
    assert chunks(sent)[-2]["choices"][0]["finish_reason"] == "stop"
    # The input grew while the search ran: message_delta's counts are cumulative and replace the first ones.
    assert translator.usage == Usage(input_tokens=10682, output_tokens=510)


def test_calls_of_the_json_tool_are_content() -> None:
    sent = chat().feed(recorded("stream_json_tool.sse"))
    assert "".join(delta.get("content", "") for delta in deltas(sent)) == '{"city": "Zürich"}'
    assert not any("tool_calls" in delta for delta in deltas(sent))
    assert chunks(sent)[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("make", [chat, MessagesRelay])
def test_an_error_inside_the_stream_is_a_classified_failure(make: Callable[[], ChatTranslator | MessagesRelay]) -> None:
    translator = make()
    sent = translator.feed(recorded("stream_overloaded.sse")) + translator.finish()
    assert b"Hel" in sent
    assert b"error" not in sent
    assert translator.failure is not None
    assert (translator.failure.category, translator.failure.status) == (Category.INTERNAL, 503)
    assert translator.failure.upstream_status == 529
    assert not translator.complete
    assert translator.usage == Usage(input_tokens=25, output_tokens=1)


@pytest.mark.parametrize(
    ("kind", "category", "status"),
    [
        ("rate_limit_error", Category.RATE_LIMIT, 429),
        ("invalid_request_error", Category.BAD_REQUEST, 400),
        ("api_error", Category.INTERNAL, 500),
        ("timeout_error", Category.TIMEOUT, 504),
        ("a_new_kind", Category.INTERNAL, 500),
    ],
)
def test_kinds_of_errors_inside_a_stream(kind: str, category: Category, status: int) -> None:
    for translator in (chat(), MessagesRelay()):
        error = {"type": "error", "error": {"type": kind, "message": "no, sk-ant-secret"}}
        # Some servers that copy the API send no event names.
        translator.feed(b"data: " + json.dumps(error).encode() + b"\n\n")
        assert translator.failure is not None
        assert (translator.failure.category, translator.failure.status) == (category, status)
        assert "sk-ant-secret" not in translator.failure.message


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "stream_overloaded.sse"])
def test_a_native_stream_is_relayed_as_it_came(name: str) -> None:
    relay = MessagesRelay()
    assert relay.feed(recorded(name)) + relay.finish() == recorded(name)
    assert relay.complete
    assert relay.failure is None
    translated = chat()
    translated.feed(recorded(name))
    assert relay.usage == translated.usage


def test_the_output_of_a_native_stream_is_measured() -> None:
    relay = MessagesRelay()
    relay.feed(recorded("stream_tools.sse"))
    assert relay.output_characters == len("Okay, checking.") + len('{"location": "San Francisco, CA"}')
    relay = MessagesRelay()
    relay.feed(recorded("stream_thinking.sse"))
    assert relay.output_characters == len("Let me solve this: 27 * 45327 * 453 = 12,231")


def test_a_native_stream_without_event_names_and_with_other_line_ends_is_understood() -> None:
    lines = [line for line in recorded("stream_text.sse").split(b"\n") if not line.startswith(b"event:")]
    relay = MessagesRelay()
    sent = relay.feed(b"\r\n".join(lines))
    assert sent == b"\n".join(lines)
    assert relay.complete
    assert relay.usage == TEXT_USAGE


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_in_two_at_any_byte_gives_the_same(name: str) -> None:
    data = recorded(name)
    for make in (chat, MessagesRelay):
        whole = outcome(make(), [data])
        for cut in range(len(data)):
            assert outcome(make(), [data[:cut], data[cut:]]) == whole
        assert outcome(make(), [data[i : i + 1] for i in range(len(data))]) == whole


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 4000), max_size=40))
def test_a_stream_cut_anywhere_gives_the_same(name: str, cuts: list[int]) -> None:
    data = recorded(name)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    for make in (chat, MessagesRelay):
        assert outcome(make(), pieces) == outcome(make(), [data])


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_ends_early_fails(name: str) -> None:
    data = recorded(name)
    short = data[: data.rfind(b"event:")]
    for make in (chat, MessagesRelay):
        translator = make()
        translator.feed(short)
        translator.finish()
        assert not translator.complete
        assert translator.failure is not None
        assert (translator.failure.category, translator.failure.status) == (Category.CONNECTION, 502)


@pytest.mark.parametrize(
    "data",
    [
        b"event: message_start\ndata: {\n\n",
        b'event: message_start\ndata: {"type":"message_start","message":{"usage":[]}}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","usage":3}\n\n',
        b"data: \xff\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_what_is_not_anthropics_protocol_fails(data: bytes) -> None:
    for translator in (chat(), MessagesRelay()):
        translator.feed(data)
        assert translator.failure is not None
        assert (translator.failure.category, translator.failure.status) == (Category.PROTOCOL, 502)


def test_events_out_of_order_fail() -> None:
    for event in ('"content_block_start","content_block":{"type":"text"}', '"message_stop"', '"message_start"'):
        translator = chat()
        translator.feed(b'data: {"type":' + event.encode() + b"}\n\n")
        assert translator.failure is not None


def test_unknown_events_blocks_and_deltas_are_skipped() -> None:
    translator = chat()
    start, rest = recorded("stream_text.sse").split(b"\n\n", 1)
    unknown = [
        {"type": "content_block_progress", "percent": 5},
        {"type": "content_block_start", "index": 9, "content_block": {"type": "hologram"}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "hologram_delta", "light": 1}},
        {"type": "content_block_stop", "index": 9},
    ]
    extra = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in unknown)
    sent = translator.feed(start + b"\n\n" + extra + rest)
    plain = chat().feed(recorded("stream_text.sse"))
    assert sent == plain


def test_nothing_is_read_after_the_end() -> None:
    translator = chat()
    sent = translator.feed(recorded("stream_text.sse"))
    assert translator.feed(recorded("stream_text.sse")) == b""
    assert sent.count(b"[DONE]") == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for translator in (chat(), MessagesRelay()):
        translator.feed(data)
        translator.feed(b"data: " + data + b"\n\n")
        translator.finish()
        assert translator.failure is not None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STREAMS), st.integers(0, 4000), st.binary(min_size=1, max_size=8))
def test_a_damaged_stream_never_raises(name: str, position: int, damage: bytes) -> None:
    data = recorded(name)
    position %= len(data)
    for translator in (chat(), MessagesRelay()):
        translator.feed(data[:position] + damage + data[position + len(damage) :])
        translator.finish()
        assert translator.complete or translator.failure is not None


def test_an_endless_event_fails_instead_of_filling_memory() -> None:
    translator = chat()
    block = b"data: " + b"x" * (1024 * 1024)
    for _ in range(20):
        translator.feed(block)
    assert translator.failure is not None
    assert translator.failure.category is Category.PROTOCOL
