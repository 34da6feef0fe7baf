"""What a target is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

Progress = Callable[[str], None]
"""Takes a sentence on what is going on; never a secret."""

Clock = Callable[[], float]
"""Returns seconds since 1970."""


class Health(Enum):
    """What reading the world says of a component."""

    ABSENT = "absent"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Action(Enum):
    """What is to be done with a component."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SKIP = "skip"
    """Nothing: it is as it should be, or was left out by choice."""
    BLOCKED = "blocked"
    """It must not or can not be done."""


class Operation(Enum):
    """What can be done to a resource that may hurt."""

    REGENERATE = "regenerate"
    CHANGE = "change"
    TERMINATE = "terminate"
    DESTROY = "destroy"
    DELETE_DATA = "delete data"
    OPEN = "open"
    """Let more in than before: an address, a port, a policy."""
    UNLOCK = "unlock"


class Trait(Enum):
    """What the skip rules make of a component, whatever its state."""

    NORMAL = "normal"
    CRITICAL = "critical"
    """Others stand and fall with it."""
    COMPULSORY = "compulsory"
    """Never skipped: prerequisites."""
    RECOMMENDED = "recommended"
    """Better not skipped: validation, verification."""


@dataclass(frozen=True, slots=True)
class State:
    """A component as it is, and why it is said to be so."""

    health: Health
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Risk:
    """An operation that the safety rules judge; `why` completes "this ... because"."""

    resource: str
    operation: Operation
    why: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a component would do.

    `reasons` say why. `security` are notes on what would be opened to more than before. `risks` need the yes that the
    safety rules ask for.
    """

    action: Action
    reasons: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()


class Component(Protocol):
    """One part of a deployment. Names are unique in a target and safe in a shell.

    `describe`, `plan` and `plan_destroy` only read. `apply` brings the component to what is wanted and can be called
    again; `destroy` takes it away. Both raise `DeployError`.
    """

    @property
    def name(self) -> str:
        """The word that a user types."""
        ...

    @property
    def requires(self) -> tuple[str, ...]:
        """Names of the components that must be healthy first."""
        ...

    @property
    def trait(self) -> Trait:
        """What the skip rules make of it."""
        ...

    def describe(self) -> State:
        """Read what there is. Raises `DeployError` when it can not be told, which counts as unknown."""
        ...

    def plan(self, state: State) -> Change:
        """Say what `apply` would do to a component in this state."""
        ...

    def plan_destroy(self, state: State) -> Change:
        """Say what `destroy` would do: delete, with what it keeps as a reason, or skip."""
        ...

    def apply(self, progress: Progress) -> None:
        """Create or change it, and wait until it works."""
        ...

    def destroy(self, progress: Progress) -> None:
        """Take it away, and wait until it is gone."""
        ...
