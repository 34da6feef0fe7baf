import json
from collections.abc import Sequence

import pytest

from headgate.core.errors import Category
from headgate.providers._bedrock_errors import read_failure


@pytest.mark.parametrize(
    ("status", "kind", "message", "category", "shown"),
    [
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.", Category.RATE_LIMIT, 429),
        (400, "ServiceQuotaExceededException", "Your account has reached a quota", Category.RATE_LIMIT, 429),
        (408, "ModelTimeoutException", "Model has timed out", Category.TIMEOUT, 504),
        (429, "ModelNotReadyException", "Model is not ready for inference", Category.INTERNAL, 503),
        (424, "ModelErrorException", "unexpected error", Category.INTERNAL, 500),
        (500, "InternalServerException", "", Category.INTERNAL, 500),
        (503, "ServiceUnavailableException", "away", Category.INTERNAL, 503),
        (400, "ValidationException", "Malformed input request", Category.BAD_REQUEST, 400),
        (400, "ValidationException", "Input is too long for requested model.", Category.CONTEXT_WINDOW, 400),
        (400, "ValidationException", "The provided model identifier is invalid.", Category.NOT_FOUND, 404),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry with an inference profile.",
            Category.NOT_FOUND,
            404,
        ),
        (
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
            Category.NOT_FOUND,
            404,
        ),
        (403, "AccessDeniedException", "User: arn:aws:iam::123456789012:role/x may not", Category.PERMISSION, 403),
        (403, "ExpiredTokenException", "expired", Category.AUTHENTICATION, 401),
        (403, "UnrecognizedClientException", "invalid", Category.AUTHENTICATION, 401),
        (403, "InvalidSignatureException", "mismatch", Category.AUTHENTICATION, 401),
        (418, "NeverSeenException", "?", Category.BAD_REQUEST, 418),
    ],
)
def test_exceptions(status: int, kind: str, message: str, category: Category, shown: int) -> None:
    headers = [(b"x-amzn-errortype", f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/".encode())]
    error = read_failure(status, headers, json.dumps({"message": message}).encode())
    assert (error.category, error.status, error.upstream_status) == (category, shown, status)
    assert "123456789012" not in error.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"Message":"slow","__type":"com.amazon.coral.service#ThrottlingException"}',
        b'{"message":"slow","__type":"ThrottlingException"}',
    ],
)
def test_the_type_may_stand_in_the_body(body: bytes) -> None:
    error = read_failure(400, (), body)
    assert (error.category, error.message) == (Category.RATE_LIMIT, "slow")


@pytest.mark.parametrize("body", [b"", b"<html>gateway</html>", b"\xff", b"[]", b"[" * 100_000, b'{"message":1}'])
def test_any_body_is_classified_by_its_status(body: bytes) -> None:
    error = read_failure(503, (), body)
    assert error.category is Category.INTERNAL
    assert "html" not in error.message


def test_a_wait_is_passed_on_and_a_key_is_not() -> None:
    headers: Sequence[tuple[bytes, bytes]] = [(b"retry-after", b"3"), (b"x-amzn-errortype", b"ThrottlingException")]
    error = read_failure(429, headers, b'{"message":"key hidden-key is slow"}', ["hidden-key"])
    assert error.retry_after == 3
    assert "hidden-key" not in error.message
