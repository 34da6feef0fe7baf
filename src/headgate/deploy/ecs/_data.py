"""What an environment's stacks keep when they go, as a component that is taken away last."""

from dataclasses import dataclass

from headgate.deploy.ecs._empty import empty_bucket, empty_repository, find_leftovers, purge
from headgate.deploy.ecs._leftovers import Leftover
from headgate.deploy.ecs._stack_component import StackComponent
from headgate.deploy.ecs._world import World
from headgate.deploy.engine import Action, Change, Check, Health, Operation, Progress, Risk, State, Trait, Verdict

_OF_STACKS = frozenset({"stack", "resource", "tags", "network interface"})
"""Kinds that are no data."""


@dataclass
class Data:
    """Snapshots, secrets, logs, images and buckets; given up for good when everything else is gone."""

    world: World
    name: str = "data"
    requires: tuple[str, ...] = ()
    trait: Trait = Trait.NORMAL

    def describe(self) -> State:
        """Tell what there is besides what the foundation holds. Raises `DeployError`."""
        kept = [one for one in _left(self.world) if one.kind not in _OF_STACKS and not self._is_foundation(one)]
        if not kept:
            return State(Health.ABSENT, "nothing is kept")
        return State(Health.HEALTHY, ", ".join(sorted({one.name for one in kept})))

    def plan(self, state: State) -> Change:
        """Leave it: the stacks bring it."""
        return Change(Action.SKIP, ("the stacks bring it",))

    def plan_destroy(self, state: State) -> Change:
        """Say what is lost, which takes a yes of its own."""
        if state.health is Health.ABSENT:
            return Change(Action.SKIP, (state.reason,))
        why = "databases, snapshots, secrets, logs and images can not be brought back"
        return Change(Action.DELETE, (why,), (), (Risk(self.name, Operation.DELETE_DATA, why),))

    def apply(self, progress: Progress) -> None:
        """The stacks bring it."""

    def destroy(self, progress: Progress) -> None:
        """Delete it for good, but for what the foundation holds. Raises `DeployError`."""
        purge(self.world.account, self.world.environment, progress, keep_foundation=True)

    def _is_foundation(self, one: Leftover) -> bool:
        # A key is deleted by AWS after a month, and named until then.
        return one.name in (self.world.bucket.name, self.world.prefix) or one.kind == "key"


class Foundation(StackComponent):
    """The stack that holds lock and journal. It goes last of all, and only on its own."""

    def plan_destroy(self, state: State) -> Change:
        """Leave it: who deletes the data takes it away once nothing else is left."""
        return Change(Action.SKIP, ("it holds lock, journal, configuration and images",))

    def destroy(self, progress: Progress) -> None:
        """Empty it, delete it, and delete what it kept. Raises `DeployError`."""
        account, prefix = self.world.account, self.world.prefix
        empty_bucket(account, self.world.bucket.name, progress)
        empty_repository(account, prefix, progress)
        super().destroy(progress)
        purge(account, self.world.environment, progress)


def remains(world: World) -> list[Check]:
    """Return what is left besides the foundation: kept data, and what should have gone. Raises `DeployError`."""
    foundation = (world.stack("bootstrap"), world.prefix, world.bucket.name)
    return [_check(one) for one in _left(world) if one.name not in foundation]


def _check(one: Leftover) -> Check:
    # The tags of what was just deleted are still found for some minutes.
    known = one.kept or one.kind == "resource"
    return Check(one.kind, Verdict.WARNING if known else Verdict.FAILED, str(one))


def _left(world: World) -> list[Leftover]:
    return find_leftovers(world.account, world.environment)
