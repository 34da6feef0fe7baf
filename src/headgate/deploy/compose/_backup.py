"""Backups of the stack on this machine: dumps of its database, each with a note on what it was made beside."""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import headgate
from headgate.deploy._backup_names import check_backup_name
from headgate.deploy.compose._components import WAIT_SECONDS
from headgate.deploy.compose._docker import Docker
from headgate.deploy.compose._render import COMPOSE_FILE, digests
from headgate.deploy.compose._secret_files import SecretFiles
from headgate.deploy.engine import Backup, Clock, DeployError, Progress

FOLDER = "backups"
"""Where the dumps are, in the environment's directory."""
_DATABASE = "headgate"
_FRESH = f"{_DATABASE}_restored"
_IS_THERE = "SELECT count(*) FROM pg_database WHERE datname = 'headgate'"
_SEND_AWAY = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname IN ('headgate', 'headgate_restored') AND pid <> pg_backend_pid()
"""
_IN_POSTGRES = ("exec", "-T", "postgres")
_LOGIN = ("--username", _DATABASE, "--no-password")
_DUMP_SECONDS = 3600.0
"""How long a dump or its way back may take."""


@dataclass(frozen=True)
class Backups:
    """The backups of one environment in `directory`; `gateways` are the services that use its database."""

    docker: Docker
    directory: Path
    gateways: Sequence[str]
    secrets: SecretFiles
    clock: Clock = time.time

    def all(self) -> list[Backup]:
        """Return what can be restored, newest first. Raises `DeployError`."""
        with _files(self._folder):
            found = [self._found(path) for path in self._folder.glob("*.dump")]
        return sorted(found, key=lambda one: one.made, reverse=True)

    def make(self, name: str, progress: Progress) -> Backup:
        """Dump the database into a file that only its owner may read. Raises `DeployError`, also for a taken name."""
        check_backup_name(name)
        path = self._path(name)
        if path.exists():
            raise DeployError(f"There is a backup {name} already: choose another name, or delete {path}.")
        progress("dumping the database")
        with _files(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = _opened(path.with_suffix(".part"))
            try:
                with os.fdopen(part, "wb") as target:
                    words = ("pg_dump", *_LOGIN, "--format=custom", _DATABASE)
                    self.docker.compose(*_IN_POSTGRES, *words, seconds=_DUMP_SECONDS, target=target)
                    target.flush()
                    os.fsync(part)
                noted = {**self._note(name), "dump": _digest(path.with_suffix(".part"))}
                with os.fdopen(_opened(path.with_suffix(".json")), "w") as note:
                    json.dump(noted, note, indent=2, sort_keys=True)
            except BaseException:
                path.with_suffix(".part").unlink(missing_ok=True)
                raise
            # Last: a dump of that name is whole, and its note is there.
            path.with_suffix(".part").rename(path)
            progress(f"written to {path}")
            return self._found(path)

    def restore(self, name: str, progress: Progress) -> None:
        """Put a backup in place of what the database holds, with the gateways stopped meanwhile, and wait for them.

        The database before is kept under another name. Run again after an interruption it begins anew. Raises
        `DeployError`; the gateways run then on what was there.
        """
        path = self._path(name)
        if not path.is_file():
            there = ", ".join(one.name for one in self.all()) or "none yet"
            raise DeployError(f"There is no backup {name[:80]} in {self._folder}; there are {there}.")
        self._check(path)
        progress(f"stopping {', '.join(self.gateways)}")
        try:
            self.docker.compose("stop", *self.gateways)
            progress("restoring into a fresh database")
            self._fill(path)
            kept = self._swap()
        except BaseException:
            with suppress(DeployError):
                self.docker.compose("start", *self.gateways)
            raise
        progress(f"starting {', '.join(self.gateways)}")
        options = ("--detach", "--wait", "--wait-timeout", str(WAIT_SECONDS), "--no-deps", "--no-recreate")
        self.docker.compose("up", *options, *self.gateways)
        if kept:
            file = self.directory / COMPOSE_FILE
            drop = f"docker compose --file {file} exec postgres dropdb --username {_DATABASE} {kept}"
            progress(f"the database before is kept as {kept}, until `{drop}`")

    @property
    def _folder(self) -> Path:
        return self.directory / FOLDER

    def _path(self, name: str) -> Path:
        check_backup_name(name)
        return self._folder / f"{name}.dump"

    def _found(self, path: Path) -> Backup:
        facts = path.stat()
        made = self._noted(path).get("made")
        holds = f"database, {_size(facts.st_size)}, in {path}"
        return Backup(path.stem, float(made) if isinstance(made, int | float) else facts.st_mtime, holds)

    def _note(self, name: str) -> Mapping[str, Any]:
        """Return what is deployed, without any secret."""
        rendered = sorted(
            path
            for path in self.directory.rglob("*")
            if path.is_file() and path.relative_to(self.directory).parts[0] not in (FOLDER, "secrets", "state")
        )
        compose = self.directory / COMPOSE_FILE
        return {
            "backup": name,
            "made": self.clock(),
            "headgate": headgate.__version__,
            "services": digests(compose.read_text()),
            "files": {str(path.relative_to(self.directory)): _digest(path) for path in rendered},
            "salt_key": self.secrets.fingerprint("salt_key"),
        }

    def _noted(self, path: Path) -> Mapping[str, Any]:
        try:
            found = json.loads(path.with_suffix(".json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _check(self, path: Path) -> None:
        """Insist that a dump is as it was written, which pg_restore does not always notice, and can be read."""
        noted = self._noted(path)
        with _files(path):
            if noted.get("dump") not in (None, _digest(path)):
                raise DeployError(f"{path} is not what was written when the backup was made. Nothing was changed.")
        if noted.get("salt_key") not in (None, self.secrets.fingerprint("salt_key")):
            raise DeployError(
                f"The backup {path.stem} was made with another salt key, and what that encrypted could not be read:"
                f" bring the file {self.secrets.directory / 'salt_key'} of that time back first. Nothing was changed."
            )

    def _fill(self, path: Path) -> None:
        self._ask(f"DROP DATABASE IF EXISTS {_FRESH} WITH (FORCE)")
        self._ask(f"CREATE DATABASE {_FRESH} TEMPLATE template0")
        with _files(path), path.open("rb") as source:
            words = ("pg_restore", *_LOGIN, "--exit-on-error", "--dbname", _FRESH)
            self.docker.compose(*_IN_POSTGRES, *words, seconds=_DUMP_SECONDS, source=source)

    def _swap(self) -> str:
        """Give the fresh database its name in one step; return what the one before is called now, if there was one."""
        kept = f"{_DATABASE}_until_{datetime.fromtimestamp(self.clock(), UTC):%Y%m%d%H%M%S}"
        there = self._ask(_IS_THERE).strip() == "1"
        renames = [f"ALTER DATABASE {_DATABASE} RENAME TO {kept}"] if there else []
        renames.append(f"ALTER DATABASE {_FRESH} RENAME TO {_DATABASE}")
        self._ask(_SEND_AWAY)
        self._ask("; ".join(renames))
        return kept if there else ""

    def _ask(self, statements: str) -> str:
        """Have the database do statements, all or none of them, and return what it answers."""
        options = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1")
        words = ("psql", *_LOGIN, *options, "--dbname", "postgres", "--command", statements)
        return self.docker.compose(*_IN_POSTGRES, *words)


def _opened(path: Path) -> int:
    """Open a file for writing that only its owner may ever read."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"


@contextmanager
def _files(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise DeployError(f"{place} can not be read or written: {error.strerror or 'unknown error'}.") from error
