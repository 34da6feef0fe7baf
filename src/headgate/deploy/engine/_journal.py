"""What the last run did, so that the next one can go on."""

import json
from typing import Any

from headgate.deploy.engine._component import Clock
from headgate.deploy.engine._errors import DeployError
from headgate.deploy.engine._store import StateStore

KEY = "journal"


class Journal:
    """The record of one run, written after every step. Holds names, outcomes and sentences, never a secret."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        found = store.read(KEY)
        self._version = None if found is None else found.version
        self._run: dict[str, Any] = {} if found is None else _read(found.data)

    @property
    def last(self) -> dict[str, Any]:
        """The last run: command, started, finished, steps; empty when there was none."""
        return self._run

    @property
    def stopped_at(self) -> str | None:
        """The step at which the last run stopped before its end; None when it reached it."""
        steps = self._run.get("steps", {})
        unfinished = [name for name, step in steps.items() if step.get("outcome") not in ("done", "skipped", "blocked")]
        return unfinished[0] if unfinished else None

    def begin(self, command: str) -> None:
        """Start the record of a run. Raises `DeployError`."""
        self._run = {"command": command, "started": self._clock(), "finished": None, "steps": {}}
        self._write()

    def note(self, component: str, outcome: str, message: str = "") -> None:
        """Note how far a step is. Raises `DeployError`."""
        self._run["steps"][component] = {"outcome": outcome, "at": self._clock(), "message": message}
        self._write()

    def end(self) -> None:
        """Note that the run reached its end. Raises `DeployError`."""
        self._run["finished"] = self._clock()
        self._write()

    def _write(self) -> None:
        self._version = self._store.write(KEY, json.dumps(self._run).encode(), self._version)


def _read(data: bytes) -> dict[str, Any]:
    try:
        run = json.loads(data)
    except ValueError:
        run = None
    if not isinstance(run, dict):
        raise DeployError("The journal of the last run can not be read. Delete journal.json and start again.")
    return run
