"""The pre-flight as a component: it blocks, warns, or does not know."""

import pytest

from headgate.deploy.ecs._prerequisites import Prerequisites
from headgate.deploy.engine import Action, Check, DeployError, Graph, Health, Verdict, plan_down, plan_up

PASSED = Check("region", Verdict.PASSED, "two zones")
WARNING = Check("alarms", Verdict.WARNING, "nobody gets them")
FAILED = Check("domain", Verdict.FAILED, "no zone for llm.example.com")
UNKNOWN = Check("permissions", Verdict.UNKNOWN, "iam:SimulatePrincipalPolicy is missing")


def test_a_failed_check_blocks_with_its_sentence() -> None:
    made = Prerequisites(lambda: (PASSED, FAILED, WARNING))
    [step] = plan_up(Graph([made])).steps
    assert step.state.health is Health.UNHEALTHY
    assert step.change.action is Action.BLOCKED
    assert step.change.reasons == ("domain: no zone for llm.example.com",)
    with pytest.raises(DeployError, match="no zone"):
        made.apply(lambda sentence: None)


def test_warnings_and_what_nobody_can_tell_are_told() -> None:
    [step] = plan_up(Graph([Prerequisites(lambda: (PASSED, WARNING, UNKNOWN))])).steps
    assert step.state.health is Health.HEALTHY
    assert step.change.action is Action.SKIP
    assert step.state.reason == (
        "1 checks passed\nwarning: alarms: nobody gets them\n"
        "unknown: permissions: iam:SimulatePrincipalPolicy is missing"
    )
    assert step.change.reasons == tuple(step.state.reason.splitlines())


def test_without_credentials_nothing_is_known_and_nothing_is_blocked() -> None:
    [step] = plan_up(Graph([Prerequisites(lambda: (UNKNOWN,))])).steps
    assert step.state.health is Health.UNKNOWN
    assert step.change.action is Action.SKIP


def test_it_looks_once_and_is_never_taken_away() -> None:
    looks: list[int] = []

    def checks() -> tuple[Check, ...]:
        looks.append(1)
        return (PASSED,)

    graph = Graph([Prerequisites(checks)])
    plan_up(graph)
    [step] = plan_down(graph).steps
    assert step.change.action is Action.SKIP
    assert looks == [1]
