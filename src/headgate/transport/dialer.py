"""Opening connections: names resolved and remembered, addresses raced, TLS verified, proxies honored."""

import asyncio
import base64
import re
import socket
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

import certifi

from headgate.core.provider import Origin
from headgate.transport.failures import connection_failed, timed_out

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]

RACE_DELAY = 0.25
"""Seconds after which the next address is tried beside the one that is still silent (RFC 8305, section 8)."""
REMEMBER_SECONDS = 30.0
"""How long resolved addresses are used; the system resolver does not tell the record's own time to live."""
MAXIMUM_NAMES = 1_024
PROXY_HEAD_LIMIT = 16 * 1024
_TUNNEL_OPEN = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")


class Resolver:
    """Resolves names in the system's resolver threads and remembers the answers for `REMEMBER_SECONDS`."""

    def __init__(self, *, family: socket.AddressFamily = socket.AF_UNSPEC) -> None:
        self._family = family
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host, families interleaved. Raises `UpstreamError` when there are none."""
        loop = asyncio.get_running_loop()
        remembered = self._known.get((host, port))
        if remembered is not None and remembered[0] > loop.time():
            return remembered[1]
        try:
            found = await loop.getaddrinfo(host, port, family=self._family, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # A UnicodeError is a host name with a label that is empty or too long.
            if remembered is not None:
                return remembered[1]
            raise connection_failed("The upstream's host name could not be resolved.") from error
        addresses = _interleave([(family, address) for family, _, _, _, address in found])  # type: ignore[misc]
        if len(self._known) >= MAXIMUM_NAMES:
            self._known.clear()
        self._known[host, port] = (loop.time() + REMEMBER_SECONDS, addresses)
        return addresses


def _interleave(addresses: list[Address]) -> list[Address]:
    """Alternate between address families, beginning with the resolver's first choice."""
    if not addresses:
        return addresses
    first = [address for address in addresses if address[0] == addresses[0][0]]
    second = [address for address in addresses if address[0] != addresses[0][0]]
    mixed = [address for pair in zip(first, second, strict=False) for address in pair]
    shorter = len(mixed) // 2
    return mixed + first[shorter:] + second[shorter:]


async def connect_socket(addresses: list[Address]) -> socket.socket:
    """Connect to the first address that answers; each further one starts when the last failed or stays silent."""
    loop = asyncio.get_running_loop()
    pending: set[asyncio.Task[socket.socket]] = set()
    failure: OSError | None = None
    waiting = list(addresses)
    try:
        while waiting or pending:
            if waiting:
                pending.add(loop.create_task(_connect_one(*waiting.pop(0))))
            timeout = RACE_DELAY if waiting else None
            done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            winner: socket.socket | None = None
            for task in done:
                error = task.exception()
                if error is None:
                    if winner is None:
                        winner = task.result()
                    else:
                        task.result().close()
                elif isinstance(error, OSError):
                    failure = error
                else:
                    raise error
            if winner is not None:
                return winner
    finally:
        for task in pending:
            task.add_done_callback(_close_late)
            task.cancel()
    raise connection_failed("The upstream refused the connection.") from failure


