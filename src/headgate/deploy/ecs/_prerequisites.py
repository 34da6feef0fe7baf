"""What has to be true before anything is changed, as a component of the deployer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.deploy.engine import Action, Change, Check, DeployError, Health, Progress, State, Trait, Verdict


@dataclass
class Prerequisites:
    """Runs the pre-flight checks once. What fails blocks everything; warnings are told."""

    checks: Callable[[], tuple[Check, ...]]
    name: str = "prerequisites"
    requires: tuple[str, ...] = ()
    trait: Trait = Trait.COMPULSORY
    _found: tuple[Check, ...] | None = field(default=None, init=False)

    def describe(self) -> State:
        """Return what the checks found; healthy with warnings, and with what nobody can tell."""
        if self._found is None:
            self._found = self.checks()
        told = {verdict: [one for one in self._found if one.verdict is verdict] for verdict in Verdict}
        if told[Verdict.FAILED]:
            return State(Health.UNHEALTHY, _told(told[Verdict.FAILED]))
        if len(told[Verdict.UNKNOWN]) == len(self._found):
            return State(Health.UNKNOWN, self._found[0].message if self._found else "")
        doubts = [*told[Verdict.WARNING], *told[Verdict.UNKNOWN]]
        return State(Health.HEALTHY, "\n".join([f"{len(told[Verdict.PASSED])} checks passed", *map(_one, doubts)]))

    def plan(self, state: State) -> Change:
        """Block everything where a check failed."""
        if state.health is Health.UNHEALTHY:
            return Change(Action.BLOCKED, tuple(_one(one) for one in self._found or () if _failed(one)))
        return Change(Action.SKIP, tuple(state.reason.splitlines()))

    def plan_destroy(self, state: State) -> Change:
        """There is nothing to take away."""
        return Change(Action.SKIP, ("nothing of it stays",))

    def apply(self, progress: Progress) -> None:
        """Insist that nothing fails. Raises `DeployError`."""
        state = self.describe()
        if state.health is Health.UNHEALTHY:
            raise DeployError(state.reason)

    def destroy(self, progress: Progress) -> None:
        """There is nothing to take away."""


def _failed(check: Check) -> bool:
    return check.verdict is Verdict.FAILED


def _one(check: Check) -> str:
    word = "" if _failed(check) else f"{check.verdict.value}: "
    return f"{word}{check.name}: {check.message}"


def _told(checks: list[Check]) -> str:
    return "\n".join(_one(one) for one in checks)
