import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import Category, ConfigurationError, InvalidRequestError, UpstreamError
from headgate.core.json import decode_object
from headgate.core.provider import Call, Operation, Origin
from headgate.core.usage import Usage
from headgate.providers import create
from headgate.providers._openai_stream import ChunkRelay, OpaqueRelay, TypedRelay

BODY = b'{ "model" : "group","messages":[ {"role":"user","content":"h\\u00e9"} ],"temperature":1.0e0}'
JSON = ((b"content-type", b"application/json"),)


def _provider(model: str = "openai/gpt-4o", **parameters: Any) -> Any:
    return create(model, {"api_key": "sk-upstream-1", **parameters}, {})


def _call(operation: Operation = Operation.CHAT, body: bytes = BODY, **more: Any) -> Call:
    return Call(operation, "group", decode_object(body), body, **more)


def test_only_the_model_name_changes() -> None:
    request = _provider().encode(_call())
    assert request.body == (
        b'{"model":"gpt-4o","messages":[ {"role":"user","content":"h\\u00e9"} ],"temperature":1.0e0}'
    )
    assert request.origin == Origin("https", "api.openai.com", 443)
    assert (request.method, request.target) == (b"POST", b"/v1/chat/completions")
    assert request.headers == (
        b"User-Agent: headgate\r\nAuthorization: Bearer sk-upstream-1\r\nContent-Type: application/json\r\n"
    )


def test_encoding_leaves_the_call_as_it_was() -> None:
    call = _call(stream=True)
    before = {name: bytes(value) for name, value in call.members.items()}
    provider = _provider(temperature=0, top_p=0.5, additional_drop_params=["temperature"])
    assert provider.encode(call).body == provider.encode(call).body
    assert {name: bytes(value) for name, value in call.members.items()} == before


@pytest.mark.parametrize(
    ("operation", "target"),
    [
        (Operation.CHAT, b"/v1/chat/completions"),
        (Operation.COMPLETION, b"/v1/completions"),
        (Operation.EMBEDDING, b"/v1/embeddings"),
        (Operation.RESPONSES, b"/v1/responses"),
        (Operation.IMAGE_GENERATION, b"/v1/images/generations"),
        (Operation.SPEECH, b"/v1/audio/speech"),
        (Operation.MODERATION, b"/v1/moderations"),
        (Operation.RERANK, b"/v1/rerank"),
    ],
)
def test_each_operation_has_its_path(operation: Operation, target: bytes) -> None:
    provider = _provider(api_base="http://127.0.0.1:8000/v1/")
    assert provider.supports(operation)
    request = provider.encode(_call(operation))
    assert (request.target, request.origin) == (target, Origin("http", "127.0.0.1", 8000))


def test_what_is_anthropic_s_is_not_spoken() -> None:
    assert not _provider().supports(Operation.MESSAGES)
    assert not _provider().supports(Operation.COUNT_TOKENS)
    assert _provider().attachments(_call()) == ()


def test_a_query_of_the_base_url_stays_with_every_request() -> None:
    assert _provider(api_base="https://h/v1?tenant=a").encode(_call()).target == b"/v1/chat/completions?tenant=a"


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.COMPLETION])
@pytest.mark.parametrize(
    ("sent", "options"),
    [
        (b"", {"include_usage": True}),
        (b',"stream_options":null', {"include_usage": True}),
        (b',"stream_options":{"include_usage":false}', {"include_usage": True}),
        (
            b',"stream_options":{"continuous_usage_stats":true}',
            {"continuous_usage_stats": True, "include_usage": True},
        ),
    ],
)
def test_a_stream_is_always_asked_for_its_usage(operation: Operation, sent: bytes, options: object) -> None:
    call = _call(operation, b'{"model":"group","stream":true' + sent + b"}", stream=True)
    assert json.loads(_provider().encode(call).body) == {"model": "gpt-4o", "stream": True, "stream_options": options}


def test_usage_is_not_asked_for_where_nothing_streams_or_it_comes_anyway() -> None:
    assert b"stream_options" not in _provider().encode(_call()).body
    assert b"stream_options" not in _provider().encode(_call(Operation.RESPONSES, stream=True)).body
    body = b'{"model":"group","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":5}'
    request = _provider("mistral/mistral-small").encode(_call(body=body, stream=True))
    assert request.body == b'{"model":"mistral-small","stream":true,"max_tokens":5}'


