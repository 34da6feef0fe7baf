"""Response header lines: LiteLLM's `x-litellm-*` names, and what of the upstream's header a client may see."""

import re

from headgate.core.money import format_dollars

COMPATIBLE_WITH = "1.80.5"
"""The LiteLLM version whose interface this is, in `x-litellm-version`."""

_INTERNAL = (
    # of one hop (RFC 9110, section 7.6.1)
    *("connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "upgrade"),
    "transfer-encoding",
    # tells of hosts behind the gateway, or acts on the client in the upstream's name
    *("set-cookie", "set-cookie2", "location", "content-location", "via", "alt-svc", "forwarded", "link"),
    *("x-served-by", "x-backend", "x-backend-server", "x-envoy-upstream-service-time", "x-upstream", "nel"),
    *("report-to", "strict-transport-security", "clear-site-data", "refresh", "access-control-allow-origin"),
)
_INTERNAL_LINES = re.compile(rf"^(?:{'|'.join(_INTERNAL)}):[^\n]*\n".encode(), re.IGNORECASE | re.MULTILINE)
_RATE_LIMIT_LINES = re.compile(rb"^x-ratelimit-[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_END = b"\r\n"
_PREFIX = b"llm_provider-"
_FIELD_LIMIT = 64
_BYTE_LIMIT = 8 * 1024


def deployment_lines(identifier: str, api_base: str, group: str) -> bytes:
    """Return the lines that are the same for every answer of a deployment."""
    base = f"x-litellm-model-api-base: {_value(api_base)}\r\n" if api_base else ""
    return (
        f"x-litellm-model-id: {_value(identifier)}\r\n{base}x-litellm-version: {COMPATIBLE_WITH}\r\n"
        f"x-litellm-model-group: {_value(group)}\r\n"
    ).encode("latin-1")


def upstream_lines(lines: bytes) -> bytes:
    """Return an upstream's header lines as `llm_provider-*`, and its rate-limit fields under their own names too.

    `lines` are complete and checked, as `HeaderFields` keeps them. Fields of one hop and fields that tell of internal
    hosts are left out; number and size are bounded.
    """
    kept = _INTERNAL_LINES.sub(b"", lines)
    if len(kept) > _BYTE_LIMIT or kept.count(_END) > _FIELD_LIMIT:
        kept = _cut(kept)
    if not kept:
        return b""
    prefixed = _PREFIX + kept[: -len(_END)].replace(_END, _END + _PREFIX) + _END
    if b"-ratelimit-" in kept.lower():
        return prefixed + b"".join(_RATE_LIMIT_LINES.findall(kept))
    return prefixed


def _cut(lines: bytes) -> bytes:
    """Return as many of the first lines as the bounds allow."""
    size, cut = 0, []
    for line in lines.split(_END)[:_FIELD_LIMIT]:
        size += len(line) + len(_END)
        if size > _BYTE_LIMIT or not line:
            break
        cut.append(line + _END)
    return b"".join(cut)


def answer_lines(
    identifier: str,
    content_type: bytes,
    deployment: bytes,
    cost: int | None,
    seconds: float,
    overhead: float,
    retries: int,
    fallbacks: int,
) -> bytes:
    """Return the lines of a whole answer: what it is, what served it (`deployment_lines`), and what it took.

    `cost` is in nano-dollars, None for unknown; `overhead` are the seconds of the gateway's own.
    """
    money = "" if cost is None else f"x-litellm-response-cost: {format_dollars(cost)}\r\n"
    return (
        b"content-type: %b\r\n" % content_type
        + deployment
        + (
            f"x-litellm-call-id: {identifier}\r\n{money}"
            f"x-litellm-response-duration-ms: {seconds * 1000:.3f}\r\n"
            f"x-litellm-overhead-duration-ms: {overhead * 1000:.3f}\r\n"
            f"x-litellm-attempted-retries: {retries}\r\nx-litellm-attempted-fallbacks: {fallbacks}\r\n"
        ).encode()
    )


def stream_lines(identifier: str, deployment: bytes, retries: int, fallbacks: int) -> bytes:
    """Return the lines of a streamed answer, as far as they are known before it."""
    return (
        _STREAM
        + deployment
        + (
            f"x-litellm-call-id: {identifier}\r\n"
            f"x-litellm-attempted-retries: {retries}\r\nx-litellm-attempted-fallbacks: {fallbacks}\r\n"
        ).encode()
    )


_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"


def error_lines(identifier: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return the lines of an error's answer."""
    return (
        b"content-type: application/json\r\nx-litellm-call-id: %b\r\nx-litellm-version: %b\r\n"
        % (identifier.encode(), COMPATIBLE_WITH.encode())
    ) + lines(headers)


def lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return header fields as lines, with whatever could end a line early taken out."""
    return b"".join([f"{_value(name)}: {_value(value)}\r\n".encode("latin-1") for name, value in headers])


def _value(text: str) -> str:
    """Make a text of a configuration or an error fit for a header: printable ASCII, the rest replaced."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([character if character.isascii() and character.isprintable() else "?" for character in text])
