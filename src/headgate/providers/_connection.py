"""Connection settings of a deployment: base URLs, keys and header lines, checked before the first request."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from headgate.core.errors import ConfigurationError
from headgate.core.provider import Origin

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_PATH = re.compile(r"[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SECRET_HEADER = re.compile(r"key|auth|token|secret|cookie", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# The transport writes these itself; a second one would desynchronize the connection.
_TRANSPORT_HEADERS = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect", "upgrade", "te"),
        *("trailer", "keep-alive", "content-type"),
    }
)


class Base(NamedTuple):
    """A base URL: where it listens, its path without a trailing slash, and its text without query or credentials."""

    origin: Origin
    path: str
    url: str
    query: str = ""


def parse_base(url: object, *, field: str = "api_base") -> Base:
    """Split a base URL. Raises `ConfigurationError` with a sentence that names `field`."""
    if not isinstance(url, str) or not url.strip():
        raise ConfigurationError([f"{field} must be a URL such as https://host/v1."])
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError([f"{field} is not a valid URL; expected one such as https://host/v1."]) from None
    if parts.scheme not in _PORTS:
        raise ConfigurationError([f"{field} must begin with https:// or http://."])
    if host is None or _HOST.fullmatch(host) is None:
        raise ConfigurationError([f"{field} has no valid host name; expected a URL such as https://host/v1."])
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError([f"{field} must not hold a user name or password; set api_key instead."])
    if _PATH.fullmatch(parts.path) is None or _PATH.fullmatch(parts.query) is None:
        raise ConfigurationError([f"{field} holds characters that must be percent-encoded in a URL."])
    path = parts.path.rstrip("/")
    origin = Origin(parts.scheme, host, port or _PORTS[parts.scheme])
    authority = f"[{host}]" if ":" in host else host
    if port is not None:
        authority = f"{authority}:{port}"
    return Base(origin, path, f"{parts.scheme}://{authority}{path}", parts.query)


def setting(parameters: Mapping[str, Any], name: str, environ: Mapping[str, str], variables: Iterable[str]) -> str:
    """Return a text setting from the parameters, else from the first set environment variable, else empty.

    Raises `ConfigurationError`, which never holds the value, when it is not text or can not go into a header.
    """
    value = parameters.get(name)
    if value is None or value == "":
        value = next((environ[variable] for variable in variables if environ.get(variable)), "")
    if not isinstance(value, str):
        raise ConfigurationError([f"{name} must be a string."])
    value = value.strip()
    if not value.isascii() or not value.isprintable():
        raise ConfigurationError([f"{name} holds characters that can not be sent in a header."])
    return value


def extra_headers(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return `extra_headers` (or LiteLLM's older `headers`). Raises `ConfigurationError` naming each bad one."""
    given = parameters.get("extra_headers") or parameters.get("headers") or {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(["extra_headers must be a mapping of header names to values."])
    problems: list[str] = []
    headers: dict[str, str] = {}
    for name, value in given.items():
        text = str(value)
        if not isinstance(name, str) or _HEADER_NAME.fullmatch(name) is None:
            problems.append(f"extra_headers: {str(name)!r} is not a header name.")
        elif name.lower() in _TRANSPORT_HEADERS:
            problems.append(f"extra_headers: {name} is set by the gateway and can not be given.")
        elif _HEADER_VALUE.fullmatch(text) is None:
            problems.append(f"extra_headers: the value of {name} holds characters that can not be sent in a header.")
        else:
            headers[name] = text
    if problems:
        raise ConfigurationError(problems)
    return headers


def secret_values(headers: Mapping[str, str], query: str = "") -> tuple[str, ...]:
    """Return what no error may quote: the values of headers that authenticate, and of a base URL's query."""
    given = [value for name, value in headers.items() if _SECRET_HEADER.search(name)]
    return (*given, *(value for _, value in parse_qsl(query)))


def header_block(*groups: Mapping[str, str]) -> bytes:
    """Write header lines; a name in a later group replaces the same name, in any case, of an earlier one."""
    merged: dict[str, tuple[str, str]] = {}
    for group in groups:
        merged.update({name.lower(): (name, value) for name, value in group.items()})
    return "".join(f"{name}: {value}\r\n" for name, value in merged.values()).encode("latin-1")
