"""Docker's command line."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from headgate.core.clock import Clock, monotonic
from headgate.deploy._docker import DockerError, run_docker
from headgate.deploy.engine import DeployError

READ_SECONDS = 30.0
"""How long a question may take."""
CHANGE_SECONDS = 900.0
"""How long starting or stopping services may take; images are pulled in it."""
FRESH_SECONDS = 2.0
"""How long an answer on containers may be used again: one plan asks for each component, and means one moment."""
OLDEST = (2, 24)
"""The first Compose that knows environment files that may be missing."""
_OLDEST_SHOWN = ".".join(map(str, OLDEST))
_NO_COMPOSE = ("unknown flag", "unknown command: docker compose", "is not a docker command")
"""What Docker's command line says when it takes `compose` for a mistake."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as `docker compose ps` tells. `health` is empty where the image has no check.

    `published` are the addresses of this machine that lead to it, such as `127.0.0.1:4000`.
    """

    service: str
    state: str
    health: str
    exit_code: int
    digest: str
    published: frozenset[str] = frozenset()


class Docker:
    """Runs `docker` for one project. `secrets` returns what must not be in an error, whatever a program says."""

    def __init__(
        self,
        project: str,
        directory: Path,
        secrets: Callable[[], Iterable[str]],
        environ: Mapping[str, str],
        clock: Clock = monotonic,
    ) -> None:
        self._project = project
        self._directory = directory
        self._secrets = secrets
        self._environ = environ
        self._clock = clock
        self._seen: tuple[float, list[Container]] | None = None

    def problem(self) -> str | None:
        """Say what keeps Docker from being used; None when it can be."""
        try:
            version = self._run(["compose", "version", "--short"], READ_SECONDS).strip()
            self._run(["info", "--format", "{{.ServerVersion}}"], READ_SECONDS)
        except DeployError as error:
            return str(error)
        if _numbers(version) < OLDEST:
            return f"Docker Compose {version[:40]} is too old: it takes {_OLDEST_SHOWN} or newer."
        return None

    def has_image(self, reference: str) -> bool:
        """Tell whether an image is on this machine. Raises `DeployError`."""
        return bool(self._run(["image", "ls", "--quiet", reference], READ_SECONDS).strip())

    def volumes(self) -> frozenset[str]:
        """Return the project's volumes, without the project's name before them. Raises `DeployError`."""
        filters = ["--filter", f"label=com.docker.compose.project={self._project}"]
        names = self._run(["volume", "ls", "--quiet", *filters], READ_SECONDS).split()
        return frozenset(name.removeprefix(f"{self._project}_") for name in names)

    def delete_volumes(self, names: Iterable[str]) -> None:
        """Delete volumes, with what is in them. Raises `DeployError`."""
        self._run(["volume", "rm", *(f"{self._project}_{name}" for name in names)], CHANGE_SECONDS)

    def containers(self) -> list[Container]:
        """Return the project's containers, stopped ones too. Raises `DeployError`."""
        if self._seen is not None and self._clock() - self._seen[0] < FRESH_SECONDS:
            return self._seen[1]
        # By the project's name alone: the compose file may not be there yet.
        text = self._run(["compose", "--project-name", self._project, "ps", "--all", "--format", "json"], READ_SECONDS)
        self._seen = self._clock(), [_container(row) for row in _rows(text)]
        return self._seen[1]

    def compose(
        self,
        *arguments: str,
        seconds: float = CHANGE_SECONDS,
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
    ) -> str:
        """Run a command of Compose's on the project's file, reading `source` and writing `target` where given.

        Raises `DeployError`.
        """
        file = str(self._directory / "compose.yaml")
        self._seen = None
        words = ["compose", "--project-name", self._project, "--file", file, *arguments]
        return self._run(words, seconds, source=source, target=target)

    def hide(self, text: str) -> str:
        """Take the secrets out of a text."""
        for secret in sorted(set(self._secrets()), key=len, reverse=True):
            text = text.replace(secret, "[hidden]")
        return text

    def _run(
        self,
        arguments: list[str],
        seconds: float,
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
    ) -> str:
        try:
            return run_docker(
                arguments, environ=self._environ, seconds=seconds, source=source, target=target, hide=self.hide
            )
        except DockerError as error:
            if arguments[0] == "compose" and any(sign in error.said for sign in _NO_COMPOSE):
                raise DeployError(f"Docker has no Compose plugin: install version {_OLDEST_SHOWN} or newer.") from None
            raise


def process_environment() -> Mapping[str, str]:
    """Return what Docker's command line may see: all but the variables that Compose would put into the file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.removeprefix("v").split(".")[:2]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)


def _rows(text: str) -> list[dict[str, Any]]:
    """Read what `ps` wrote: a JSON array, or an object a line, as its version has it."""
    try:
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [dict(row) for row in rows]
    except (ValueError, TypeError):
        raise DeployError("What `docker compose ps` wrote can not be read.") from None


def _container(row: Mapping[str, Any]) -> Container:
    labels = dict(label.split("=", 1) for label in str(row.get("Labels", "")).split(",") if "=" in label)
    return Container(
        service=str(row.get("Service", "")),
        state=str(row.get("State", "")),
        health=str(row.get("Health", "")),
        exit_code=int(row.get("ExitCode", 0)),
        digest=labels.get("headgate.digest", ""),
        published=frozenset(
            f"{one.get('URL')}:{one['PublishedPort']}"
            for one in row.get("Publishers") or ()
            if one.get("PublishedPort")
        ),
    )
