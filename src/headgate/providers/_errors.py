"""Classification of what upstreams answer instead of an answer; shared by every provider.

Categories decide about retries, cooldowns and fallbacks, so they follow LiteLLM 1.80.5. Messages are the upstream's own
words, because those help, but never its words about credentials.
"""

import math
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import msgspec

from headgate.core.errors import Category, UpstreamError
from headgate.core.provider import Headers

MESSAGE_LIMIT = 2_000
"""Characters of an upstream's message that are passed on."""

_READ_LIMIT = 4 * MESSAGE_LIMIT
_LONGEST_WAIT = 86_400.0
# Keys such as "none" or "EMPTY", which servers without authentication are given, are words and no secrets.
_SHORTEST_SECRET = 8
_CREDENTIALS_REJECTED = "The upstream provider rejected the gateway's credentials."

_TOKEN = re.compile(r"(?:\b(?:sk-|gsk_|xai-|pplx-|AKIA|ASIA)[\w*.\-]{3,}|(?i:\bbearer)\s+[\w*.\-=+/]{6,})")
_IDENTIFIER = re.compile(r"[\w.\-\[\]]{1,200}", re.ASCII)

_CONTEXT_CODES = frozenset({"context_length_exceeded", "model_max_prompt_tokens_exceeded"})
_POLICY_CODES = frozenset(
    {"content_policy_violation", "content_filter", "moderation_blocked", "ResponsibleAIPolicyViolation"}
)
# Words in which upstreams that send no code (vLLM, Anthropic, Bedrock, Groq, Mistral, Together ...) say the same.
_CONTEXT_WORDS = re.compile(
    r"maximum context length|context length (?:exceeded|of)|model's (?:maximum )?context|exceeds? (?:the )?context"
    r"|(?:prompt|input) is too long|prompt: length|too many (?:input )?tokens|reduce the length of the messages"
    r"|(?:input|prompt) tokens? (?:count )?exceeds?|input length .{0,40}exceed|expected max_?length"
    r"|tokens \+ `?max_new_tokens`?|string too long\. expected a string with maximum length"
    r"|exceeds the maximum number of tokens|longer than the model's context",
    re.IGNORECASE,
)
_POLICY_WORDS = re.compile(
    r"rejected as a result of our safety system|content management policy|content[ _]filter(?:ing)? polic"
    r"|blocked by (?:the )?content filter|violat\w+ our usage polic|content_policy_violation|responsibleaipolicy",
    re.IGNORECASE,
)

_CATEGORY_BY_STATUS = {
    401: Category.AUTHENTICATION,
    403: Category.PERMISSION,
    404: Category.NOT_FOUND,
    408: Category.TIMEOUT,
    429: Category.RATE_LIMIT,
    504: Category.TIMEOUT,
}
_KIND_BY_CATEGORY = {
    Category.BAD_REQUEST: "invalid_request_error",
    Category.AUTHENTICATION: "authentication_error",
    Category.PERMISSION: "permission_error",
    Category.NOT_FOUND: "not_found_error",
    Category.CONTEXT_WINDOW: "context_window_exceeded",
    Category.CONTENT_POLICY: "content_policy_violation",
    Category.RATE_LIMIT: "throttling_error",
    Category.TIMEOUT: "timeout_error",
    Category.INTERNAL: "internal_server_error",
}
_KEPT_SERVER_STATUSES = frozenset({500, 502, 503, 504})


# Statuses for the names that upstreams give to an error inside a stream, where there is no status line.
_STATUS_BY_NAME = {
    "authentication_error": 401,
    "content_filter": 400,
    "content_policy_violation": 400,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 503,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "timeout_error": 504,
    "tokens": 429,
}


class ErrorBody(NamedTuple):
    """What an upstream said about its failure; each field is empty where it said nothing."""

    message: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""


def classify(
    status: int,
    message: str,
    code: str = "",
    kind: str = "",
    headers: Headers = (),
    *,
    param: str = "",
    secrets: Iterable[str] = (),
) -> UpstreamError:
    """Make the error for an upstream's answer that is not 2xx, or for an error inside a stream.

    `status` is what the upstream answered, or the nearest status for an error in a stream. `message`, `code`, `kind`
    and `param` are its words, unchecked; `secrets` are taken out of the message wherever they occur.
    """
    category = _categorize(status, message[:_READ_LIMIT], code, kind)
    wait = retry_after(headers)
    if category in (Category.AUTHENTICATION, Category.PERMISSION):
        text, param = _CREDENTIALS_REJECTED, ""
    else:
        text = clean(message, secrets) or f"The upstream provider answered with status {status}."
    return UpstreamError(
        text,
        category=category,
        status=_client_status(status),
        kind=_KIND_BY_CATEGORY.get(category),
        param=param if _IDENTIFIER.fullmatch(param) else None,
        upstream_status=status,
        retry_after=wait,
        headers=() if wait is None else (("retry-after", str(math.ceil(wait))),),
    )


