import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import Category
from headgate.providers._errors import (
    MESSAGE_LIMIT,
    ErrorBody,
    classify,
    clean,
    protocol_error,
    read_error,
    retry_after,
    stream_status,
    truncated_error,
)

REJECTED = "The upstream provider rejected the gateway's credentials."


@pytest.mark.parametrize(
    ("upstream", "category", "client"),
    [
        (302, Category.PROTOCOL, 502),
        (400, Category.BAD_REQUEST, 400),
        (401, Category.AUTHENTICATION, 401),
        (403, Category.PERMISSION, 403),
        (404, Category.NOT_FOUND, 404),
        (408, Category.TIMEOUT, 504),
        (409, Category.BAD_REQUEST, 409),
        (413, Category.BAD_REQUEST, 413),
        (422, Category.BAD_REQUEST, 422),
        (429, Category.RATE_LIMIT, 429),
        (500, Category.INTERNAL, 500),
        (501, Category.INTERNAL, 502),
        (502, Category.INTERNAL, 502),
        (503, Category.INTERNAL, 503),
        (504, Category.TIMEOUT, 504),
        (520, Category.INTERNAL, 502),
        (529, Category.INTERNAL, 503),
    ],
)
def test_statuses_become_categories_and_statuses_for_the_client(upstream: int, category: Category, client: int) -> None:
    error = classify(upstream, "words")
    assert (error.category, error.status, error.upstream_status) == (category, client, upstream)


# What the providers write: OpenAI, vLLM, Anthropic, Bedrock, Groq, Mistral, Together, TGI.
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Your input exceeds the limit.", "context_length_exceeded"),
        ("This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.", ""),
        ("prompt is too long: 210000 tokens > 200000 maximum", ""),
        ("Input is too long for requested model.", ""),
        ("Please reduce the length of the messages or completion.", ""),
        ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", ""),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096", ""),
        ("input length and `max_tokens` exceed context limit: 199999 + 8192 > 204698", ""),
        ("The input token count exceeds the maximum number of tokens allowed (1048576).", ""),
    ],
)
def test_a_prompt_that_does_not_fit_is_recognized(message: str, code: str) -> None:
    error = classify(400, message, code)
    assert (error.category, error.status, error.message) == (Category.CONTEXT_WINDOW, 400, message)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Rejected.", "content_policy_violation"),
        ("Rejected.", "content_filter"),
        ("Your request was rejected as a result of our safety system.", ""),
        ("The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", ""),
        ("Output blocked by content filtering policy", ""),
        ("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt"),
    ],
)
def test_a_refusal_by_policy_is_recognized(message: str, code: str) -> None:
    assert classify(400, message, code).category is Category.CONTENT_POLICY


def test_an_ordinary_bad_request_keeps_its_words_and_field() -> None:
    error = classify(400, "Unrecognized request argument supplied: foo", param="foo")
    assert (error.category, error.message, error.param) == (
        Category.BAD_REQUEST,
        "Unrecognized request argument supplied: foo",
        "foo",
    )
    assert error.kind == "invalid_request_error"
    assert classify(400, "x", param="a\r\nb").param is None


def test_too_many_tokens_per_minute_is_a_rate_limit_whatever_the_status() -> None:
    assert classify(413, "Request too large for model", "rate_limit_exceeded").category is Category.RATE_LIMIT
    assert classify(429, "Too many tokens, please wait before trying again.").category is Category.RATE_LIMIT


@pytest.mark.parametrize("status", [401, 403])
def test_what_an_upstream_says_about_credentials_is_never_passed_on(status: int) -> None:
    error = classify(status, "Incorrect API key provided: sk-bad", param="key")
    assert (error.message, error.param) == (REJECTED, None)


