import json
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import Category
from headgate.core.usage import Usage
from headgate.providers._openai_stream import ChunkRelay, OpaqueRelay, TypedRelay
from headgate.providers._relay import EventRelay

DONE = b"data: [DONE]\n\n"


def _event(value: object, *, name: str = "", compact: bool = True) -> bytes:
    text = json.dumps(value, separators=(",", ":") if compact else (", ", ": "))
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def _chunk(content: str = "", *, finish: str | None = None, compact: bool = True, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": content} if content else {}, "logprobs": None, "finish_reason": finish}
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return _event({**value, **more}, compact=compact)


def _usage_chunk(usage: object, *, compact: bool = True) -> bytes:
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    return _event({**value, "usage": usage}, compact=compact)


# OpenAI with include_usage: a null usage and padding in every chunk, then a chunk of nothing but usage.
OPENAI = (
    _chunk("Hel", usage=None, obfuscation="a8Fk")
    + _chunk("lo", usage=None, obfuscation="x")
    + _chunk(finish="stop", usage=None)
)
OPENAI_USAGE = _usage_chunk(
    {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 2, "accepted_prediction_tokens": 0},
    }
)
OPENAI_COUNTS = Usage(19, 10, cache_read_tokens=8, reasoning_tokens=4, input_audio_tokens=1, output_audio_tokens=2)

# Azure begins with a chunk without choices that is no usage chunk, and ends with one about the output.
AZURE_FILTER = _event(
    {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
        ],
        "usage": None,
    }
)

# vLLM with continuous_usage_stats: usage in every chunk, growing.
VLLM = b"".join(
    _chunk(text, usage={"prompt_tokens": 16, "total_tokens": 16 + count, "completion_tokens": count})
    for count, text in enumerate(["", "!", " glare"])
) + _chunk(finish="length", usage={"prompt_tokens": 16, "total_tokens": 19, "completion_tokens": 3})

