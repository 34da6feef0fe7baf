import pytest

from headgate.deploy.engine import (
    SAFETY_RULES,
    SKIP_RULES,
    Health,
    Operation,
    Risk,
    Safety,
    Situation,
    Skip,
    Trait,
    may_skip,
    safety_of,
)

SKIPS = {
    "compulsory": (Situation(Health.HEALTHY, Trait.COMPULSORY), Skip.CANNOT),
    "absent": (Situation(Health.ABSENT), Skip.CANNOT),
    "unhealthy": (Situation(Health.UNHEALTHY), Skip.CANNOT),
    "unknown": (Situation(Health.UNKNOWN), Skip.CANNOT),
    "dependents in this run": (Situation(Health.HEALTHY, dependents_in_run=("gateway",)), Skip.CANNOT),
    "critical": (Situation(Health.HEALTHY, Trait.CRITICAL), Skip.WARN),
    "dependents deployed": (Situation(Health.HEALTHY, dependents_deployed=("gateway",)), Skip.WARN),
    "recommended": (Situation(Health.HEALTHY, Trait.RECOMMENDED), Skip.WARN),
    "healthy": (Situation(Health.HEALTHY), Skip.MAY),
}
"""For each row of the table a situation that it is the first to apply to."""

_B, _C, _D = Safety.BLOCKED, Safety.CONFIRM, Safety.DOUBLE_CONFIRM
SAFETIES: list[tuple[str | None, Operation, Safety]] = [
    ("salt-key", Operation.REGENERATE, _B),
    ("master-key", Operation.REGENERATE, _D),
    ("redis-password", Operation.REGENERATE, _C),
    ("database-url", Operation.REGENERATE, _D),
    ("database-url", Operation.CHANGE, _D),
    ("bastion", Operation.TERMINATE, _D),
    ("everything", Operation.DESTROY, _D),
    (None, Operation.DESTROY, _C),
    (None, Operation.DELETE_DATA, _D),
    (None, Operation.OPEN, _C),
    (None, Operation.UNLOCK, _C),
]


@pytest.mark.parametrize("name", SKIPS)
def test_skipping_is_judged_by_the_row(name: str) -> None:
    situation, verdict = SKIPS[name]
    applying = [rule.name for rule in SKIP_RULES if rule.applies(situation)]
    assert applying[0] == name
    judged, reason = may_skip(situation)
    assert judged is verdict
    assert reason


def test_every_row_on_skipping_is_tested() -> None:
    assert [rule.name for rule in SKIP_RULES] == list(SKIPS)


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        (Situation(Health.HEALTHY, Trait.CRITICAL, dependents_in_run=("gateway",)), Skip.CANNOT),
        (Situation(Health.UNHEALTHY, Trait.CRITICAL), Skip.CANNOT),
        (Situation(Health.ABSENT, Trait.RECOMMENDED), Skip.CANNOT),
        (Situation(Health.HEALTHY, Trait.CRITICAL, dependents_deployed=("gateway",)), Skip.WARN),
    ],
)
def test_the_stricter_row_comes_first(situation: Situation, verdict: Skip) -> None:
    assert may_skip(situation)[0] is verdict


def test_a_verdict_names_the_dependents() -> None:
    assert "open-webui" in may_skip(Situation(Health.HEALTHY, dependents_in_run=("open-webui",)))[1]


@pytest.mark.parametrize(("resource", "operation", "safety"), SAFETIES)
def test_a_risk_takes_what_its_row_says(resource: str | None, operation: Operation, safety: Safety) -> None:
    assert safety_of(Risk(resource or "some-thing", operation)).safety is safety


def test_every_row_on_safety_is_tested() -> None:
    assert [(rule.resource, rule.operation, rule.safety) for rule in SAFETY_RULES] == SAFETIES


@pytest.mark.parametrize("operation", Operation)
def test_what_no_row_names_is_never_taken_for_harmless(operation: Operation) -> None:
    assert safety_of(Risk("anything", operation)).safety in Safety


def test_how_often_a_yes_is_needed() -> None:
    assert (Safety.CONFIRM.times, Safety.DOUBLE_CONFIRM.times) == (1, 2)
