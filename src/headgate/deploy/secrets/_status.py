"""How the secrets of an environment are: there, filled, rotated in time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from headgate.deploy.rotation import KEY_PREFIX, MasterKey, RotationError, alternate, is_overdue, rotation_interval
from headgate.deploy.secrets._catalogue import CATALOGUE, Entry, Turnover
from headgate.deploy.secrets._vault import Description, Vault

STUCK = timedelta(hours=1)
"""After how long a rotation that has not ended counts as stuck: a function takes a minute, with retries a few."""


@dataclass(frozen=True, slots=True)
class Status:
    """One secret. `problems` are sentences on what needs somebody; no field holds a value of the secret.

    `previous_valid_until` is when the previous master key ends, None when it has ended or there is none.
    """

    name: str
    exists: bool
    empty: bool
    rotated: bool = False
    last_rotated: datetime | None = None
    next_rotation: datetime | None = None
    previous_valid_until: datetime | None = None
    pending_since: datetime | None = None
    problems: tuple[str, ...] = field(default=())


def status(vault: Vault, now: datetime, entries: Iterable[Entry] = CATALOGUE) -> tuple[Status, ...]:
    """Return how each secret is. Raises `SecretsError` when AWS refuses to tell."""
    return tuple(_status(vault, entry, now) for entry in entries)


def _status(vault: Vault, entry: Entry, now: datetime) -> Status:
    found = vault.describe(entry)
    if found is None:
        return Status(vault.name(entry), exists=False, empty=True, problems=("it does not exist",))
    if found.deleted:
        return Status(vault.name(entry), exists=True, empty=True, problems=("it is scheduled for deletion",))
    value = vault.value(entry)
    pending_since = None if found.pending is None else vault.pending_since(entry, found.pending) or now
    problems = [*_value_problems(entry, value), *_rotation_problems(entry, found, pending_since, now)]
    return Status(
        name=vault.name(entry),
        exists=True,
        empty=value is None or not any(value.get(name) for name in (*entry.names, "current")),
        rotated=found.rotated,
        last_rotated=found.last_rotated,
        next_rotation=found.next_rotation,
        previous_valid_until=_window(entry, value, now),
        pending_since=pending_since,
        problems=tuple(problems),
    )


def _value_problems(entry: Entry, value: Mapping[str, object] | None) -> Iterator[str]:
    if value is None:
        yield "it holds nothing"
        return
    try:
        if entry.name == "master-key" and not MasterKey.from_value(value).current.startswith(KEY_PREFIX):
            yield f"the key does not begin with {KEY_PREFIX}, which LiteLLM needs: rotate it"
        if entry.name == "database" and value.get("username"):
            alternate(str(value["username"]))
    except RotationError as error:
        yield str(error).rstrip(".")
    lacking = [name for name in entry.names if not value.get(name)]
    if entry.name != "master-key" and (len(lacking) == len(entry.members) if entry.any_member else lacking):
        yield f"it lacks {', '.join(lacking)}"


def _rotation_problems(
    entry: Entry, found: Description, pending_since: datetime | None, now: datetime
) -> Iterator[str]:
    if entry.turnover is not Turnover.AUTOMATIC:
        return
    if not found.rotated:
        yield "it is not rotated"
        return
    if pending_since is not None and now - pending_since > STUCK:
        since = pending_since.astimezone(UTC)
        yield f"a rotation has not ended since {since:%Y-%m-%d %H:%M} UTC: see the function's log"
    interval, last = rotation_interval(found.rules), found.last_rotated or found.created
    if interval is not None and last is not None and is_overdue(found.rules, last, now):
        yield f"it was rotated last on {last:%Y-%m-%d} although that is due every {interval / timedelta(days=1):g} days"


def _window(entry: Entry, value: Mapping[str, object] | None, now: datetime) -> datetime | None:
    if entry.name != "master-key" or value is None:
        return None
    try:
        key = MasterKey.from_value(value)
    except RotationError:
        return None
    return key.previous_not_after if key.window_open(now) else None
