"""A stack as a component of the deployer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.deploy.ecs._account import explained
from headgate.deploy.ecs._changes import Change as StackChange
from headgate.deploy.ecs._changes import Plan, creation
from headgate.deploy.ecs._errors import ConfirmationNeededError, CredentialsError
from headgate.deploy.ecs._runner import NEVER_FINISHED
from headgate.deploy.ecs._world import World
from headgate.deploy.engine import Action, Change, DeployError, Health, Operation, Progress, Risk, State, Trait

_HOLDS_DATA = frozenset(
    {
        "AWS::EFS::FileSystem",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::KMS::Key",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    }
)
"""Types whose replacement or deletion loses what is in them."""

_REASONS = {
    "REVIEW_IN_PROGRESS": "a run was cut off before anything was created",
    "UPDATE_ROLLBACK_FAILED": "an update failed, and so did the way back",
    "UPDATE_ROLLBACK_COMPLETE": "the last update was rolled back; it is as it was before",
}


@dataclass(frozen=True)
class Hooks:
    """What a stack needs besides CloudFormation; each raises `DeployError`.

    `obstacle` says what keeps the stack from being made, None for nothing. `prepare` produces what the stack consumes,
    before it is created or changed. `complete` brings what CloudFormation does not, and waits until it works; `health`
    tells whether it does, None for well. `release` takes away what keeps the stack from being deleted.
    """

    obstacle: Callable[[], str | None] = lambda: None
    prepare: Callable[[Progress], None] = lambda progress: None
    complete: Callable[[Progress], None] = lambda progress: None
    health: Callable[[], State | None] = lambda: None
    release: Callable[[Progress], None] = lambda progress: None


@dataclass
class StackComponent:
    """One stack. What it is to be is asked anew whenever it is looked at, since earlier components change it."""

    world: World
    template: str
    requires: tuple[str, ...] = ()
    trait: Trait = Trait.NORMAL
    hooks: Hooks = field(default_factory=Hooks)
    keeps: str = ""
    _accepted: bool = False

    @property
    def name(self) -> str:
        """Return the template's name."""
        return self.template

    def describe(self) -> State:
        """Read the stack's state, and of a finished stack whether what it made works."""
        with explained(self._stack):
            found = self.world.runner().state(self._stack)
            if found is None or found == "REVIEW_IN_PROGRESS":
                return State(Health.ABSENT, _REASONS.get(found or "", "there is no such stack"))
            if found in NEVER_FINISHED:
                return State(Health.UNHEALTHY, f"{found}: it was never finished, or only half deleted")
            if found == "UPDATE_ROLLBACK_FAILED":
                return State(Health.UNHEALTHY, _REASONS[found])
            if found.endswith("_IN_PROGRESS"):
                return State(Health.UNHEALTHY, f"{found}: somebody is changing it")
            return self.hooks.health() or State(Health.HEALTHY, _REASONS.get(found, found))

    def plan(self, state: State) -> Change:
        """Say what a change set would do."""
        spec = self.world.specs()[self.template]
        self._accepted = False
        if state.health is not Health.UNKNOWN and (obstacle := self.hooks.obstacle()) is not None:
            return Change(Action.BLOCKED, (obstacle,))
        if state.health in (Health.ABSENT, Health.UNKNOWN):
            planned = creation(spec)
            return Change(Action.CREATE, (f"{len(planned.changes)} resources",), _opened(planned))
        with explained(self._stack):
            runner = self.world.runner()
            found = runner.state(self._stack) or ""
            if (change := self._way_out(found)) is not None:
                return change
            planned = runner.plan(spec)
        if planned.changes:
            action = Action.REPLACE if _losses(planned) else Action.UPDATE
            return Change(action, tuple(_told(planned)), _opened(planned), tuple(self._risks(planned)))
        if state.health is Health.HEALTHY:
            return Change(Action.SKIP, ("nothing differs",))
        return Change(Action.UPDATE, (state.reason,))

    def _way_out(self, found: str) -> Change | None:
        """Say what leads out of a state in which CloudFormation compares nothing; None for any other state."""
        if found in NEVER_FINISHED:
            self._accepted = True
            why = f"it is in {found} and can only be deleted and created again"
            return Change(Action.REPLACE, (why,), (), (Risk(self.name, Operation.DESTROY, why),))
        if found == "UPDATE_ROLLBACK_FAILED":
            self._accepted = True
            why = "the way back of the last update is continued, then this update is tried"
            return Change(Action.UPDATE, (why,), (), (Risk(self.name, Operation.CHANGE, why),))
        if found.endswith("_IN_PROGRESS"):
            return Change(Action.UPDATE, (f"{found}: what somebody began is waited for, then it is compared",))
        return None

    def plan_destroy(self, state: State) -> Change:
        """Say that the stack goes, and what stays."""
        if state.health is Health.ABSENT:
            return Change(Action.SKIP, ("there is no such stack",))
        return Change(Action.DELETE, (self.keeps,) if self.keeps else ())

    def apply(self, progress: Progress) -> None:
        """Produce what the stack consumes, create or update it, and wait until what it made works."""
        with explained(self._stack):
            self.hooks.prepare(progress)
        self.world.refresh()
        try:
            with explained(self._stack):
                self._bring_about(progress)
        except (ConfirmationNeededError, CredentialsError):
            raise
        except DeployError as error:
            # What tells why may be gone in a minute: stopped tasks, and the last lines of their logs.
            raise DeployError(
                "\n".join([str(error), *self.world.failure_report(self.template).splitlines()])
            ) from error

    def destroy(self, progress: Progress) -> None:
        """Delete the stack and wait until it is gone."""
        with explained(self._stack):
            self.hooks.release(progress)
            deletion = self.world.runner(progress).delete(self._stack, unprotect=True)
            self.world.refresh()
        for resource, identity in deletion.kept.items():
            progress(f"kept {resource} {identity}")

    def _bring_about(self, progress: Progress) -> None:
        spec = self.world.specs()[self.template]
        self.world.runner(progress).apply(spec, [spec.name] if self._accepted else [])
        self._accepted = False
        self.world.refresh()
        self.hooks.complete(progress)

    @property
    def _stack(self) -> str:
        return self.world.stack(self.template)

    def _risks(self, planned: Plan) -> list[Risk]:
        return [
            Risk(f"{self.name}.{change.resource}", Operation.DELETE_DATA, f"it is to be {_word(change)}")
            for change in _losses(planned)
        ]


def _losses(planned: Plan) -> list[StackChange]:
    return [
        change
        for change in planned.changes
        if change.type in _HOLDS_DATA and change.action in ("replace", "maybe replace", "delete")
    ]


def _opened(planned: Plan) -> tuple[str, ...]:
    return tuple(f"{change.resource}: {opening}" for change in planned.changes for opening in change.broadens)


def _told(planned: Plan) -> list[str]:
    """Say what happens to each resource, many of a kind as a number."""
    by_action: dict[str, list[str]] = {}
    for change in planned.changes:
        by_action.setdefault(change.action, []).append(change.resource)
    return [
        f"{action} {', '.join(names) if len(names) <= 4 else f'{len(names)} resources'}"
        for action, names in by_action.items()
    ]


def _word(change: StackChange) -> str:
    return {"replace": "replaced", "maybe replace": "perhaps replaced"}.get(change.action, "deleted")