def test_defaults_and_headers_of_the_deployment_are_applied() -> None:
    provider = _provider(
        organization="org-1", extra_headers={"X-Team": "a", "authorization": "Basic eA=="}, max_tokens=7, rpm=3
    )
    request = provider.encode(_call(body=b'{"model":"group"}'))
    assert request.body == b'{"model":"gpt-4o","max_tokens":7}'
    assert request.headers == (
        b"User-Agent: headgate\r\nauthorization: Basic eA==\r\nOpenAI-Organization: org-1\r\nX-Team: a\r\n"
        b"Content-Type: application/json\r\n"
    )


def test_no_header_without_a_key() -> None:
    request = create("ollama/llama3", {}, {}).encode(_call())
    assert b"Authorization" not in request.headers
    assert request.target == b"/v1/chat/completions"


@pytest.mark.parametrize("parameters", [{"extra_headers": {"Host": "x"}}, {"api_base": "x"}, {"api_key": "a\nb"}])
def test_bad_settings_are_refused_when_the_deployment_is_made(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        _provider(**parameters)


def test_a_wildcard_takes_the_name_that_the_client_asked_for() -> None:
    request = _provider("openai/ft:*").encode(_call(wildcard='gpt-4o:"x"/é'))
    assert json.loads(request.body)["model"] == 'ft:gpt-4o:"x"/é'
    assert request.target == b"/v1/chat/completions"
    with pytest.raises(InvalidRequestError) as caught:
        _provider("openai/*").encode(_call())
    assert caught.value.param == "model"


def test_fireworks_names_are_completed() -> None:
    assert _provider("fireworks_ai/qwen3").model == "accounts/fireworks/models/qwen3"
    assert _provider("fireworks_ai/accounts/me/models/x").model == "accounts/me/models/x"


def test_the_model_of_a_form_is_replaced_and_the_file_untouched() -> None:
    file = b"RIFF\x00\xff\r\n--not the boundary\r\n"
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        + file
        + b'\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\ngroup\r\n--b--\r\n'
    )
    kind = b"multipart/form-data; boundary=b"
    call = Call(Operation.TRANSCRIPTION, "group", {}, form, content_type=kind)
    request = _provider("openai/whisper-1").encode(call)
    assert request.target == b"/v1/audio/transcriptions"
    assert request.body == form.replace(b"\r\n\r\ngroup\r\n", b"\r\n\r\nwhisper-1\r\n")
    assert b"Authorization: Bearer sk-upstream-1\r\n" in request.headers
    assert request.headers.endswith(b'\r\nContent-Type: multipart/form-data; boundary="b"\r\n')


CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hé"}, "finish_reason": "stop"}],
}


def _usage(value: object, operation: Operation = Operation.CHAT, **more: object) -> Usage | None:
    answer: Usage | None
    body = json.dumps({**CHAT, "usage": value, **more}).encode()
    answer = _provider().decode(_call(operation), JSON, body).usage
    return answer


def test_an_answer_passes_byte_for_byte() -> None:
    body = json.dumps(CHAT, indent=1, ensure_ascii=False).encode()
    answer = _provider().decode(_call(), JSON, body)
    assert (answer.body, answer.usage, answer.content_type) == (body, None, b"application/json")


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}, Usage(9, 12)),
        (
            {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 3},
            },
            Usage(2006, 300, cache_read_tokens=1920, reasoning_tokens=128, output_audio_tokens=3),
        ),
        # DeepSeek
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
            Usage(10, 2, cache_read_tokens=8),
        ),
        # OpenRouter
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 2,
                "cost": 0.1,
                "prompt_tokens_details": {"cache_write_tokens": 4},
            },
            Usage(10, 2, cache_write_tokens=4),
        ),
        # xAI counts reasoning beside the completion.
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, 103, reasoning_tokens=94),
        ),
        # Embeddings, and rerankers in the shape of Jina and vLLM
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0)),
        ({"total_tokens": 56}, Usage(56, 0)),
        ({"prompt_tokens": 8, "prompt_tokens_details": None, "completion_tokens": None}, Usage(8, 0)),
        # More cached than sent can not be: it would make the price negative.
        ({"prompt_tokens": 8, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 90}}, Usage(8, 1, 8)),
        ({"type": "duration", "seconds": 9}, None),
        ({}, None),
        (None, None),
        ("many", None),
        ({"prompt_tokens": -5, "completion_tokens": 1}, None),
    ],
)
def test_usage_is_read_in_every_spelling(reported: object, expected: Usage | None) -> None:
    assert _usage(reported) == expected


