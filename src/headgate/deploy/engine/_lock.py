"""One run at a time, and whose."""

import getpass
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.deploy.engine._component import Clock
from headgate.deploy.engine._errors import DeployError, LockedError, StoreConflictError
from headgate.deploy.engine._store import StateStore

KEY = "lock"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks for the lock, and to do what."""

    owner: str
    host: str
    process: int
    command: str

    @classmethod
    def this_process(cls, command: str) -> "Holder":
        """Name the user, host and process that this is."""
        return cls(_user(), socket.gethostname(), os.getpid(), command)


@dataclass(frozen=True, slots=True)
class LockInfo:
    """A lock as it is kept. `since` is in seconds since 1970; `token` makes each one different."""

    owner: str
    host: str
    process: int
    command: str
    since: float
    token: str

    def data(self, now: float) -> dict[str, Any]:
        """Return the lock for JSON, with its age in seconds."""
        kept = asdict(self)
        del kept["token"]
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds")
        return {**kept, "since": since, "age_seconds": max(0, round(now - self.since))}

    def describe(self, now: float) -> str:
        """Say who holds it, from where, for how long, and for which command."""
        age = _age(max(0.0, now - self.since))
        return f"{self.owner} on {self.host} (process {self.process}) for {age}: {self.command}"


@contextmanager
def locked(store: StateStore, holder: Holder, clock: Clock) -> Iterator[None]:
    """Hold the lock of a deployment. Raises `LockedError`, naming the owner, while somebody else does.

    Raises `DeployError`, after what went wrong before, where the lock can not be given back.
    """
    lock = LockInfo(**asdict(holder), since=clock(), token=secrets.token_hex(8))
    try:
        version = store.write(KEY, json.dumps(asdict(lock)).encode(), None)
    except StoreConflictError:
        held = held_lock(store)
        who = "somebody else" if held is None else held.describe(clock())
        message = f"Locked by {who}. Wait, or run `headgate deploy unlock` when that run is dead."
        raise LockedError(message) from None
    try:
        yield
    except DeployError as error:
        _release(store, version, str(error))
        raise
    except BaseException:
        _release(store, version)
        raise
    else:
        _release(store, version)


def held_lock(store: StateStore) -> LockInfo | None:
    """Return the lock that is held; None when there is none."""
    found = store.read(KEY)
    return None if found is None else _read(found.data)


def break_lock(store: StateStore) -> LockInfo | None:
    """Take the lock from whoever holds it, and say who that was; None when nobody did."""
    found = store.read(KEY)
    if found is None:
        return None
    store.delete(KEY, found.version)
    return _read(found.data)


def _read(data: bytes) -> LockInfo:
    try:
        return LockInfo(**json.loads(data))
    except (ValueError, TypeError):
        # Still a lock: a file that was cut short must not let a second run in.
        return LockInfo("unknown", "unknown", 0, "unknown", 0.0, "")


def _release(store: StateStore, version: str, before: str = "") -> None:
    try:
        store.delete(KEY, version)
    except StoreConflictError:
        # It was broken by `unlock`; what is there now is somebody else's.
        return
    except DeployError as error:
        told = dict.fromkeys([before, str(error), "The lock stays: `headgate deploy unlock` takes it away."])
        raise DeployError(" ".join(filter(None, told))) from error


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
