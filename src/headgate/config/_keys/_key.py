"""One key of the configuration, as data."""

from typing import NamedTuple

from headgate.config._findings import Disposition


class Key(NamedTuple):
    """A key of LiteLLM's.

    `note` says what it does or, where it has no effect, why or what to use instead. `default` is what holds when the
    key is not set. `planned` marks what Headgate does not do yet: whoever sets it would be misled by silence.
    """

    name: str
    disposition: Disposition
    note: str
    default: str = ""
    planned: bool = False


def honoured(name: str, default: str, note: str) -> tuple[Key]:
    """Make a key that works."""
    return (Key(name, Disposition.HONOURED, note, default),)


def ignored(note: str, *names: str) -> tuple[Key, ...]:
    """Make keys that nobody misses."""
    return tuple(Key(name, Disposition.IGNORED, note) for name in names)


def planned(note: str, *names: str) -> tuple[Key, ...]:
    """Make keys that have no effect until Headgate does what they ask for."""
    return tuple(Key(name, Disposition.IGNORED, f"Not yet: {note}", planned=True) for name in names)


def refused(note: str, *names: str) -> tuple[Key, ...]:
    """Make keys whose absence of effect would be unsafe or misleading."""
    return tuple(Key(name, Disposition.REFUSED, note) for name in names)