def test_responses_images_and_cohere_s_rerank_report_in_their_own_way() -> None:
    counts = {"input_tokens": 36, "output_tokens": 87, "output_tokens_details": {"reasoning_tokens": 4}}
    assert _usage({**counts, "input_tokens_details": {"cached_tokens": 5}}, Operation.RESPONSES) == Usage(
        36, 87, cache_read_tokens=5, reasoning_tokens=4
    )
    assert _usage({**counts, "input_tokens_details": {"text_tokens": 36}}, Operation.IMAGE_GENERATION) == Usage(
        36, 87, reasoning_tokens=4
    )
    assert _usage(None, Operation.RERANK, meta={"tokens": {"input_tokens": 12}}) == Usage(12, 0)
    assert _usage(None, Operation.RERANK, meta={"billed_units": {"search_units": 1}}) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"ok", b"<html>", b'{"a":', b'{"a":"\xff"}', b'{"a":' + b"[" * 100_000, b'{"usage":nul}'],
)
def test_an_answer_that_is_no_json_object_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        _provider().decode(_call(), JSON, body)
    assert (caught.value.category, caught.value.status) == (Category.PROTOCOL, 502)


def test_an_error_with_a_status_of_success_is_no_answer() -> None:
    with pytest.raises(UpstreamError) as caught:
        _provider().decode(_call(), JSON, b'{"error":{"message":"no credits on sk-upstream-1","code":402}}')
    assert (caught.value.category, caught.value.status) == (Category.PROTOCOL, 502)
    assert caught.value.message == "no credits on [redacted]"
    assert _provider().decode(_call(), JSON, b'{"error":null,"choices":[]}').usage is None
    failed = b'{"object":"response","status":"failed","error":{"code":"server_error","message":"x"},"usage":null}'
    assert _provider().decode(_call(Operation.RESPONSES), JSON, failed).body == failed


def test_audio_and_plain_transcripts_pass_with_their_own_type() -> None:
    audio = _provider().decode(_call(Operation.SPEECH), ((b"content-type", b"audio/mpeg"),), b"\xff\xf3")
    assert (audio.body, audio.usage, audio.content_type) == (b"\xff\xf3", None, b"audio/mpeg")
    text = _provider().decode(_call(Operation.TRANSCRIPTION), ((b"content-type", b"text/plain; charset=utf-8"),), b"Hi")
    assert text.content_type == b"text/plain; charset=utf-8"
    odd = _provider().decode(_call(Operation.SPEECH), ((b"content-type", b"a/b\r\nx: y"),), b"")
    assert odd.content_type == b"application/octet-stream"
    spoken = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    assert _usage(spoken, Operation.TRANSCRIPTION) == Usage(14, 45)
    with pytest.raises(UpstreamError):
        _provider().decode(_call(Operation.SPEECH), JSON, b"{}")


def test_streams_get_the_relay_of_their_kind() -> None:
    provider, events = _provider(), ((b"content-type", b"text/event-stream"),)
    assert isinstance(provider.translator(_call(), events), ChunkRelay)
    assert isinstance(provider.translator(_call(Operation.RESPONSES), events), TypedRelay)
    assert isinstance(provider.translator(_call(Operation.SPEECH), events), TypedRelay)
    assert isinstance(provider.translator(_call(Operation.SPEECH), ((b"content-type", b"audio/mpeg"),)), OpaqueRelay)


def test_failures_carry_the_upstream_s_words_without_our_key() -> None:
    body = b'{"error":{"message":"Rate limit reached, key upstream-secret","code":"rate_limit_exceeded"}}'
    provider = _provider(api_key="upstream-secret")
    error = provider.failure(429, ((b"retry-after", b"3"),), body)
    assert (error.category, error.status, error.retry_after) == (Category.RATE_LIMIT, 429, 3.0)
    assert error.message == "Rate limit reached, key [redacted]"


@given(st.integers(300, 599), st.binary(max_size=60), st.sampled_from(list(Operation)))
def test_any_bytes_from_upstream_are_an_answer_or_an_upstream_error(
    status: int, noise: bytes, operation: Operation
) -> None:
    provider, call = _provider(), _call(operation)
    for body in (noise, b'{"usage":' + noise + b"}", b'{"error":' + noise + b"}"):
        assert isinstance(provider.failure(status, ((b"retry-after", noise),), body), UpstreamError)
        for headers in (JSON, ((b"content-type", noise),)):
            with contextlib.suppress(UpstreamError):
                assert provider.decode(call, headers, body).body == body