def stream_status(code: str, kind: str) -> int:
    """Return the status that an error inside a stream would have had: a numeric code, a known name, otherwise 500."""
    if len(code) == 3 and code.isascii() and code.isdigit() and 400 <= int(code) < 600:
        return int(code)
    return _STATUS_BY_NAME.get(code) or _STATUS_BY_NAME.get(kind) or 500


def protocol_error(message: str) -> UpstreamError:
    """Make the error for an upstream that does not speak its protocol; 502 for the client."""
    return UpstreamError(message, category=Category.PROTOCOL, status=502)


def truncated_error() -> UpstreamError:
    """Make the error for a stream that ended before the answer was complete."""
    message = "The upstream provider's stream ended before the answer was complete."
    return UpstreamError(message, category=Category.CONNECTION, status=502)


def read_error(body: bytes) -> ErrorBody:
    """Read an error body in any of the shapes that OpenAI-compatible servers use. Never raises.

    `{"error": {"message", "type", "param", "code"}}` (OpenAI), the same with an `innererror.code` (Azure),
    `{"error": "..."}` (Ollama), `{"object": "error", "message"}` (vLLM), `{"detail": ...}` (FastAPI), or plain text.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:_READ_LIMIT].decode(errors="replace").strip()
        # A page of a proxy in front of the upstream says nothing about the call, and may name internal hosts.
        return ErrorBody("" if text.startswith("<") else text)
    return error_members(value)


def error_members(value: object) -> ErrorBody:
    """Read a decoded error body; see `read_error`."""
    if not isinstance(value, dict):
        return ErrorBody(value if isinstance(value, str) else "")
    error = value.get("error", value)
    if isinstance(error, str):
        return ErrorBody(error, _text(value.get("code")), _text(value.get("type")))
    if not isinstance(error, dict):
        return ErrorBody(_text(value.get("message")))
    message = error.get("message") or error.get("detail") or error.get("error") or ""
    if not isinstance(message, str):
        message = _written(message)
    inner = error.get("innererror")
    code = _text(inner.get("code")) if isinstance(inner, dict) else ""
    return ErrorBody(message, code or _text(error.get("code")), _text(error.get("type")), _text(error.get("param")))


def clean(message: str, secrets: Iterable[str] = ()) -> str:
    """Make an upstream's text fit for a client: no secrets, one printable line, not longer than the limit."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            message = message.replace(secret, "[redacted]")
    printable = "".join([each if each.isprintable() else " " for each in message[:_READ_LIMIT]])
    message = _TOKEN.sub("[redacted]", " ".join(printable.split()))
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 3] + "..."


def retry_after(headers: Headers) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after`; at most a day.

    An HTTP date counts from the `date` of the same answer, so that no clock of ours takes part.
    """
    fields = {name: value for name, value in headers if name in (b"retry-after-ms", b"retry-after", b"date")}
    milliseconds = _seconds(fields.get(b"retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, _LONGEST_WAIT)
    value = fields.get(b"retry-after")
    seconds = _seconds(value)
    if seconds is None:
        until, now = _date(value), _date(fields.get(b"date"))
        if until is None or now is None:
            return None
        seconds = max((until - now).total_seconds(), 0.0)
    return min(seconds, _LONGEST_WAIT)


def _seconds(value: bytes | None) -> float | None:
    try:
        seconds = float(value or b"")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _date(value: bytes | None) -> datetime | None:
    try:
        date = parsedate_to_datetime((value or b"").decode("latin-1"))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if date.tzinfo is not None else None


def _categorize(status: int, message: str, code: str, kind: str) -> Category:
    if status in (400, 413, 422):
        if code in _CONTEXT_CODES or kind in _CONTEXT_CODES:
            return Category.CONTEXT_WINDOW
        if code in _POLICY_CODES or kind in _POLICY_CODES:
            return Category.CONTENT_POLICY
        # Groq answers 413 when one request is larger than the tokens per minute.
        if code == "rate_limit_exceeded":
            return Category.RATE_LIMIT
        if _CONTEXT_WORDS.search(message):
            return Category.CONTEXT_WINDOW
        if _POLICY_WORDS.search(message):
            return Category.CONTENT_POLICY
        return Category.BAD_REQUEST
    category = _CATEGORY_BY_STATUS.get(status)
    if category is not None:
        return category
    if status >= 500:
        return Category.INTERNAL
    return Category.BAD_REQUEST if status >= 400 else Category.PROTOCOL


def _client_status(status: int) -> int:
    if status == 408:
        return 504
    if status == 529:
        return 503
    return status if 400 <= status < 500 or status in _KEPT_SERVER_STATUSES else 502


def _written(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, RecursionError):
        return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
