"""Fetching files that a client only named: never from a private network, never without bounds."""

import ipaddress
import socket
from urllib.parse import quote, urlsplit

from headgate.core.errors import GatewayError, InvalidRequestError
from headgate.core.provider import Attachment, Origin, UpstreamRequest
from headgate.transport.client import Client, ClientSettings
from headgate.transport.connection import Timeouts
from headgate.transport.dialer import Address, Dialer, Resolver

SIZE_LIMIT = 20 * 1024 * 1024
"""Bytes of a fetched file, at most; providers accept no larger images."""
_TIMEOUTS = Timeouts(connect=5.0, first_byte=10.0, between=10.0, total=20.0)
_MEDIA = ("image/", "application/pdf", "text/", "video/", "audio/")


class PublicResolver(Resolver):
    """Resolves to public addresses only; what it returned is what is connected to, so a name can not be rebound."""

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host. Raises `InvalidRequestError` when any of them is not public."""
        addresses = await super().resolve(host, port)
        if not all(is_public(address[1][0]) for address in addresses):
            raise InvalidRequestError("The URL of an attachment must lead to a public address.")
        return addresses


def is_public(address: str) -> bool:
    """Tell whether a client may make us fetch from an address: it is global, also when it is IPv4 inside IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        wrapped = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if wrapped is None and parsed in _NAT64:
            wrapped = ipaddress.IPv4Address(parsed.packed[-4:])
        if wrapped is not None:
            return is_public(str(wrapped))
        # Site-local, IPv4-compatible and the local NAT64 prefix are outside it, whatever the Python version knows.
        if parsed not in _GLOBAL_UNICAST:
            return False
    return parsed.is_global and not parsed.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


class Fetcher:
    """Fetches attachments over connections of its own, without redirects and without the environment's proxies."""

    def __init__(self, *, resolver: Resolver | None = None, verify: bool | str = True) -> None:
        dialer = Dialer(resolver=resolver or PublicResolver(family=socket.AF_UNSPEC), verify=verify)
        self._client = Client(dialer, ClientSettings(maximum_connections=8, keep_alive=5.0, response_limit=SIZE_LIMIT))

    async def fetch(self, url: str) -> Attachment:
        """Return a file. Raises `InvalidRequestError` with what is wrong with the URL or with what it leads to."""
        origin, target = _split(url)
        request = UpstreamRequest(origin, target, b"Accept: */*\r\nUser-Agent: headgate\r\n", b"", b"GET")
        try:
            response = await self._client.send(request, _TIMEOUTS, whole=True)
            data = await response.read()
        except InvalidRequestError:
            raise
        except GatewayError as error:
            raise InvalidRequestError("An attachment could not be fetched from its URL.") from error
        if response.status != 200:
            message = f"An attachment could not be fetched: its URL answered with status {response.status}."
            raise InvalidRequestError(message)
        found = [value for name, value in response.headers if name == b"content-type"]
        media_type = found[0].decode("latin-1").partition(";")[0].strip().lower() if found else ""
        if not media_type.startswith(_MEDIA):
            raise InvalidRequestError("The URL of an attachment does not lead to an image or a document.")
        return Attachment(media_type, data)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _split(url: str) -> tuple[Origin, bytes]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidRequestError("The URL of an attachment is not valid.") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise InvalidRequestError("The URL of an attachment must be http(s)://host/..., without a user name.")
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise InvalidRequestError("The URL of an attachment is not valid.") from None
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._") if parts.query else ""
    )
    return Origin(parts.scheme, name, port or (443 if parts.scheme == "https" else 80)), target.encode("ascii")
