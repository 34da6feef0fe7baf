"""HTTP as a browser or a client speaks it, but for one thing: a redirect is an answer, and never followed."""

import functools
import http.client
import ipaddress
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import certifi

from headgate.deploy.engine import DeployError

ANSWER_SECONDS = 10.0
"""How long a connection, or the next part of an answer, may take."""
_LARGEST_BYTES = 4 * 1024 * 1024
_AGENT = "headgate-verify"

Address = tuple[str, int]
"""A host and a port."""


class WebError(DeployError):
    """An address did not answer: which, and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; names of header fields are in lower case.

    `certificate_ends` is when the server's certificate ends, None where there is no TLS.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    certificate_ends: datetime | None = None


class Web(Protocol):
    """Asks servers."""

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Return the answer, whatever its status. Raises `WebError` when there is none."""
        ...


class Internet:
    """The real web: certificates are verified, and the proxies of the environment are used.

    `resolve` says where to connect for a host and a port; the certificate is still that of the host. `context` is for
    other certificate authorities than the system's.
    """

    def __init__(
        self,
        resolve: Callable[[Address], Address] = lambda address: address,
        context: ssl.SSLContext | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._resolve = resolve
        self._context = context
        self._seconds = seconds

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Return the answer, whatever its status. Raises `WebError` when there is none."""
        request = urllib.request.Request(  # noqa: S310 - only https and http have a handler below
            url, body, {"User-Agent": _AGENT, **(headers or {})}, method=method
        )
        host = urlsplit(url).hostname or url
        ends: list[datetime] = []
        try:
            with self._opener(host, ends.append).open(request, timeout=self._seconds) as answer:
                fields = {name.lower(): value for name, value in answer.headers.items()}
                content = answer.read(_LARGEST_BYTES)
                if answer.length and len(content) < _LARGEST_BYTES:
                    raise http.client.IncompleteRead(content, answer.length)
                return Answer(answer.status, fields, content, ends[0] if ends else None)
        except (OSError, http.client.HTTPException) as error:
            raise WebError(_sentence(host, error, self._seconds)) from error

    def _opener(self, host: str, note: Callable[[datetime], None]) -> urllib.request.OpenerDirector:
        """Return an opener without a handler for redirects, and none for errors: every status is an answer."""
        opener = urllib.request.OpenerDirector()
        if not _is_loopback(host):
            opener.add_handler(urllib.request.ProxyHandler())
        if self._context is None:
            # Reading the system's authorities takes a while, and most runs ask nobody.
            self._context = _verifying()
        secure = functools.partial(_HttpsConnection, connect=self._connect, context=self._context, note=note)
        opener.add_handler(_HttpHandler(functools.partial(_HttpConnection, connect=self._connect)))
        opener.add_handler(_HttpsHandler(secure))
        return opener

    def _connect(self, address: Address, *arguments: Any) -> socket.socket:
        return socket.create_connection(self._resolve(address), *arguments)


class _HttpConnection(http.client.HTTPConnection):
    def __init__(self, host: str, *, connect: Callable[..., socket.socket], **options: Any) -> None:
        super().__init__(host, **options)
        self._create_connection = connect


class _HttpsConnection(http.client.HTTPSConnection):
    """Notes when the server's certificate ends."""

    def __init__(
        self, host: str, *, connect: Callable[..., socket.socket], note: Callable[[datetime], None], **options: Any
    ) -> None:
        super().__init__(host, **options)
        self._create_connection = connect
        self._note = note

    def connect(self) -> None:
        super().connect()
        certificate = self.sock.getpeercert() or {}
        self._note(datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC))


class _HttpHandler(urllib.request.HTTPHandler):
    """Opens connections with `make`."""

    def __init__(self, make: Callable[..., http.client.HTTPConnection]) -> None:
        super().__init__()
        self._make = make

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._make, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, make: Callable[..., http.client.HTTPConnection]) -> None:
        super().__init__()
        self._make = make

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._make, req)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _verifying() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _sentence(host: str, error: Exception, seconds: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case socket.gaierror():
            return f"{host} has no address."
        case ssl.SSLCertVerificationError():
            return f"The certificate of {host} is not accepted: {cause.verify_message}."
        case TimeoutError():
            return f"{host} did not answer within {seconds:g} s."
        case ssl.SSLError():
            return f"{host} does not speak TLS as it should: {cause.reason or 'unknown error'}."
        case OSError():
            return f"{host} can not be reached: {cause.strerror or cause}."
    return f"What {host} answered can not be read."
