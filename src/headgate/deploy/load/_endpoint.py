"""Where a load goes to."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from headgate.core.errors import ConfigurationError
from headgate.core.provider import Origin

CHAT = "/chat/completions"
_PORTS = {"http": 80, "https": 443}
_UNESCAPED = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The route that is asked for chat completions. `target` is path and query, percent-encoded."""

    origin: Origin
    target: bytes

    @property
    def host(self) -> str:
        """The host, as it has to be confirmed."""
        return self.origin.host

    @property
    def is_loopback(self) -> bool:
        """True where the load can not leave this machine: `localhost`, or an address of loopback."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_plaintext(self) -> bool:
        """True where anyone on the way can read what is sent."""
        return self.origin.scheme == "http"

    def __str__(self) -> str:
        """Return the URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.origin.port == _PORTS[self.origin.scheme] else f":{self.origin.port}"
        return f"{self.origin.scheme}://{host}{port}{self.target.decode('ascii')}"


def parse_endpoint(url: str, option: str) -> Endpoint:
    """Return what a URL leads to; `option` is what it was given with.

    The URL may be a gateway's own, its base with `/v1`, or the whole route. Raises `ConfigurationError`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError([f"{option}: not a URL: {error}."]) from error
    if parts.scheme not in _PORTS or not host:
        raise ConfigurationError([f"{option}: expected a URL such as http://127.0.0.1:4000."])
    if parts.username is not None or parts.password is not None:
        # Not repeated: it would hold the password.
        raise ConfigurationError([f"{option}: a URL with a user or password in it stands in the process list."])
    path = parts.path.rstrip("/")
    if not path.endswith(CHAT):
        path = f"{path or '/v1'}{CHAT}"
    query = f"?{quote(parts.query, safe='?' + _UNESCAPED)}" if parts.query else ""
    target = f"{quote(path, safe=_UNESCAPED)}{query}".encode("ascii")
    return Endpoint(Origin(parts.scheme, host, port or _PORTS[parts.scheme]), target)
