"""The keys that open the gateway, and whom they belong to."""

from datetime import datetime
from typing import Annotated

import msgspec

from headgate.core.errors import ConfigurationError


class Principal(msgspec.Struct, frozen=True):
    """On whose behalf a request is made. `key_hash` is the SHA-256 of the key in hex."""

    key_hash: str
    is_master: bool


class MasterKey(msgspec.Struct, frozen=True):
    """The key that opens everything, and while it is being replaced the one before.

    `previous_not_after` is the wall-clock time, in seconds since 1970, from which `previous` is not valid any more.
    """

    current: str
    previous: str | None = None
    previous_not_after: float = 0.0

    def __repr__(self) -> str:
        return "MasterKey(...)"

    @classmethod
    def parse(cls, text: str) -> "MasterKey":
        """Read a key, or a JSON object with `current`, `previous` and `previous_not_after` (RFC 3339).

        That object is what a rotation keeps in its secret; other members may stand in it. Before the first rotation
        the secret may have the key as `LITELLM_MASTER_KEY` alone. Raises `ConfigurationError`, which shows none of the
        text.
        """
        if not text.lstrip().startswith("{"):
            return cls(text)
        try:
            found = msgspec.json.decode(text, type=_Rotated)
        except msgspec.DecodeError as error:
            raise ConfigurationError([f"The master key begins as a JSON object, but: {error}."]) from None
        current = found.current or found.only
        if not current:
            raise ConfigurationError(['The master key is a JSON object without a "current" key.'])
        if found.previous is None:
            return cls(current)
        if not found.previous or found.previous_not_after is None:
            raise ConfigurationError(['The master key has a "previous", which needs a key and a "previous_not_after".'])
        return cls(current, found.previous, found.previous_not_after.timestamp())


class _Rotated(msgspec.Struct):
    current: str | None = None
    only: str | None = msgspec.field(default=None, name="LITELLM_MASTER_KEY")
    previous: str | None = None
    previous_not_after: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
