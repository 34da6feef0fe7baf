"""Response header lines: LiteLLM's `x-litellm-*` names, and what of the upstream's header a client may see."""

from typing import Final

from headgate.core.money import format_dollars
from headgate.core.provider import Headers

COMPATIBLE_WITH = "1.80.5"
"""The LiteLLM version whose interface this is, in `x-litellm-version`."""

_INTERNAL = frozenset(
    {
        # of one hop (RFC 9110, section 7.6.1)
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer", b"upgrade"),
        b"transfer-encoding",
        # tells of hosts behind the gateway, or acts on the client in the upstream's name
        *(b"set-cookie", b"set-cookie2", b"location", b"content-location", b"via", b"alt-svc", b"forwarded", b"link"),
        *(b"x-served-by", b"x-backend", b"x-backend-server", b"x-envoy-upstream-service-time", b"x-upstream", b"nel"),
        *(b"report-to", b"strict-transport-security", b"clear-site-data", b"refresh", b"access-control-allow-origin"),
    }
)
_X: Final = ord("x")
_FIELD_LIMIT = 64
_PREFIXES_KEPT = 500
_BYTE_LIMIT = 8 * 1024


def deployment_lines(identifier: str, api_base: str, group: str) -> bytes:
    """Return the lines that are the same for every answer of a deployment."""
    base = f"x-litellm-model-api-base: {_value(api_base)}\r\n" if api_base else ""
    return (
        f"x-litellm-model-id: {_value(identifier)}\r\n{base}x-litellm-version: {COMPATIBLE_WITH}\r\n"
        f"x-litellm-model-group: {_value(group)}\r\n"
    ).encode("latin-1")


def upstream_lines(headers: Headers) -> bytes:
    """Return the upstream's header fields as `llm_provider-*`, and its rate-limit fields under their own names too.

    Fields of one hop and fields that tell of internal hosts are left out; number and size are bounded.
    """
    parts: list[bytes] = []
    for name, value in headers[:_FIELD_LIMIT]:
        prefix = _PREFIXES.get(name)
        if prefix is None:
            prefix = _prefix(name)
        if prefix:
            parts += (prefix, value, _END)
            if name[0] == _X and name.startswith(b"x-ratelimit-"):
                parts += (name, b": ", value, _END)
    joined = b"".join(parts)
    if len(joined) <= _BYTE_LIMIT:
        return joined
    end = joined.rfind(_END, 0, _BYTE_LIMIT)
    return b"" if end < 0 else joined[: end + len(_END)]


_END: Final = b"\r\n"
_PREFIXES: Final[dict[bytes, bytes]] = dict.fromkeys(_INTERNAL, b"")
"""What stands before the value of each field, kept for the names that upstreams really send."""


def _prefix(name: bytes) -> bytes:
    prefix = b"llm_provider-%b: " % name
    if len(_PREFIXES) < _PREFIXES_KEPT:
        _PREFIXES[name] = prefix
    return prefix


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
    money = b"" if cost is None else b"x-litellm-response-cost: %b\r\n" % format_dollars(cost).encode()
    total, own = int(seconds * 1e6 + 0.5), int(overhead * 1e6 + 0.5)
    return (
        b"content-type: %b\r\n%bx-litellm-call-id: %b\r\n%bx-litellm-response-duration-ms: %d.%b\r\n"
        b"x-litellm-overhead-duration-ms: %d.%b\r\nx-litellm-attempted-retries: %d\r\n"
        b"x-litellm-attempted-fallbacks: %d\r\n"
    ) % (
        content_type,
        deployment,
        identifier.encode(),
        money,
        total // 1000,
        _THOUSANDTHS[total % 1000],
        own // 1000,
        _THOUSANDTHS[own % 1000],
        retries,
        fallbacks,
    )


_THOUSANDTHS: Final = tuple([b"%03d" % thousandths for thousandths in range(1000)])


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
