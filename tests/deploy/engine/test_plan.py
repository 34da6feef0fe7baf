from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.deploy.engine import Action, Graph, Health, Operation, Plan, Progress, Risk, plan_down, plan_up
from tests.deploy.engine.world import Part, Unreadable

RISKS = [Risk("salt-key", Operation.REGENERATE), Risk("master-key", Operation.REGENERATE)]


class Untouchable(Part):
    """A component that no plan may change."""

    def apply(self, progress: Progress) -> NoReturn:
        raise AssertionError("planning applied a component")

    def destroy(self, progress: Progress) -> NoReturn:
        raise AssertionError("planning destroyed a component")


@st.composite
def worlds(draw: st.DrawFn) -> Graph:
    return Graph(
        [
            Untouchable(
                f"c{number}",
                tuple(f"c{other}" for other in range(number) if draw(st.booleans())),
                draw(st.sampled_from(Health)),
                outdated=draw(st.booleans()),
                risks=tuple(draw(st.lists(st.sampled_from(RISKS), max_size=2))),
            )
            for number in range(draw(st.integers(1, 6)))
        ]
    )


@given(worlds(), st.sets(st.sampled_from(["c0", "c1", "c2"])), st.booleans())
def test_planning_only_reads(graph: Graph, only: set[str], down: bool) -> None:
    known = {component.name for component in graph}
    plan = (plan_down if down else plan_up)(graph, only & known)
    assert {step.name for step in plan.steps} == (only & known or known)
    plan.data()
    for step in plan.steps:
        plan.may_skip(step)
        if step.change.action is Action.BLOCKED:
            assert step.change.reasons


def actions(plan: Plan) -> dict[str, str]:
    return {step.name: step.change.action.value for step in plan.steps}


def test_a_plan_says_what_is_done_and_why() -> None:
    graph = Graph(
        [
            Part("network", health=Health.HEALTHY),
            Part("database", ("network",), Health.HEALTHY, outdated=True),
            Part("gateway", ("database",)),
        ]
    )
    plan = plan_up(graph)
    assert actions(plan) == {"network": "skip", "database": "update", "gateway": "create"}
    assert plan.works
    assert plan.data()["counts"] == {"create": 1, "update": 1, "replace": 0, "delete": 0, "skip": 1, "blocked": 0}
    assert plan.data()["steps"][2] == {
        "component": "gateway",
        "requires": ["database"],
        "state": "absent",
        "state_reason": "said to be absent",
        "action": "create",
        "reasons": ["wanted"],
        "security": [],
        "confirmations": [],
    }


def test_what_can_not_be_read_is_unknown_and_the_plan_says_so() -> None:
    [step] = plan_up(Graph([Unreadable("database")])).steps
    assert step.state.health is Health.UNKNOWN
    assert step.state.reason == "no credentials"


def test_a_missing_requirement_outside_of_the_run_blocks() -> None:
    graph = Graph([Part("redis"), Part("gateway", ("redis",))])
    [step] = plan_up(graph, ["gateway"]).steps
    assert step.change.action is Action.BLOCKED
    assert step.change.reasons == ("it requires redis, which is absent and not part of this run",)


def test_what_requires_something_blocked_is_blocked_and_the_rest_is_not() -> None:
    secrets = Part("secrets", risks=(Risk("salt-key", Operation.REGENERATE, "its file is gone"),))
    graph = Graph([secrets, Part("gateway", ("secrets",)), Part("jaeger")])
    plan = plan_up(graph)
    assert actions(plan) == {"secrets": "blocked", "gateway": "blocked", "jaeger": "create"}
    assert plan.steps[0].change.reasons == (
        "to regenerate the salt-key (its file is gone) is never allowed: everything that is encrypted with it would be "
        "lost",
    )
    assert plan.steps[1].change.reasons == ("it requires secrets, which is blocked",)
    assert [step.name for step in plan.blocked] == ["secrets", "gateway"]


def test_all_that_is_missing_is_told_in_one_sentence() -> None:
    graph = Graph([Part("redis"), Part("files"), Part("postgres"), Part("gateway", ("redis", "files", "postgres"))])
    [step] = plan_up(graph, ["gateway"]).steps
    assert step.change.reasons == ("it requires redis, files and postgres, which are absent and not part of this run",)


def test_what_is_opened_is_called_out_and_needs_its_own_yes() -> None:
    [step] = plan_up(Graph([Part("nginx", security=("listens on 0.0.0.0",))])).steps
    [confirmation] = step.confirmations()
    assert confirmation.options == ("--confirm=nginx.security",)
    assert confirmation.reason == "listens on 0.0.0.0"
    assert step.data()["security"] == ["listens on 0.0.0.0"]


def test_taking_all_down_goes_backwards_and_is_confirmed_twice() -> None:
    graph = Graph([Part("network", health=Health.HEALTHY), Part("gateway", ("network",), Health.UNHEALTHY)])
    plan = plan_down(graph)
    assert list(actions(plan)) == ["gateway", "network"]
    [confirmation] = plan.confirmations()
    assert confirmation.options == ("--confirm=everything", "--confirm=everything")


def test_one_component_is_taken_down_only_when_nothing_stands_on_it() -> None:
    graph = Graph([Part("redis", health=Health.HEALTHY), Part("gateway", ("redis",), Health.HEALTHY)])
    [blocked] = plan_down(graph, ["redis"]).steps
    assert blocked.change.reasons == ("gateway depends on it and is not part of this run",)
    plan = plan_down(graph, ["gateway"])
    assert actions(plan) == {"gateway": "delete"}
    assert [one.options for one in plan.confirmations()] == [("--confirm=gateway",)]


def test_what_is_absent_is_not_taken_down() -> None:
    plan = plan_down(Graph([Part("redis")]))
    assert actions(plan) == {"redis": "skip"}
    assert not plan.works


@pytest.mark.parametrize("health", [Health.ABSENT, Health.UNHEALTHY])
def test_leaving_out_a_step_is_seen_by_those_below(health: Health) -> None:
    graph = Graph([Part("redis", health=Health.HEALTHY, outdated=True), Part("gateway", ("redis",), health)])
    plan = plan_up(graph)
    assert plan.situation(plan.steps[0]).dependents_in_run == ("gateway",)
    assert plan.without("gateway", "by choice").situation(plan.steps[0]).dependents_in_run == ()
