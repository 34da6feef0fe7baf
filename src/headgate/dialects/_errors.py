"""Errors in the shape that the client's SDK understands, whole and inside a stream."""

from collections.abc import Mapping

import msgspec

from headgate.core.errors import GatewayError

_encode = msgspec.json.Encoder().encode

# https://docs.anthropic.com/en/api/errors
_ANTHROPIC_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def openai_error(error: GatewayError) -> bytes:
    """Write OpenAI's error body; `code` is the status as text, as LiteLLM has it."""
    body = {"message": error.message, "type": error.kind, "param": error.param, "code": str(error.status)}
    return _encode({"error": body})


def openai_stream_error(error: GatewayError) -> bytes:
    """Write the event that ends a broken stream of chunks.

    OpenAI's SDKs raise an `APIError` for an event with an `error` member. No `[DONE]` follows: it would say that the
    answer is whole.
    """
    return b"data: " + openai_error(error) + b"\n\n"


def responses_stream_error(error: GatewayError) -> bytes:
    """Write the `error` event of the Responses API.

    Its `sequence_number` is 0: the events before it are not parsed, so their number is not known.
    """
    event = {
        "type": "error",
        "code": error.kind,
        "message": error.message,
        "param": error.param,
        "sequence_number": 0,
    }
    return b"event: error\ndata: " + _encode(event) + b"\n\n"


def anthropic_error(error: GatewayError) -> bytes:
    """Write Anthropic's error body; its `type` follows from the status."""
    fallback = "invalid_request_error" if error.status < 500 else "api_error"
    kind = _ANTHROPIC_TYPES.get(error.status, fallback)
    return _encode({"type": "error", "error": {"type": kind, "message": error.message}})


def anthropic_stream_error(error: GatewayError) -> bytes:
    """Write Anthropic's `error` event, which ends a broken stream."""
    return b"event: error\ndata: " + anthropic_error(error) + b"\n\n"
