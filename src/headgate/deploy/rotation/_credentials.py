"""How a PostgreSQL login stands in its secret: apart, and as the URL that gateways connect with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from headgate.deploy.rotation._master_key import random_text
from headgate.deploy.rotation._protocol import RotationError, Value

PASSWORD_LENGTH = 32
"""Characters of a generated database password."""

_TEXTS = ("username", "password", "host", "dbname")
_QUERY = "sslmode=require"
_MARKS = {"_a": "_b", "_b": "_a"}


@dataclass(frozen=True)
class Credentials:
    """A login. `query` is what follows the question mark of its URL."""

    username: str
    password: str = field(repr=False)
    host: str
    port: int
    dbname: str
    query: str = _QUERY

    @classmethod
    def from_value(cls, value: Value) -> "Credentials":
        """Read a secret's value. Raises `RotationError` that names what is missing."""
        missing = [name for name in _TEXTS if not isinstance(value.get(name), str) or not value[name]]
        port = str(value.get("port", 5432))
        if missing or not port.isdigit():
            names = ", ".join(missing or ["port"])
            raise RotationError(f"The database's secret has no {names}: set it anew.")
        url = value.get("DATABASE_URL")
        query = url.partition("?")[2] if isinstance(url, str) and url else _QUERY
        user, password, host, name = (str(value[text]) for text in _TEXTS)
        return cls(user, password, host, int(port), name, query)

    @classmethod
    def from_url(cls, url: str) -> "Credentials":
        """Read a URL. Raises `RotationError`, which never shows it, when it is none of a PostgreSQL login."""
        try:
            parts = urlsplit(url)
            value = {
                "username": unquote(parts.username or ""),
                "password": unquote(parts.password or ""),
                "host": parts.hostname or "",
                "port": parts.port or 5432,
                "dbname": unquote(parts.path.removeprefix("/")),
                "DATABASE_URL": url,
            }
            scheme = parts.scheme
        except ValueError:
            scheme, value = "", {}
        if scheme not in ("postgresql", "postgres"):
            raise RotationError("The URL is not postgresql://USER:PASSWORD@HOST:PORT/DATABASE, percent-encoded.")
        return cls.from_value(value)

    @property
    def url(self) -> str:
        """The login as a URL, every part percent-encoded."""
        user, password, name = (quote(part, safe="") for part in (self.username, self.password, self.dbname))
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{user}:{password}@{host}:{self.port}/{name}" + (f"?{self.query}" if self.query else "")

    def to_value(self, others: Mapping[str, object] | None = None) -> Value:
        """Return what goes into the secret, beside the members `others` that it holds already."""
        return {
            **(others or {}),
            "username": self.username,
            "password": self.password,
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
            "DATABASE_URL": self.url,
        }

    @property
    def server(self) -> tuple[str, int, str]:
        """What a rotation leaves as it is: host, port and database."""
        return self.host, self.port, self.dbname


def new_password() -> str:
    """Return a random database password."""
    return random_text(PASSWORD_LENGTH)


def alternate(username: str) -> str:
    """Return the other one of two alternating users. Raises `RotationError` for a name that has no other."""
    return _base(username) + _MARKS[username[-2:]]


def owner_of(username: str) -> str:
    """Return the role that owns what both alternating users make. Raises `RotationError` as `alternate` does."""
    return f"{_base(username)}_owner"


def _base(username: str) -> str:
    if username[-2:] not in _MARKS or len(username) == len("_a"):
        raise RotationError(
            f"The database user is {username!r}, but alternating users are called NAME_a and NAME_b:"
            " put NAME_a and its password into the secret."
        )
    return username[:-2]
