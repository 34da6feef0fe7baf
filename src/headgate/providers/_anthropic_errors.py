"""Anthropic's errors, classified (https://platform.claude.com/docs/en/api/errors)."""

from collections.abc import Iterable

from headgate.core.errors import UpstreamError
from headgate.core.provider import Headers
from headgate.providers._errors import classify, read_error

# The status that each type has outside a stream.
_STATUS_BY_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def http_failure(status: int, headers: Headers, body: bytes, secrets: Iterable[str]) -> UpstreamError:
    """Classify an answer that is not 2xx."""
    error = read_error(body)
    return classify(status, error.message, error.code, error.kind, headers, param=error.param, secrets=secrets)


def stream_failure(data: bytes, secrets: Iterable[str]) -> UpstreamError:
    """Classify the data of an `error` event; an unknown type counts as an error of the upstream's own."""
    error = read_error(data)
    status = _STATUS_BY_TYPE.get(error.kind, 500)
    return classify(status, error.message, error.code, error.kind, param=error.param, secrets=secrets)
