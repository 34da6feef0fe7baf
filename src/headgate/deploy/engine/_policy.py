"""The skip and safety rules of the source documents, as two tables. The first row that applies decides."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from headgate.deploy.engine._component import Health, Operation, Risk, Trait


class Skip(Enum):
    """Whether a step may be left out."""

    MAY = "may skip"
    WARN = "warn, then may skip"
    CANNOT = "cannot skip"


class Safety(Enum):
    """What has to be said before something risky is done."""

    CONFIRM = "confirm"
    DOUBLE_CONFIRM = "confirm twice"
    BLOCKED = "blocked"

    @property
    def times(self) -> int:
        """How often a yes is needed."""
        return 2 if self is Safety.DOUBLE_CONFIRM else 1


@dataclass(frozen=True, slots=True)
class Situation:
    """What the skip rules look at: a component and those that depend on it."""

    health: Health
    trait: Trait = Trait.NORMAL
    dependents_in_run: tuple[str, ...] = ()
    dependents_deployed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkipRule:
    """One row: when it applies, what it says, and why."""

    name: str
    applies: Callable[[Situation], bool]
    verdict: Skip
    reason: Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """One row: a resource (None is any other) and an operation, what it takes, and why."""

    resource: str | None
    operation: Operation
    safety: Safety
    reason: str


def _says(text: str) -> Callable[[Situation], str]:
    return lambda situation: text


def _of(health: Health) -> Callable[[Situation], bool]:
    return lambda situation: situation.health is health


SKIP_RULES: tuple[SkipRule, ...] = (
    SkipRule(
        "compulsory",
        lambda situation: situation.trait is Trait.COMPULSORY,
        Skip.CANNOT,
        _says("it is checked every time"),
    ),
    SkipRule("absent", _of(Health.ABSENT), Skip.CANNOT, _says("it does not exist")),
    SkipRule("unhealthy", _of(Health.UNHEALTHY), Skip.CANNOT, _says("it is not healthy")),
    SkipRule("unknown", _of(Health.UNKNOWN), Skip.CANNOT, _says("it is not known to be healthy")),
    SkipRule(
        "dependents in this run",
        lambda situation: bool(situation.dependents_in_run),
        Skip.CANNOT,
        lambda situation: f"this run changes what depends on it: {', '.join(situation.dependents_in_run)}",
    ),
    SkipRule(
        "critical",
        lambda situation: situation.trait is Trait.CRITICAL,
        Skip.WARN,
        _says("others stand and fall with it"),
    ),
    SkipRule(
        "dependents deployed",
        lambda situation: bool(situation.dependents_deployed),
        Skip.WARN,
        lambda situation: f"there is what depends on it: {', '.join(situation.dependents_deployed)}",
    ),
    SkipRule(
        "recommended",
        lambda situation: situation.trait is Trait.RECOMMENDED,
        Skip.WARN,
        _says("it is better not skipped"),
    ),
    SkipRule("healthy", _of(Health.HEALTHY), Skip.MAY, _says("it is healthy")),
)

_B, _C, _D = Safety.BLOCKED, Safety.CONFIRM, Safety.DOUBLE_CONFIRM
SAFETY_RULES: tuple[SafetyRule, ...] = (
    SafetyRule("salt-key", Operation.REGENERATE, _B, "everything that is encrypted with it would be lost"),
    SafetyRule("master-key", Operation.REGENERATE, _D, "whoever uses the present one is locked out"),
    SafetyRule("redis-password", Operation.REGENERATE, _C, "Redis restarts"),
    SafetyRule("database-url", Operation.REGENERATE, _D, "the database would not be reached, or be another one"),
    SafetyRule("database-url", Operation.CHANGE, _D, "it would be another database"),
    SafetyRule("bastion", Operation.TERMINATE, _D, "sessions through it end"),
    SafetyRule("everything", Operation.DESTROY, _D, "the whole deployment goes away"),
    SafetyRule(None, Operation.DESTROY, _C, "it goes away"),
    SafetyRule(None, Operation.DELETE_DATA, _D, "what it holds can not be brought back"),
    SafetyRule(None, Operation.OPEN, _C, "it lets in more than before"),
    SafetyRule(None, Operation.UNLOCK, _C, "two runs at once can leave a deployment that neither wanted"),
)

_ANYTHING_ELSE = SafetyRule(None, Operation.CHANGE, Safety.CONFIRM, "no rule says that it is harmless")


def may_skip(situation: Situation) -> tuple[Skip, str]:
    """Judge whether a step may be left out, and say why."""
    rule = next(rule for rule in SKIP_RULES if rule.applies(situation))
    return rule.verdict, rule.reason(situation)


def safety_of(risk: Risk) -> SafetyRule:
    """Return the row that judges a risk; what no row names takes a confirmation."""
    for rule in SAFETY_RULES:
        if rule.resource in (risk.resource, None) and rule.operation is risk.operation:
            return rule
    return _ANYTHING_ELSE
