"""A world of components in memory, and a user who answers from a list."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from headgate.deploy.engine import (
    Action,
    Change,
    Choice,
    DeployError,
    Health,
    Progress,
    Risk,
    Skip,
    State,
    Step,
    Trait,
)


@dataclass
class Part:
    """A component whose state is a variable; `happens` is called before each change, with its name."""

    name: str
    requires: tuple[str, ...] = ()
    health: Health = Health.ABSENT
    trait: Trait = Trait.NORMAL
    outdated: bool = False
    risks: tuple[Risk, ...] = ()
    security: tuple[str, ...] = ()
    heals: bool = True
    happens: Callable[[str], None] = lambda change: None
    changes: list[str] = field(default_factory=list)

    def describe(self) -> State:
        return State(self.health, f"said to be {self.health.value}")

    def plan(self, state: State) -> Change:
        if state.health is Health.HEALTHY and not self.outdated:
            return Change(Action.SKIP, ("as wanted",))
        action = Action.CREATE if state.health is Health.ABSENT else Action.UPDATE
        return Change(action, ("wanted",), self.security, self.risks)

    def plan_destroy(self, state: State) -> Change:
        if state.health is Health.ABSENT:
            return Change(Action.SKIP, ("absent",))
        return Change(Action.DELETE, ("asked for",), risks=self.risks)

    def apply(self, progress: Progress) -> None:
        progress(f"applying {self.name}")
        self.happens(self.name)
        self.changes.append("apply")
        if self.heals:
            self.health, self.outdated = Health.HEALTHY, False

    def destroy(self, progress: Progress) -> None:
        progress(f"destroying {self.name}")
        self.happens(self.name)
        self.changes.append("destroy")
        if self.heals:
            self.health = Health.ABSENT


class Unreadable(Part):
    """A component that can not be read."""

    def describe(self) -> State:
        raise DeployError("no credentials")


class Clockwork:
    """A clock that goes on by a second each time it is read."""

    def __init__(self, start: float = 1_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        self.now += 1
        return self.now


class User:
    """Answers from lists, and remembers what it was told."""

    def __init__(self, choices: Iterable[Choice] = (), *, agrees: bool = True, types: bool = True) -> None:
        self.choices = list(choices)
        self.answer = agrees
        self.typing = types
        self.asked: list[str] = []
        self.warnings: list[str] = []
        self.shown: list[str] = []

    def choose(self, step: Step, verdict: Skip, reason: str) -> Choice:
        self.asked.append(step.name)
        return self.choices.pop(0)

    def show(self, step: Step) -> None:
        self.shown.append(step.name)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def agrees(self, question: str) -> bool:
        self.asked.append(question)
        return self.answer

    def types(self, word: str, why: str) -> bool:
        self.asked.append(f"type {word}")
        return self.typing