def test_an_upstream_without_words_still_gives_a_sentence() -> None:
    assert classify(503, " \r\n").message == "The upstream provider answered with status 503."


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(b"retry-after", b"20")], 20.0),
        ([(b"retry-after", b"0.5")], 0.5),
        ([(b"retry-after", b"20"), (b"retry-after-ms", b"1500")], 1.5),
        ([(b"retry-after", b"1000000000")], 86_400.0),
        ([(b"date", b"Fri, 20 Nov 2026 23:00:00 GMT"), (b"retry-after", b"Fri, 20 Nov 2026 23:01:30 GMT")], 90.0),
        ([(b"date", b"Fri, 20 Nov 2026 23:00:00 GMT"), (b"retry-after", b"Fri, 20 Nov 2026 22:00:00 GMT")], 0.0),
        ([(b"retry-after", b"Fri, 20 Nov 2026 23:01:30 GMT")], None),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"-1")], None),
        ([(b"retry-after", b"nan")], None),
        ([(b"retry-after", b"inf")], None),
        ([], None),
    ],
)
def test_the_wait_is_read_from_the_headers(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_the_wait_is_told_to_the_client_in_whole_seconds() -> None:
    error = classify(429, "slow down", headers=[(b"retry-after-ms", b"1200")])
    assert (error.retry_after, error.headers) == (1.2, (("retry-after", "2"),))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error":{"message":"m","type":"t","param":"p","code":"c"}}',
            ErrorBody("m", "c", "t", "p"),
        ),
        (b'{"error":{"message":"m","type":null,"param":null,"code":null}}', ErrorBody("m")),
        (
            b'{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}',
            ErrorBody("m", "400", "BadRequestError"),
        ),
        (
            b'{"error":{"code":"content_filter","message":"m","status":400,'
            b'"innererror":{"code":"ResponsibleAIPolicyViolation"}}}',
            ErrorBody("m", "ResponsibleAIPolicyViolation"),
        ),
        (b'{"error":"model not found"}', ErrorBody("model not found")),
        (b'{"error":"m","type":"validation"}', ErrorBody("m", "", "validation")),
        (b'{"detail":"Not Found"}', ErrorBody("Not Found")),
        (b'{"detail":[{"loc":["body"],"msg":"x"}]}', ErrorBody('[{"loc":["body"],"msg":"x"}]')),
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            ErrorBody("Overloaded", "", "overloaded_error"),
        ),
        (b"upstream connect error", ErrorBody("upstream connect error")),
        (b"<html><h1>502</h1></html>", ErrorBody()),
        (b"[1]", ErrorBody()),
        (b"", ErrorBody()),
        (b"\xff\xfe", ErrorBody("\ufffd\ufffd")),
        (b"[" * 100_000, ErrorBody("[" * 8_000)),
    ],
)
def test_error_bodies_are_read_in_every_shape(body: bytes, expected: ErrorBody) -> None:
    assert read_error(body) == expected


def test_secrets_control_characters_and_excess_are_taken_out_of_messages() -> None:
    assert clean("a\r\nb\x1b[31m\u202ec\ud800d") == "a b [31m c d"
    assert clean("key sk-proj-12ab, gsk_abc, AKIAIOSFODNN7EXAMPLE") == "key [redacted], [redacted], [redacted]"
    assert clean("sent Bearer eyJhbGciOi.x.y") == "sent [redacted]"
    assert clean("my-own-key-12 is wrong", ["my-own-key-12"]) == "[redacted] is wrong"
    assert clean("none of these", ["none", ""]) == "none of these"
    assert len(clean("x" * 10_000)) == MESSAGE_LIMIT
    assert clean("bearer of news") == "bearer of news"


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("429", "", 429),
        ("", "overloaded_error", 503),
        ("insufficient_quota", "insufficient_quota", 429),
        ("", "invalid_request_error", 400),
        ("99", "", 500),
        ("200", "", 500),
        ("", "", 500),
    ],
)
def test_an_error_inside_a_stream_has_the_status_that_it_would_have_had(code: str, kind: str, status: int) -> None:
    assert stream_status(code, kind) == status


def test_broken_protocols_and_streams_are_bad_gateways() -> None:
    assert (protocol_error("m").category, protocol_error("m").status) == (Category.PROTOCOL, 502)
    assert (truncated_error().category, truncated_error().status) == (Category.CONNECTION, 502)


@given(
    st.integers(300, 999), st.binary(max_size=80), st.lists(st.tuples(st.just(b"retry-after"), st.binary(max_size=30)))
)
def test_any_answer_is_classified(status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    for text in (body, b'{"error":' + body + b"}", b'{"error":{"message":"' + body + b'"}}'):
        found = read_error(text)
        error = classify(status, found.message, found.code, found.kind, headers, param=found.param)
        assert error.message
        assert error.message.isprintable()
        assert 400 <= error.status < 600
