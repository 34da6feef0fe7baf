"""Response header lines: LiteLLM's `x-litellm-*` names, and what of the upstream's header a client may see."""

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
_FIELD_LIMIT = 64
_BYTE_LIMIT = 8 * 1024


def deployment_lines(identifier: str, api_base: str) -> bytes:
    """Return the lines that are the same for every answer of a deployment."""
    lines = f"x-litellm-model-id: {_value(identifier)}\r\n"
    if api_base:
        lines += f"x-litellm-model-api-base: {_value(api_base)}\r\n"
    return f"{lines}x-litellm-version: {COMPATIBLE_WITH}\r\n".encode("latin-1")


def group_line(group: str) -> bytes:
    """Return the line that names the model group that served the answer."""
    return b"x-litellm-model-group: %b\r\n" % _value(group).encode("latin-1")


def upstream_lines(headers: Headers) -> bytes:
    """Return the upstream's header fields as `llm_provider-*`, and its rate-limit fields under their own names too.

    Fields of one hop and fields that tell of internal hosts are left out; number and size are bounded.
    """
    lines: list[bytes] = []
    size = 0
    for name, value in headers[:_FIELD_LIMIT]:
        if name in _INTERNAL:
            continue
        size += len(name) + len(value)
        if size > _BYTE_LIMIT:
            break
        if name.startswith(b"x-ratelimit-"):
            lines.append(b"%b: %b\r\nllm_provider-%b: %b\r\n" % (name, value, name, value))
        else:
            lines.append(b"llm_provider-%b: %b\r\n" % (name, value))
    return b"".join(lines)


def accounting_lines(cost: int | None, seconds: float, overhead: float, retries: int, fallbacks: int) -> bytes:
    """Return what an answer took: nano-dollars (None for unknown), seconds in all, seconds of the gateway's own."""
    money = "" if cost is None else f"x-litellm-response-cost: {format_dollars(cost)}\r\n"
    return (
        f"{money}x-litellm-response-duration-ms: {seconds * 1000:.3f}\r\n"
        f"x-litellm-overhead-duration-ms: {overhead * 1000:.3f}\r\n"
        f"x-litellm-attempted-retries: {retries}\r\nx-litellm-attempted-fallbacks: {fallbacks}\r\n"
    ).encode()


def lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return header fields as lines, with whatever could end a line early taken out."""
    return b"".join([f"{_value(name)}: {_value(value)}\r\n".encode("latin-1") for name, value in headers])


def _value(text: str) -> str:
    """Make a text of a configuration or an error fit for a header: printable ASCII, the rest replaced."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([character if character.isascii() and character.isprintable() else "?" for character in text])
