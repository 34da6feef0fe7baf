"""Names of header fields in lower case, each made once: the same few come with every message."""

from typing import Final

_NAMES_KEPT: Final = 500
_LONGEST: Final = 64
"""Characters of a name that is kept; the other end chooses the names, so what is kept is bounded."""

_known: Final[dict[bytes, bytes]] = {}


def lower(name: bytes) -> bytes:
    """Return a field's name in lower case."""
    known = _known.get(name)
    if known is None:
        known = name.lower()
        if len(_known) < _NAMES_KEPT and len(name) <= _LONGEST:
            _known[name] = known
    return known
