"""The one place that changes anything."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from headgate.deploy.engine._component import Action, Clock, Health, State
from headgate.deploy.engine._errors import DeployError, ExitCode
from headgate.deploy.engine._journal import Journal
from headgate.deploy.engine._plan import Plan, Step


class Outcome(Enum):
    """How a step ended."""

    DONE = "done"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_REACHED = "not reached"


_ENDS = frozenset({Outcome.FAILED, Outcome.INTERRUPTED})


class EventKind(Enum):
    """What an event tells."""

    STARTED = "started"
    PROGRESS = "progress"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a step, `seconds` after it began. `outcome` is set when it ended."""

    kind: EventKind
    component: str
    message: str
    seconds: float
    outcome: Outcome | None = None


Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step ended, and why."""

    component: str
    action: Action
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""

    def data(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {
            "component": self.component,
            "action": self.action.value,
            "outcome": self.outcome.value,
            "seconds": round(self.seconds, 3),
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, step by step."""

    steps: tuple[StepResult, ...]

    @property
    def exit_code(self) -> ExitCode:
        """`DONE` only when every step ended as it should, confirmed by reading the world again."""
        outcomes = {step.outcome for step in self.steps}
        if Outcome.INTERRUPTED in outcomes:
            return ExitCode.INTERRUPTED
        if Outcome.FAILED in outcomes:
            return ExitCode.FAILED
        return ExitCode.BLOCKED if Outcome.BLOCKED in outcomes else ExitCode.DONE

    def data(self) -> dict[str, Any]:
        """Return the run for JSON."""
        return {"steps": [step.data() for step in self.steps], "exit_code": int(self.exit_code)}


def execute(plan: Plan, journal: Journal, command: str, listen: Listener, clock: Clock) -> RunResult:
    """Do a plan, in its order, and note each step in the journal. The caller holds the lock.

    A step is done when reading the component again confirms it. The first failure, or Ctrl-C, ends the run; running
    the same command again continues, since it plans from what is there.
    """
    journal.begin(command)
    results: list[StepResult] = []
    stopped = False
    for step in plan.steps:
        if stopped:
            result = StepResult(step.name, step.change.action, Outcome.NOT_REACHED)
        else:
            result = _Run(step, plan, journal, listen, clock).result()
        results.append(result)
        stopped = stopped or result.outcome in _ENDS
        with contextlib.suppress(*([DeployError] if stopped else [])):
            # What ended the run, such as credentials that expired, may be in the journal's way too.
            journal.note(step.name, result.outcome.value, result.message)
    with contextlib.suppress(*([DeployError] if stopped else [])):
        journal.end()
    return RunResult(tuple(results))


class _Run:
    """One step while it is being done."""

    def __init__(self, step: Step, plan: Plan, journal: Journal, listen: Listener, clock: Clock) -> None:
        self._step = step
        self._goal = plan.goal
        self._needed = plan.goal is Health.HEALTHY and bool(plan.situation(step).dependents_in_run)
        self._journal = journal
        self._listen = listen
        self._clock = clock
        self._began = clock()

    def result(self) -> StepResult:
        action = self._step.change.action
        if action is Action.BLOCKED:
            return self._end(Outcome.BLOCKED, "\n".join(self._step.change.reasons))
        if action is Action.SKIP and not self._needed:
            return self._end(Outcome.SKIPPED, "\n".join(self._step.change.reasons))
        self._tell(EventKind.STARTED, action.value)
        self._journal.note(self._step.name, "started")
        try:
            self._act(action)
            state = self._step.component.describe()
        except DeployError as error:
            return self._end(Outcome.FAILED, str(error))
        except KeyboardInterrupt:
            return self._end(Outcome.INTERRUPTED, "stopped by Ctrl-C or a signal")
        if state.health is not self._goal:
            return self._end(Outcome.FAILED, _unexpected(state, self._goal))
        return self._end(Outcome.SKIPPED if action is Action.SKIP else Outcome.DONE, state.reason)

    def _act(self, action: Action) -> None:
        def progress(message: str) -> None:
            self._tell(EventKind.PROGRESS, message)

        if action is Action.DELETE:
            self._step.component.destroy(progress)
        elif action is not Action.SKIP:
            self._step.component.apply(progress)

    def _tell(self, kind: EventKind, message: str, outcome: Outcome | None = None) -> None:
        self._listen(Event(kind, self._step.name, message, self._clock() - self._began, outcome))

    def _end(self, outcome: Outcome, message: str) -> StepResult:
        self._tell(EventKind.ENDED, message, outcome)
        seconds = self._clock() - self._began
        return StepResult(self._step.name, self._step.change.action, outcome, seconds, message)


def _unexpected(state: State, wanted: Health) -> str:
    reason = f": {state.reason}" if state.reason else ""
    return f"It should be {wanted.value} now and is {state.health.value}{reason}"
