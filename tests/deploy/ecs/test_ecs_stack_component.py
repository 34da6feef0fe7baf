"""A stack as the engine sees it, in every state."""

from typing import Any, cast

import pytest

from headgate.deploy.ecs import Account, Caller, StackError
from headgate.deploy.ecs._stack_component import Hooks, StackComponent
from headgate.deploy.ecs._world import World
from headgate.deploy.engine import Action, DeployError, Health, Progress, State
from tests.deploy.ecs.environments import environment
from tests.doubles.cloudformation import FakeCloudFormation, FakeStack, client_error

NAME = "headgate-dev-network"


class _Account:
    """An account with nothing but CloudFormation; nobody is signed in anywhere else."""

    def __init__(self, client: FakeCloudFormation) -> None:
        self.region = "us-east-1"
        self.call = Caller(sleep=lambda seconds: None, chance=lambda: 1.0)
        self._client = client

    def client(self, service: str) -> Any:
        if service != "cloudformation":
            raise DeployError(f"no {service}")
        return self._client

    def identity(self) -> Any:
        raise DeployError("nobody is signed in")


def _image() -> str:
    raise DeployError("there is no image")


def component(client: FakeCloudFormation, hooks: Hooks | None = None) -> StackComponent:
    world = World(environment("dev"), cast("Account", _Account(client)), _image)
    return StackComponent(world, "network", hooks=hooks or Hooks())


def silent(sentence: str) -> None:
    """Take what is told."""


@pytest.mark.parametrize(
    ("state", "health"),
    [
        ("CREATE_COMPLETE", Health.HEALTHY),
        ("UPDATE_COMPLETE", Health.HEALTHY),
        ("UPDATE_ROLLBACK_COMPLETE", Health.HEALTHY),
        ("REVIEW_IN_PROGRESS", Health.ABSENT),
        ("UPDATE_IN_PROGRESS", Health.UNHEALTHY),
        ("ROLLBACK_COMPLETE", Health.UNHEALTHY),
        ("DELETE_FAILED", Health.UNHEALTHY),
        ("UPDATE_ROLLBACK_FAILED", Health.UNHEALTHY),
    ],
)
def test_states_have_a_health(state: str, health: Health) -> None:
    assert component(FakeCloudFormation(FakeStack(NAME, [state]))).describe().health is health


def test_a_stack_that_is_not_there_is_created_with_what_it_opens() -> None:
    made = component(FakeCloudFormation())
    state = made.describe()
    assert state.health is Health.ABSENT
    change = made.plan(state)
    assert change.action is Action.CREATE
    assert change.reasons[0].endswith("resources")
    assert "LoadBalancerSecurityGroup: port 80 becomes reachable from 0.0.0.0/0" in change.security
    assert made.plan_destroy(state).action is Action.SKIP


def test_what_the_stack_made_may_be_unwell() -> None:
    unwell = State(Health.UNHEALTHY, "1 of 2 tasks run")
    client = FakeCloudFormation(FakeStack(NAME, ["UPDATE_COMPLETE"]))
    client.change_set = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    made = component(client, Hooks(health=lambda: unwell))
    assert made.describe() == unwell
    change = made.plan(unwell)
    assert (change.action, change.reasons) == (Action.UPDATE, ("1 of 2 tasks run",))
    healthy = component(client)
    assert healthy.plan(healthy.describe()).action is Action.SKIP


def test_a_plan_tells_what_a_change_set_holds_and_what_would_be_lost() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    client.change_set = {
        "Status": "CREATE_COMPLETE",
        "Changes": [
            _changed("Modify", "TaskGroup", "AWS::EC2::SecurityGroup", "False"),
            _changed("Modify", "Database", "AWS::RDS::DBInstance", "True"),
            _changed("Remove", "Logs", "AWS::S3::Bucket", None),
        ],
    }
    made = component(client)
    change = made.plan(made.describe())
    assert change.action is Action.REPLACE
    assert change.reasons == ("update TaskGroup", "replace Database", "delete Logs")
    assert [(risk.resource, risk.why) for risk in change.risks] == [
        ("network.Database", "it is to be replaced"),
        ("network.Logs", "it is to be deleted"),
    ]


def _changed(action: str, name: str, kind: str, replacement: str | None) -> dict[str, Any]:
    change = {"Action": action, "LogicalResourceId": name, "ResourceType": kind, "Replacement": replacement}
    return {"ResourceChange": {key: value for key, value in change.items() if value is not None}}


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_stack_that_was_never_finished_is_made_anew_once_that_was_planned(state: str) -> None:
    client = FakeCloudFormation(FakeStack(NAME, [state]))
    unplanned = component(client)
    with pytest.raises(StackError, match="confirm"):
        unplanned.apply(silent)

    made = component(client)
    change = made.plan(made.describe())
    assert change.action is Action.REPLACE
    assert [risk.resource for risk in change.risks] == ["network"]
    assert client.requests == []
    made.apply(silent)
    assert made.describe().health is Health.HEALTHY


def test_a_way_back_that_failed_is_continued_once_that_was_planned() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["UPDATE_ROLLBACK_FAILED"]))
    made = component(client)
    change = made.plan(made.describe())
    assert (change.action, [risk.resource for risk in change.risks]) == (Action.UPDATE, ["network"])
    made.apply(silent)
    assert client.names() == ["continue_update_rollback", "create_change_set", "execute_change_set"]


def test_what_somebody_else_is_at_is_not_compared() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["UPDATE_IN_PROGRESS"]))
    made = component(client)
    assert "waited for" in made.plan(made.describe()).reasons[0]
    assert client.requests == []


def test_hooks_come_before_and_after() -> None:
    client = FakeCloudFormation()
    order: list[str] = []

    def note(word: str) -> Any:
        def hook(progress: Progress) -> None:
            order.append(f"{word} {len(client.requests)}")

        return hook

    hooks = Hooks(prepare=note("prepare"), complete=note("complete"), release=note("release"))
    made = component(client, hooks)
    made.apply(silent)
    assert order == ["prepare 0", "complete 2"]
    made.destroy(silent)
    assert order[2] == "release 2"
    assert made.describe().health is Health.ABSENT


def test_a_token_that_expires_in_the_middle_leaves_a_sentence() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))

    def expired(**arguments: object) -> None:
        raise client_error("ExpiredToken", "The security token included in the request is expired")

    client.create_change_set = expired  # type: ignore[method-assign]
    with pytest.raises(DeployError, match="sign in and run the same command again"):
        component(client).apply(silent)


def test_what_is_kept_is_told() -> None:
    client = FakeCloudFormation(FakeStack(NAME, ["CREATE_COMPLETE"]))
    client.stacks[NAME].resources = [
        {"LogicalResourceId": "Logs", "PhysicalResourceId": "logs-1", "ResourceStatus": "DELETE_SKIPPED"}
    ]
    told: list[str] = []
    component(client).destroy(told.append)
    assert NAME not in client.stacks
    assert told[-1] == "kept Logs logs-1"
