"""Requests that ask for another protocol, written anew as ones that do not."""

from headgate.core.provider import Headers

_UPGRADE = frozenset({b"connection", b"upgrade", b"http2-settings"})
"""The fields that ask (RFC 9110, section 7.8, and for `h2c` RFC 7540, section 3.2) or only concern the connection."""


def without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """Return the head of a parsed request as it would be without `Upgrade`, and as the last one of its connection.

    It ends the connection because a client that did not wait for the switch has sent the other protocol's bytes behind
    the request, and those must not be read as further requests.
    """
    lines = [b"%b: %b\r\n" % field for field in headers if field[0] not in _UPGRADE]
    return b"%b %b HTTP/%b\r\n%bconnection: close\r\n\r\n" % (method, url, version.encode(), b"".join(lines))
