import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequestError
from headgate.core.json import encode
from headgate.core.provider import Operation
from headgate.dialects import Request, decode

MESSAGES = [{"role": "user", "content": "Hi"}]
VALID: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"model": "m", "messages": MESSAGES},
    Operation.COMPLETION: {"model": "m", "prompt": "Once"},
    Operation.EMBEDDING: {"model": "m", "input": ["a", "b"]},
    Operation.RESPONSES: {"model": "m", "input": "Hi"},
    Operation.MESSAGES: {"model": "m", "messages": MESSAGES, "max_tokens": 5},
    Operation.COUNT_TOKENS: {"model": "m", "messages": MESSAGES},
    Operation.IMAGE_GENERATION: {"model": "m", "prompt": "a fox"},
    Operation.SPEECH: {"model": "m", "input": "Hi", "voice": "alloy"},
    Operation.MODERATION: {"model": "m", "input": "Hi"},
    Operation.RERANK: {"model": "m", "query": "q", "documents": ["a"]},
}


def _decode(operation: Operation, value: object, **more: Any) -> Request:
    return decode(operation, json.dumps(value).encode(), **more)


def _refusal(operation: Operation, body: bytes, **more: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        decode(operation, body, **more)
    return caught.value


@pytest.mark.parametrize("operation", list(VALID))
def test_a_valid_request_is_decoded_to_its_members(operation: Operation) -> None:
    call = _decode(operation, VALID[operation]).call
    assert (call.operation, call.model, call.stream, call.include_usage) == (operation, "m", False, False)
    assert json.loads(encode(call.members)) == VALID[operation]
    assert call.content_type == b"application/json"


@pytest.mark.parametrize(
    ("operation", "name"),
    [(operation, name) for operation, value in VALID.items() for name in value if name != "voice"],
)
def test_each_required_member_is_missed_by_name(operation: Operation, name: str) -> None:
    for value in (
        {key: VALID[operation][key] for key in VALID[operation] if key != name},
        {**VALID[operation], name: None},
    ):
        error = _refusal(operation, json.dumps(value).encode())
        assert (error.message, error.param) == (f"Missing required parameter: '{name}'.", name)
        assert error.status == 400


@pytest.mark.parametrize(
    ("operation", "name", "value"),
    [
        (Operation.CHAT, "messages", []),
        (Operation.CHAT, "messages", "Hi"),
        (Operation.CHAT, "messages", {}),
        (Operation.CHAT, "model", 5),
        (Operation.CHAT, "model", ["m"]),
        (Operation.CHAT, "model", "a\r\nb"),
        (Operation.CHAT, "model", "x" * 257),
        (Operation.CHAT, "stream", "true"),
        (Operation.CHAT, "stream", 1),
        (Operation.CHAT, "stream_options", True),
        (Operation.CHAT, "stream_options", {"include_usage": "yes"}),
        (Operation.CHAT, "metadata", ["tags"]),
        (Operation.EMBEDDING, "input", ""),
        (Operation.EMBEDDING, "input", []),
        (Operation.EMBEDDING, "input", 5),
        (Operation.COMPLETION, "prompt", {}),
        (Operation.IMAGE_GENERATION, "prompt", ["a"]),
        (Operation.RERANK, "documents", "a"),
        (Operation.RERANK, "query", ["q"]),
        (Operation.MESSAGES, "max_tokens", 0),
        (Operation.MESSAGES, "max_tokens", -1),
        (Operation.MESSAGES, "max_tokens", 1.5),
        (Operation.MESSAGES, "max_tokens", "5"),
    ],
)
def test_a_member_of_the_wrong_type_is_refused_by_name(operation: Operation, name: str, value: object) -> None:
    error = _refusal(operation, json.dumps({**VALID[operation], name: value}).encode())
    assert error.message.startswith(f"Invalid value for '{name}': expected ")
    assert error.param == name


def test_an_empty_model_is_missing() -> None:
    error = _refusal(Operation.CHAT, b'{"model":"","messages":[1]}')
    assert error.message == "Missing required parameter: 'model'."


@pytest.mark.parametrize("member", [{"prompt": {"id": "pmpt_1"}}, {"previous_response_id": "r"}, {"conversation": "c"}])
def test_a_response_may_take_its_input_from_elsewhere(member: dict[str, Any]) -> None:
    assert _decode(Operation.RESPONSES, {"model": "m", **member}).call.model == "m"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{bad", b'{"model":"a","model":"b"}', b'{"a":' + b"[" * 100_000, b"\xff"]
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert _refusal(Operation.CHAT, body).param in ("request_body", "model")


def test_what_is_not_read_stays_byte_for_byte() -> None:
    body = b'{"model":"m","messages":[ {"role": "user","content":"h\\u00e9"} ],"temperature":1.0e0}'
    call = decode(Operation.CHAT, body).call
    assert bytes(call.members["messages"]) == b'[ {"role": "user","content":"h\\u00e9"} ]'
    assert bytes(call.members["temperature"]) == b"1.0e0"
    assert call.body == body


@pytest.mark.parametrize(
    ("options", "include_usage"),
    [(None, False), ({}, False), ({"include_usage": True}, True), ({"include_usage": None}, False)],
)
def test_streams_and_their_usage(options: object, include_usage: bool) -> None:
    value = {**VALID[Operation.CHAT], "stream": True, "stream_options": options}
    call = _decode(Operation.CHAT, value).call
    assert (call.stream, call.include_usage) == (True, include_usage)


def test_only_operations_that_stream_do() -> None:
    assert not _decode(Operation.EMBEDDING, {**VALID[Operation.EMBEDDING], "stream": True}).call.stream
    assert not _decode(Operation.SPEECH, {**VALID[Operation.SPEECH], "stream": True}).call.stream
    assert _decode(Operation.SPEECH, {**VALID[Operation.SPEECH], "stream_format": "sse"}).call.stream
    assert not _decode(Operation.CHAT, {**VALID[Operation.CHAT], "stream": None}).call.stream


def test_the_model_of_the_path_counts_before_the_body_s() -> None:
    call = _decode(Operation.CHAT, VALID[Operation.CHAT], path_model="dep").call
    assert (call.model, bytes(call.members["model"])) == ("dep", b'"dep"')
    assert _decode(Operation.CHAT, {"messages": MESSAGES}, path_model="dep").call.model == "dep"
    for name in ("a\nb", "x" * 257):
        error = _refusal(Operation.CHAT, json.dumps(VALID[Operation.CHAT]).encode(), path_model=name)
        assert error.param == "model"


def test_headers_of_anthropic_travel_with_its_operations_only() -> None:
    headers = (
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-beta", b"a,b"),
        (b"anthropic-beta", b"a\r\nx: y"),
        (b"anthropic-beta", b"\xff"),
        (b"anthropic-beta", b"x" * 1_025),
        (b"x-api-key", b"sk-1234"),
        (b"cookie", b"a=b"),
    )
    call = _decode(Operation.MESSAGES, VALID[Operation.MESSAGES], headers=headers).call
    assert call.headers == ((b"anthropic-version", b"2023-06-01"), (b"anthropic-beta", b"a,b"))
    assert _decode(Operation.CHAT, VALID[Operation.CHAT], headers=headers).call.headers == ()


def _form(**fields: str) -> bytes:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n'
    return (file + "".join(parts) + "--b--\r\n").encode()


FORM = b"multipart/form-data; boundary=b"


def test_a_form_is_decoded_to_its_fields_and_kept_as_it_came() -> None:
    body = _form(model="whisper-1", response_format="json", stream="true")
    call = decode(Operation.TRANSCRIPTION, body, content_type=FORM).call
    assert (call.model, call.stream, call.body) == ("whisper-1", True, body)
    assert call.content_type == b'multipart/form-data; boundary="b"'
    assert bytes(call.members["response_format"]) == b'"json"'
    assert "file" not in call.members


def test_the_gateway_s_fields_are_taken_out_of_a_form() -> None:
    body = _form(model="whisper-1", num_retries="3", timeout="2.5", disable_fallbacks="true", language="de")
    request = decode(Operation.TRANSCRIPTION, body, content_type=FORM)
    steering = request.steering
    assert (steering.num_retries, steering.timeout, steering.disable_fallbacks) == (3, 2.5, True)
    assert request.call.body == _form(model="whisper-1", language="de")


def test_a_form_needs_its_file_its_model_and_nothing_forbidden() -> None:
    no_file = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
    assert _refusal(Operation.TRANSCRIPTION, no_file, content_type=FORM).param == "file"
    assert _refusal(Operation.IMAGE_EDIT, no_file, content_type=FORM).param == "image"
    assert _refusal(Operation.TRANSCRIPTION, _form(), content_type=FORM).param == "model"
    assert (
        _refusal(Operation.TRANSCRIPTION, _form(model="m", api_base="http://x"), content_type=FORM).param == "api_base"
    )
    assert _refusal(Operation.TRANSCRIPTION, b"{}").message.startswith("Expected a multipart/form-data body")


@given(st.sampled_from(list(Operation)), st.binary(max_size=60), st.binary(max_size=20))
def test_any_bytes_are_a_request_or_a_refusal(operation: Operation, noise: bytes, value: bytes) -> None:
    headers = tuple((b"x-litellm-" + name, value) for name in (b"tags", b"timeout", b"num-retries", b"stream-timeout"))
    forms = (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + noise + b"\r\n--b--", FORM)
    for body, kind in (
        (noise, noise),
        (b'{"model":"m","messages":[1],"max_tokens":1,"metadata":' + noise + b"}", b""),
        forms,
    ):
        with contextlib.suppress(InvalidRequestError):
            assert decode(operation, body, content_type=kind, headers=headers).call.model
