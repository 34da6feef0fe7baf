"""Docker's command line."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.core.clock import Clock, monotonic
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

    def compose(self, *arguments: str, seconds: float = CHANGE_SECONDS) -> str:
        """Run a command of Compose's on the project's file. Raises `DeployError`."""
        file = str(self._directory / "compose.yaml")
        self._seen = None
        return self._run(["compose", "--project-name", self._project, "--file", file, *arguments], seconds)

    def hide(self, text: str) -> str:
        """Take the secrets out of a text."""
        for secret in sorted(set(self._secrets()), key=len, reverse=True):
            text = text.replace(secret, "[hidden]")
        return text

    def _run(self, arguments: list[str], seconds: float) -> str:
        command = ["docker", *arguments]
        try:
            result = subprocess.run(  # noqa: S603 - no shell, and every argument is checked or our own
                command, capture_output=True, text=True, timeout=seconds, check=False, env=dict(self._environ)
            )
        except FileNotFoundError:
            raise DeployError("Docker is not installed: there is no `docker` on the PATH.") from None
        except OSError as error:
            raise DeployError(f"Docker can not be run: {error.strerror or 'unknown error'}.") from error
        except subprocess.TimeoutExpired:
            raise DeployError(f"`{_shown(command)}` did not end within {seconds:.0f} s.") from None
        if result.returncode != 0:
            if arguments[0] == "compose" and any(sign in result.stderr for sign in _NO_COMPOSE):
                raise DeployError(f"Docker has no Compose plugin: install version {_OLDEST_SHOWN} or newer.")
            said = self.hide((result.stderr.strip() or result.stdout.strip())[-2000:])
            raise DeployError(f"`{_shown(command)}` failed: {said or f'exit code {result.returncode}'}")
        return result.stdout


def process_environment() -> Mapping[str, str]:
    """Return what Docker's command line may see: all but the variables that Compose would put into the file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}


def _shown(command: list[str]) -> str:
    return " ".join(command if len(command) <= 8 else [*command[:8], "..."])


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
