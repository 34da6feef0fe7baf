"""An environment on ECS as the engine sees it."""

import pytest

from headgate.deploy.ecs import Account, Caller, CredentialsError, EcsTarget, StackRunner, stack_specs
from headgate.deploy.engine import Action, Health, Trait, plan_down, plan_up
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import INPUTS, environment


def test_every_stack_requires_those_it_imports_from() -> None:
    names = [component.name for component in _nobody(environment("prod")).graph()]
    assert names[:4] == ["prerequisites", "bootstrap", "image", "security"]
    assert names.index("database") < names.index("gateway") < names.index("monitoring")
    graph = _nobody(environment("prod")).graph()
    assert set(graph["gateway"].requires) >= {"image", "security", "network", "alb", "database", "redis"}
    assert graph["security"].requires == ("prerequisites", "bootstrap")
    assert "prerequisites" not in [component.name for component in _nobody(environment("prod")).teardown()]


def test_what_may_not_be_skipped_and_what_others_stand_and_fall_with_is_marked() -> None:
    marked = {component.name: component.trait for component in _nobody(environment("prod")).graph()}
    assert [name for name, trait in marked.items() if trait is Trait.COMPULSORY] == ["prerequisites", "bootstrap"]
    critical = {name for name, trait in marked.items() if trait is Trait.CRITICAL}
    assert critical == {"security", "network", "database", "redis", "gateway"}


def test_without_credentials_everything_is_unknown_and_would_be_created() -> None:
    plan = plan_up(_nobody(environment("dev")).graph())
    assert {step.state.health for step in plan.steps} == {Health.UNKNOWN}
    first, *others = plan.steps
    assert (first.name, first.change.action) == ("prerequisites", Action.SKIP)
    assert {step.change.action for step in others} == {Action.CREATE}
    assert "There are no AWS credentials" in first.state.reason


def test_without_credentials_nothing_is_said_to_be_missing() -> None:
    with pytest.raises(CredentialsError, match="There are no AWS credentials"):
        _nobody(environment("dev")).outputs()


def test_what_is_not_asked_for_any_more_stays_until_it_is_taken_away(account: Account) -> None:
    # Redis' stack alone stands for one that an earlier file asked for.
    wanted = environment("dev", redis=True)
    specs = {spec.template: spec for spec in stack_specs(wanted, INPUTS)}
    runner = StackRunner(account.client("cloudformation"), call=account.call, poll_seconds=0)
    for template in ("bootstrap", "security", "network", "redis"):
        runner.apply(specs[template])

    target = EcsTarget(environment("dev"), account)
    [step] = [step for step in plan_up(target.graph()).steps if step.name == "redis"]
    assert step.change.action is Action.SKIP
    assert "`headgate deploy down redis` takes it away" in step.change.reasons[0]
    [step] = plan_down(target.teardown(), ["redis"]).steps
    assert step.change.action is Action.DELETE
    step.component.destroy(lambda sentence: None)
    assert "redis" not in [component.name for component in target.graph()]
    [step] = plan_down(target.teardown(), ["redis"]).steps
    assert step.change.action is Action.SKIP


@pytest.fixture(autouse=True)
def _nobody_is_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


def _nobody(of: Environment) -> EcsTarget:
    return EcsTarget(of, Account("us-east-1", call=Caller(sleep=lambda seconds: None)))