# Groq and Mistral report in the chunk that finishes; llama.cpp writes blanks into its JSON.
GROQ = _chunk("Hi", x_groq={"id": "req_1"}) + _chunk(
    finish="stop",
    x_groq={"id": "req_1", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    usage={"queue_time": 0.018, "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "total_time": 0.1},
)
LLAMA = _chunk("Hi", compact=False) + _chunk(finish="stop", compact=False)
LLAMA_USAGE = _usage_chunk({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, compact=False)


class Result(NamedTuple):
    output: bytes
    usage: Usage | None
    complete: bool
    failure: tuple[Category, int, str] | None
    characters: int


def _run(relay: EventRelay, pieces: Iterable[bytes]) -> Result:
    output = b"".join([relay.feed(piece) for piece in pieces]) + relay.finish()
    error = relay.failure
    failure = None if error is None else (error.category, error.status, error.message)
    return Result(output, relay.usage, relay.complete, failure, relay.output_characters)


def _chunks(stream: bytes, *, include_usage: bool = False) -> Result:
    return _run(ChunkRelay((), include_usage=include_usage), [stream])


def test_a_stream_passes_unchanged_but_for_the_usage_that_the_client_did_not_ask_for() -> None:
    result = _chunks(OPENAI + OPENAI_USAGE + DONE)
    assert result.output == OPENAI + DONE
    assert (result.usage, result.complete, result.failure) == (OPENAI_COUNTS, True, None)


def test_the_usage_chunk_stays_when_the_client_asked_for_it() -> None:
    stream = OPENAI + OPENAI_USAGE + DONE
    assert _chunks(stream, include_usage=True).output == stream


def test_a_chunk_of_filter_results_is_no_usage_chunk() -> None:
    result = _chunks(AZURE_FILTER + OPENAI + OPENAI_USAGE + DONE)
    assert result.output == AZURE_FILTER + OPENAI + DONE
    assert result.usage == OPENAI_COUNTS


def test_usage_beside_choices_is_read_and_passed() -> None:
    assert _chunks(VLLM + DONE)[:3] == (VLLM + DONE, Usage(16, 3), True)
    assert _chunks(GROQ + DONE)[:3] == (GROQ + DONE, Usage(5, 2), True)


def test_blanks_in_the_json_change_nothing() -> None:
    assert _chunks(LLAMA + LLAMA_USAGE + DONE)[:3] == (LLAMA + DONE, Usage(5, 2), True)


def test_what_a_model_writes_is_never_taken_for_usage_or_an_error() -> None:
    texts = [
        '{"usage":{"prompt_tokens":1}}',
        '"error":{"message":"no"}',
        "data: [DONE]",
        "[DONE]",
        "\n\ndata: [DONE]\n\n",
    ]
    stream = b"".join(_chunk(text) for text in texts)
    arguments = json.dumps({"usage": {"prompt_tokens": 9}, "error": {"message": "x"}})
    call = {"index": 0, "function": {"name": "report", "arguments": arguments}}
    stream += _event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})
    # Members of these names that are not the chunk's own.
    nested = {"usage": {"prompt_tokens": 7, "completion_tokens": 7}, "error": {"message": "nested"}}
    stream += (
        _chunk("x", provider=nested) + _chunk("error", extra=["usage", "error"]) + _chunk(finish="stop", error=None)
    )
    result = _chunks(stream + DONE)
    assert result == Result(stream + DONE, None, True, None, result.characters)


@pytest.mark.parametrize(
    "usage", [{}, {"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": "many"}, {"prompt_tokens": 1e300}]
)
def test_counts_that_can_not_be_true_are_no_usage(usage: object) -> None:
    result = _chunks(OPENAI + _usage_chunk(usage) + DONE)
    assert (result.usage, result.complete) == (None, True)


@pytest.mark.parametrize(
    ("error", "category", "status", "message"),
    [
        ({"message": "boom", "type": "server_error", "code": None}, Category.INTERNAL, 500, "boom"),
        (
            {"object": "error", "message": "maximum context length is 10", "type": "BadRequestError", "code": 400},
            Category.CONTEXT_WINDOW,
            400,
            "maximum context length is 10",
        ),
        ({"code": 502, "message": "Provider disconnected"}, Category.INTERNAL, 502, "Provider disconnected"),
        ({"code": "rate_limit_exceeded", "message": "slow down"}, Category.RATE_LIMIT, 429, "slow down"),
        ("overloaded", Category.INTERNAL, 500, "overloaded"),
        (
            {"code": 401, "message": "bad key sk-12345678"},
            Category.AUTHENTICATION,
            401,
            "The upstream provider rejected the gateway's credentials.",
        ),
    ],
)
def test_an_error_inside_a_stream_ends_it_and_is_not_passed_on(
    error: object, category: Category, status: int, message: str
) -> None:
    result = _chunks(_chunk("Hi") + _event({"error": error}) + _chunk("late") + DONE)
    assert result == Result(_chunk("Hi"), None, False, (category, status, message), 2)


def test_an_error_beside_choices_and_in_a_named_event_counts_too() -> None:
    beside = _chunk(finish="error", error={"code": 429, "message": "busy"})
    assert _chunks(beside).failure == (Category.RATE_LIMIT, 429, "busy")
    named = _event({"error": {"message": "broken"}}, name="error")
    assert _chunks(_chunk("Hi") + named).failure == (Category.INTERNAL, 500, "broken")


def test_keys_never_show_in_an_error_of_the_stream() -> None:
    relay = ChunkRelay((), include_usage=False, secrets=("hunter2hunter2",))
    relay.feed(_event({"error": {"message": "key hunter2hunter2 and sk-other and Bearer abc.def.ghi"}}))
    assert relay.failure is not None
    assert relay.failure.message == "key [redacted] and [redacted] and [redacted]"


def test_an_end_before_the_answer_was_complete_is_a_truncation() -> None:
    result = _chunks(_chunk("Hel") + _chunk("lo"))
    assert result.output == _chunk("Hel") + _chunk("lo")
    assert result.failure is not None
    assert result.failure[:2] == (Category.CONNECTION, 502)
    assert not result.complete


def test_an_end_without_the_mark_after_a_finish_reason_is_complete_and_gets_the_mark() -> None:
    assert _chunks(OPENAI + OPENAI_USAGE)[:4] == (OPENAI + DONE, OPENAI_COUNTS, True, None)


@pytest.mark.parametrize("ending", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n"])
def test_the_last_event_may_lack_its_blank_line(ending: bytes) -> None:
    result = _chunks(OPENAI + ending)
    assert (result.complete, result.failure) == (True, None)
    assert result.output.endswith(b"[DONE]\n\n")


def test_an_event_cut_by_the_end_is_dropped() -> None:
    assert _chunks(_chunk("Hel") + _chunk("lo")[:-20]).output == _chunk("Hel")


def test_nothing_follows_the_end_mark() -> None:
    assert _chunks(OPENAI + DONE + _chunk("more") + DONE).output == OPENAI + DONE


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_other_line_ends_come_out_as_line_feeds(line_end: bytes) -> None:
    stream = OPENAI + OPENAI_USAGE + DONE
    assert _chunks(stream.replace(b"\n", line_end))[:3] == (OPENAI + DONE, OPENAI_COUNTS, True)


def test_comments_blank_lines_and_a_byte_order_mark_do_no_harm() -> None:
    stream = (
        b'\xef\xbb\xbf: OPENROUTER PROCESSING "error" "usage":{\n\n\n'
        + OPENAI
        + b"\n"
        + OPENAI_USAGE
        + b": bye\n\n"
        + DONE
    )
    kept = stream.removeprefix(b"\xef\xbb\xbf").replace(OPENAI_USAGE, b"")
    assert _chunks(stream)[:4] == (kept, OPENAI_COUNTS, True, None)


@pytest.mark.parametrize(
    "body",
    [b"<html>Bad gateway</html>", b"oops\n\n", b'{"id":"chatcmpl-1","choices":[]}', b'{"a":1}\n\n', b"\x00\xff" * 9],
)
def test_a_body_that_is_no_event_stream_is_a_protocol_error(body: bytes) -> None:
    result = _chunks(body)
    assert result.output == b""
    assert result.failure is not None
    assert result.failure[:2] == (Category.PROTOCOL, 502)


def test_an_error_written_as_plain_json_keeps_its_words() -> None:
    body = b'{"error":{"message":"no such adapter","code":404}}'
    assert _chunks(body).failure == (Category.NOT_FOUND, 404, "no such adapter")
    assert _chunks(body + b"\n\n").failure == (Category.NOT_FOUND, 404, "no such adapter")


def test_an_empty_body_is_a_truncation() -> None:
    assert _run(ChunkRelay((), include_usage=False), []).failure == (
        Category.CONNECTION,
        502,
        "The upstream provider's stream ended before the answer was complete.",
    )


def test_an_event_of_interest_that_is_no_json_is_a_protocol_error() -> None:
    result = _chunks(_chunk("Hi") + b'data: {"error": nonsense\n\n')
    assert result.output == _chunk("Hi")
    assert result.failure is not None
    assert result.failure[0] is Category.PROTOCOL


@pytest.mark.parametrize("kind", [b"application/json", b"Application/Problem+JSON; charset=utf-8", b"text/html"])
def test_a_content_type_that_can_hold_no_events_fails_before_anything_is_sent(kind: bytes) -> None:
    relay = ChunkRelay(((b"content-type", kind),), include_usage=False)
    assert relay.failure is not None
    assert relay.failure.category is Category.PROTOCOL
    assert relay.feed(OPENAI) == b""


def test_an_event_that_never_ends_is_a_protocol_error() -> None:
    relay = ChunkRelay((), include_usage=False, limit=1_000)
    fed = 0
    while relay.failure is None:
        fed += len(relay.feed(b"data: " + b"x" * 94) or b"x" * 100)
        assert fed <= 1_200
    assert relay.failure.category is Category.PROTOCOL
    assert relay.feed(DONE) == b""


def test_output_is_counted_wherever_models_write() -> None:
    stream = _chunk("12345") + _chunk("äöü", compact=False)
    stream += _event({"choices": [{"delta": {"reasoning_content": "1234"}}]})
    stream += _event({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": '{"a":'}}]}}]})
    stream += _event({"choices": [{"text": "completion"}]})
    # Escapes count as they are written: \u00e4 is six characters, \" is two.
    assert _chunks(stream).characters == 5 + 18 + 4 + 7 + 10


def test_counting_needs_no_more_memory_than_a_few_events() -> None:
    relay = ChunkRelay((), include_usage=False)
    for _ in range(1_000):
        relay.feed(_chunk("1234567890"))
        assert sum(map(len, relay._uncounted)) <= 10_000
    assert relay.output_characters == 10_000


RESPONSE_EVENTS: list[tuple[str, dict[str, object]]] = [
    ("response.created", {"response": {"id": "resp_1", "status": "in_progress", "error": None, "usage": None}}),
    ("response.output_text.delta", {"item_id": "msg_1", "delta": "Hello"}),
    ("response.output_text.delta", {"item_id": "msg_1", "delta": " response.completed"}),
    ("response.output_text.done", {"item_id": "msg_1", "text": "Hello response.completed"}),
]
RESPONSES = b"".join(
    _event({"type": kind, "sequence_number": number, **more}, name=kind)
    for number, (kind, more) in enumerate(RESPONSE_EVENTS)
)


def _ending(kind: str, usage: object, **more: object) -> bytes:
    return _event({"type": kind, "response": {"id": "resp_1", "usage": usage, **more}}, name=kind)


RESPONSE_USAGE = {
    "input_tokens": 37,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 11,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 48,
}
RESPONSE_COUNTS = Usage(37, 11, cache_read_tokens=2, reasoning_tokens=5)


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_a_response_stream_is_complete_with_its_last_event(kind: str) -> None:
    stream = RESPONSES + _ending(kind, RESPONSE_USAGE)
    assert _run(TypedRelay(()), [stream])[:4] == (stream, RESPONSE_COUNTS, True, None)


def test_a_failed_response_is_passed_on_as_the_answer() -> None:
    stream = RESPONSES + _ending("response.failed", None, error={"code": "server_error", "message": "no"})
    assert _run(TypedRelay(()), [stream])[:4] == (stream, None, True, None)


def test_a_response_stream_without_its_last_event_is_a_truncation() -> None:
    result = _run(TypedRelay(()), [RESPONSES])
    assert result.output == RESPONSES
    assert result.failure is not None
    assert result.failure[0] is Category.CONNECTION


@pytest.mark.parametrize(
    "error",
    [
        _event({"type": "error", "code": "rate_limit_exceeded", "message": "busy", "param": None}, name="error"),
        _event({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "busy"}}),
        _event({"error": {"code": 429, "message": "busy"}}),
    ],
)
def test_an_error_event_ends_a_response_stream(error: bytes) -> None:
    result = _run(TypedRelay(()), [RESPONSES + error])
    assert result[:4] == (RESPONSES, None, False, (Category.RATE_LIMIT, 429, "busy"))


def test_transcriptions_and_images_end_with_their_own_events() -> None:
    transcript = _event({"type": "transcript.text.delta", "delta": "Hi"}) + _event(
        {
            "type": "transcript.text.done",
            "text": "Hi",
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"audio_tokens": 14},
                "output_tokens": 3,
            },
        }
    )
    assert _run(TypedRelay(()), [transcript])[:3] == (transcript, Usage(14, 3, input_audio_tokens=14), True)
    image = _event({"type": "image_generation.completed", "b64_json": "AAAA", "usage": RESPONSE_USAGE})
    assert _run(TypedRelay(()), [image])[:3] == (image, RESPONSE_COUNTS, True)


def test_opaque_bytes_are_whole_when_they_end() -> None:
    relay = OpaqueRelay()
    assert relay.feed(b"\x00\r\n\n\xff") == b"\x00\r\n\n\xff"
    assert not relay.complete
    assert relay.finish() == b""
    assert relay.complete


STREAMS = {
    "openai": OPENAI + OPENAI_USAGE + DONE,
    "azure": AZURE_FILTER + OPENAI + OPENAI_USAGE + DONE,
    "vllm": VLLM + DONE,
    "blanks": LLAMA + LLAMA_USAGE + DONE,
    "carriage returns": (OPENAI + OPENAI_USAGE + DONE).replace(b"\n", b"\r\n"),
    "mixed line ends": (OPENAI + OPENAI_USAGE + DONE).replace(b"\n\n", b"\r\n\n").replace(b"data: ", b"data:"),
    "comments": b"\xef\xbb\xbf: hi\n\n\n\n" + OPENAI + b"\n\n\n" + OPENAI_USAGE + b"\n: x\n" + DONE + b"\n\n",
    "no mark": OPENAI + OPENAI_USAGE,
    "no blank line": OPENAI + b"data: [DONE]",
    "truncated": OPENAI[:-40],
    "error": OPENAI + _event({"error": {"message": "late", "code": 500}}) + DONE,
    "garbage": b"<html>\n\n</html>",
}
TYPED = {
    "responses": RESPONSES + _ending("response.completed", RESPONSE_USAGE),
    "response error": RESPONSES + _event({"type": "error", "message": "no"}, name="error") + RESPONSES,
    "truncated response": RESPONSES[:-5],
}


def _relay(name: str) -> EventRelay:
    return ChunkRelay((), include_usage=False) if name in STREAMS else TypedRelay(())


@pytest.mark.parametrize(("name", "stream"), [*STREAMS.items(), *TYPED.items()])
def test_the_result_does_not_depend_on_where_the_bytes_are_cut(name: str, stream: bytes) -> None:
    whole = _run(_relay(name), [stream])
    for cut in range(len(stream) + 1):
        assert _run(_relay(name), [stream[:cut], b"", stream[cut:]]) == whole
    assert _run(_relay(name), [stream[index : index + 1] for index in range(len(stream))]) == whole


PARTS = st.sampled_from(
    [
        *(b"data: ", b"data:", b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"[DONE]", b"event: error\n", b": x\n\n"),
        *(b'{"usage":{"prompt_tokens":3}}', b'{"error":{"message":"m","code":429}}', b'{"choices":[]}', b'"usage":{'),
        *(
            b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
            b'{"type":"response.completed"}',
            b"\xef",
        ),
        *(
            _chunk("a"),
            _chunk(finish="stop"),
            OPENAI_USAGE,
            DONE,
            b'{"type":"error","message":3}',
            b"\xbb\xbf",
            b"\x00",
        ),
    ]
)


@given(st.lists(PARTS | st.binary(max_size=8), max_size=14), st.data(), st.booleans(), st.booleans())
def test_any_bytes_give_the_same_in_any_pieces_and_never_raise(
    parts: list[bytes], data: st.DataObject, typed: bool, include_usage: bool
) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    def relay() -> EventRelay:
        return TypedRelay(()) if typed else ChunkRelay((), include_usage=include_usage)

    assert _run(relay(), pieces) == _run(relay(), [stream])
