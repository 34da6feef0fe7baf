"""A platform as the command line sees it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from headgate.deploy.engine._graph import Graph
from headgate.deploy.engine._store import StateStore


class Target(Protocol):
    """One environment on one platform. Nothing here changes anything but `render`, which writes where it is told."""

    @property
    def store(self) -> StateStore:
        """Where lock and journal are."""
        ...

    def graph(self, *, delete_data: bool = False) -> Graph:
        """Return the components; with `delete_data` taking one down takes what it holds along."""
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
