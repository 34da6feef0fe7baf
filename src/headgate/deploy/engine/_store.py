"""Where a deployment keeps its lock and its journal."""

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headgate.deploy.engine._errors import DeployError, StoreConflictError

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A value and its version, which changes with the value."""

    data: bytes
    version: str


class StateStore(Protocol):
    """Small values under names, changed only by who knows what they replace. Never holds a secret."""

    def read(self, key: str) -> Stored | None:
        """Return a value; None when there is none. Raises `DeployError` when it can not be read."""
        ...

    def write(self, key: str, data: bytes, replaces: str | None) -> str:
        """Write a value and return its version.

        `replaces` is the version that it replaces, None for no value. Raises `StoreConflictError` when that is not
        what is there, `DeployError` when it can not be written.
        """
        ...

    def delete(self, key: str, replaces: str) -> None:
        """Delete a value of that version. Raises as `write` does."""
        ...


class LocalStore:
    """Values as files of a directory, which is made when the first one is written. Only its owner may read them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, key: str) -> Stored | None:
        """Return a value; None when there is none. Raises `DeployError`."""
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("read", self._path(key), error) from error
        return Stored(data, hashlib.sha256(data).hexdigest())

    def write(self, key: str, data: bytes, replaces: str | None) -> str:
        """Write a value and return its version. Raises `StoreConflictError` and `DeployError`."""
        with self._alone(key):
            self._insist(key, replaces)
            descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=f".{key}-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return hashlib.sha256(data).hexdigest()

    def delete(self, key: str, replaces: str) -> None:
        """Delete a value of that version. Raises `StoreConflictError` and `DeployError`."""
        with self._alone(key):
            self._insist(key, replaces)
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not a key")
        return self._directory / f"{key}.json"

    def _insist(self, key: str, replaces: str | None) -> None:
        found = self.read(key)
        if (None if found is None else found.version) != replaces:
            raise StoreConflictError(f"{self._path(key)} was changed by somebody else.")

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Keep other processes out while a value is compared and changed."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._directory / ".mutex", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _failed("write", self._path(key), error) from error


class MemoryStore:
    """Values of this process, for what runs before there is a place to keep them."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def read(self, key: str) -> Stored | None:
        """Return a value; None when there is none."""
        data = self._values.get(key)
        return None if data is None else Stored(data, hashlib.sha256(data).hexdigest())

    def write(self, key: str, data: bytes, replaces: str | None) -> str:
        """Write a value and return its version. Raises `StoreConflictError`."""
        self._insist(key, replaces)
        self._values[key] = data
        return hashlib.sha256(data).hexdigest()

    def delete(self, key: str, replaces: str) -> None:
        """Delete a value of that version. Raises `StoreConflictError`."""
        self._insist(key, replaces)
        del self._values[key]

    def _insist(self, key: str, replaces: str | None) -> None:
        found = self.read(key)
        if (None if found is None else found.version) != replaces:
            raise StoreConflictError(f"{key} was changed by somebody else.")


def _failed(what: str, path: Path, error: OSError) -> DeployError:
    return DeployError(f"Can not {what} {path}: {error.strerror or 'unknown error'}.")