def _close_late(task: "asyncio.Task[socket.socket]") -> None:
    """Close the socket of an attempt that was cancelled after it had succeeded."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect_one(
    family: socket.AddressFamily, address: tuple[str, int] | tuple[str, int, int, int]
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


class Proxies:
    """The proxies of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, either case.

    `HTTP_PROXY` in upper case is not read where `REQUEST_METHOD` is set (https://httpoxy.org), as the standard
    library does it. Only `http://` proxies are spoken to; credentials in the URL become Basic authentication.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        lower = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy") and value}
        if "REQUEST_METHOD" in environ:
            lower.pop("http_proxy", None)
        self._no = {"no": lower.get("no_proxy", "")}
        fallback = lower.get("all_proxy", "")
        self._urls = {scheme: lower.get(f"{scheme}_proxy", fallback) for scheme in ("http", "https")}

    def choose(self, origin: Origin) -> "Proxy | None":
        """Return the proxy for an origin, or None to connect directly. Raises `UpstreamError` for an unusable one."""
        url = self._urls.get(origin.scheme, "")
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        if not url or _bypassed(f"{host}:{origin.port}", origin.host, self._no):
            return None
        unusable = connection_failed("The proxy of the environment can not be used; expected http://host:port.")
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError:
            raise unusable from None
        if parts.scheme != "http" or not parts.hostname:
            raise unusable
        authorization = b""
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            authorization = b"Proxy-Authorization: Basic " + base64.b64encode(credentials) + b"\r\n"
        return Proxy(parts.hostname, port, authorization)


def _bypassed(authority: str, host: str, no_proxy: dict[str, str]) -> bool:
    if host == "localhost" or host.startswith("127.") or host == "::1":
        return True
    return bool(urllib.request.proxy_bypass_environment(authority, no_proxy))  # type: ignore[attr-defined]


class Proxy:
    """An HTTP proxy. `authorization` is a header line or empty."""

    def __init__(self, host: str, port: int, authorization: bytes) -> None:
        self.host, self.port, self.authorization = host, port, authorization

    async def tunnel(self, sock: socket.socket, origin: Origin) -> None:
        """Ask the proxy for a tunnel to the origin (RFC 9110, section 9.3.6)."""
        loop = asyncio.get_running_loop()
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        authority = f"{host}:{origin.port}".encode("ascii")
        request = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (authority, authority, self.authorization)
        await loop.sock_sendall(sock, request)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            # Byte by byte: what follows the head belongs to the TLS handshake.
            piece = await loop.sock_recv(sock, 1)
            head += piece
            if not piece or len(head) > PROXY_HEAD_LIMIT:
                raise connection_failed("The proxy did not answer the request for a tunnel.")
        # Any 2xx opens the tunnel, and the reason phrase may be missing.
        if _TUNNEL_OPEN.match(head) is None:
            raise connection_failed("The proxy refused the tunnel to the upstream.")


def tls_context(*, verify: bool | str = True) -> ssl.SSLContext:
    """Return a client context: TLS 1.2 or later, verified against `verify` (a file or folder of roots), the system's
    roots, or certifi's where the system has none. `verify=False` turns verification off.
    """
    if isinstance(verify, str):
        folder = not verify.endswith((".pem", ".crt", ".cer"))
        context = ssl.create_default_context(**{"capath" if folder else "cafile": verify})  # type: ignore[arg-type]
    else:
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"]:
            context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Dialer:
    """Opens connections to origins. The TLS context is made when the first `https` origin is dialed."""

    def __init__(
        self,
        *,
        verify: bool | str = True,
        environ: Mapping[str, str] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._resolver = resolver or Resolver()
        self._proxies = Proxies(environ or {})

    def proxy(self, origin: Origin) -> Proxy | None:
        """Return the proxy that is used for an origin."""
        return self._proxies.choose(origin)

    async def dial(
        self, origin: Origin, factory: Callable[[], asyncio.Protocol], *, timeout: float
    ) -> asyncio.Protocol:
        """Connect a protocol to an origin within `timeout` seconds. Raises `UpstreamError`."""
        try:
            async with asyncio.timeout(timeout):
                return await self._dial(origin, factory)
        except TimeoutError as error:
            raise timed_out("The upstream did not accept a connection in time.") from error
        except ssl.SSLError as error:
            raise connection_failed("The upstream's TLS certificate or handshake was not accepted.") from error
        except OSError as error:
            raise connection_failed("No connection to the upstream could be made.") from error

    async def _dial(self, origin: Origin, factory: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        proxy = self._proxies.choose(origin)
        host, port = (proxy.host, proxy.port) if proxy is not None else (origin.host, origin.port)
        sock = await connect_socket(await self._resolver.resolve(host, port))
        try:
            if proxy is not None and origin.scheme == "https":
                await proxy.tunnel(sock, origin)
            secure = self._secure() if origin.scheme == "https" else None
            name = origin.host if secure is not None else None
            _, protocol = await asyncio.get_running_loop().create_connection(
                factory, sock=sock, ssl=secure, server_hostname=name
            )
        except BaseException:
            sock.close()
            raise
        return protocol

    def _secure(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = tls_context(verify=self._verify)
        return self._context
