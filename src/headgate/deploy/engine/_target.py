"""A platform as the command line sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from headgate.deploy.engine._component import Component, Progress
from headgate.deploy.engine._graph import Graph
from headgate.deploy.engine._store import StateStore


class Verdict(Enum):
    """How a check ended."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be told: credentials, permissions or the network are missing."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was looked at: what, how it is, and a sentence that says what to do where it is not well."""

    name: str
    verdict: Verdict
    message: str

    def data(self) -> dict[str, str]:
        """Return the check for JSON."""
        return {"check": self.name, "verdict": self.verdict.value, "message": self.message}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as this tool left it: in which component, which resource, and how it differs."""

    component: str
    resource: str
    message: str

    def data(self) -> dict[str, str]:
        """Return the difference for JSON."""
        return {"component": self.component, "resource": self.resource, "message": self.message}


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup: its name, when it was made in seconds since 1970, what it holds, and whether it can be restored."""

    name: str
    made: float
    holds: str
    complete: bool = True

    def data(self) -> dict[str, Any]:
        """Return the backup for JSON."""
        return {"backup": self.name, "made": self.made, "holds": self.holds, "complete": self.complete}


class Target(Protocol):
    """One environment on one platform. Nothing here changes anything but `render`, which writes where it is told, and
    what says that the lock is held.
    """

    @property
    def store(self) -> StateStore:
        """Where lock and journal are."""
        ...

    @property
    def foundation(self) -> Component | None:
        """What has to be there before lock and journal can be kept; None where nothing has to."""
        ...

    def graph(self) -> Graph:
        """Return the components to bring up, and to look at."""
        ...

    def teardown(self, *, delete_data: bool = False) -> Graph:
        """Return the components to take down; with `delete_data` what they hold goes along."""
        ...

    def leftovers(self) -> Sequence[Check]:
        """Return what is left after a teardown: warnings for data that is kept, failures for what should have gone."""
        ...

    def validate(self) -> Sequence[Check]:
        """Check what the deployment file leads to, with nothing but files."""
        ...

    def render(self, directory: Path) -> Sequence[str]:
        """Write every artefact to a directory; return their paths in it. Raises `DeployError`."""
        ...

    def outputs(self) -> Mapping[str, Any]:
        """Return where things are and how to get at them, without any secret."""
        ...

    def logs(self, component: str, lines: int) -> str:
        """Return the last lines that a component wrote. Raises `DeployError`."""
        ...

    def verify(self) -> Sequence[Check]:
        """Look at the deployment from the outside, as those who use it do. Raises `ConfigurationError`."""
        ...

    def differences(self) -> Sequence[Difference]:
        """Return what somebody else changed since the last run. Raises `DeployError`."""
        ...

    def scale(self, tasks: int, progress: Progress) -> None:
        """Have so many gateways run, and wait until they do; the lock is held. Raises `DeployError`."""
        ...

    def backups(self) -> Sequence[Backup]:
        """Return the backups that there are, newest first."""
        ...

    def backup(self, name: str, progress: Progress) -> Backup:
        """Save what the deployment holds under a name, and wait until it is saved; the lock is held."""
        ...

    def restore(self, name: str, progress: Progress) -> None:
        """Bring a backup back in place of what the deployment holds, and wait until it serves; the lock is held."""
        ...
