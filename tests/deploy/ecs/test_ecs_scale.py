"""Another number of tasks: what is refused, waited for, and told when it does not come to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends

from headgate.deploy.ecs import Account, Caller
from headgate.deploy.ecs._scale import scale
from headgate.deploy.engine import DeployError, ExitCode, UsageError
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import ACCOUNT, environment

REGION = "us-east-1"
CLUSTER, SERVICE = "headgate-prod", "gateway"


@dataclass
class Fleet:
    """A service whose tasks change while somebody waits: `steps` are done one at each wait."""

    account: Account
    environment: Environment
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    steps: list[Callable[[], None]] = field(default_factory=list)
    group: str = ""

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.steps:
            self.steps.pop(0)()

    @property
    def service(self) -> Any:
        [service] = ecs_backends[ACCOUNT][REGION].services.values()
        return service

    def run_tasks(self, running: int, healthy: int) -> Callable[[], None]:
        """Return a step after which so many tasks run, and so many of them get requests."""

        def step() -> None:
            self.service.running_count = running
            client = self.account.client("elbv2")
            targets = [{"Id": f"10.0.11.{number + 4}", "Port": 4000} for number in range(10)]
            client.register_targets(TargetGroupArn=self.group, Targets=targets)
            client.deregister_targets(TargetGroupArn=self.group, Targets=targets[healthy:])

        return step

    def scale(self, tasks: int, seconds: float = 1800.0) -> None:
        scale(
            self.account,
            CLUSTER,
            SERVICE,
            tasks,
            self.environment,
            self.said.append,
            clock=lambda: self.now,
            seconds=seconds,
        )


@pytest.fixture
def _slow_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks run only when a step says so; in moto they run at once."""
    update = EC2ContainerServiceBackend.update_service

    def told(self: EC2ContainerServiceBackend, properties: dict[str, Any]) -> Any:
        [running] = [service.running_count for service in self.services.values()]
        service = update(self, properties)
        service.running_count = running
        return service

    monkeypatch.setattr(EC2ContainerServiceBackend, "update_service", told)


@pytest.fixture
def fleet(empty_world: str, _slow_start: None) -> Fleet:
    """Return a production environment's service with two tasks, which may be two to four."""
    fleet = Fleet(Account(REGION), environment())
    fleet.account = account = Account(REGION, call=Caller(sleep=fleet.wait))
    vpc = account.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = account.client("elbv2").create_target_group(
        Name="headgate-prod", Protocol="HTTP", Port=4000, VpcId=vpc, TargetType="ip"
    )
    fleet.group = made["TargetGroups"][0]["TargetGroupArn"]
    ecs = account.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    containers = [{"name": "proxy", "image": "x", "memory": 512}]
    ecs.register_task_definition(family="proxy", containerDefinitions=containers)
    balancers = [{"targetGroupArn": fleet.group, "containerName": "proxy", "containerPort": 4000}]
    ecs.create_service(
        cluster=CLUSTER, serviceName=SERVICE, taskDefinition="proxy", desiredCount=2, loadBalancers=balancers
    )
    account.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{CLUSTER}/{SERVICE}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=2,
        MaxCapacity=4,
    )
    fleet.service.pending_count = 0
    fleet.service.deployments[0] |= {"status": "PRIMARY", "rolloutState": "COMPLETED"}
    fleet.run_tasks(2, 2)()
    return fleet


def test_more_tasks_are_started_and_waited_for_until_they_are_healthy(fleet: Fleet) -> None:
    fleet.steps = [fleet.run_tasks(3, 2), fleet.run_tasks(4, 3), fleet.run_tasks(4, 4)]
    fleet.scale(4)
    assert fleet.service.desired_count == 4
    assert fleet.steps == []
    assert fleet.said == [
        "2 of 4 tasks run",
        "3 of 4 tasks run",
        "3 of 4 tasks are healthy",
        "4 tasks run and are healthy; autoscaling moves on from there, between 2 and 4",
    ]


def test_fewer_tasks_are_waited_for_until_the_others_are_gone(fleet: Fleet) -> None:
    fleet.service.desired_count = 4
    fleet.run_tasks(4, 4)()
    fleet.steps = [fleet.run_tasks(3, 3), fleet.run_tasks(2, 2)]
    fleet.scale(2)
    assert fleet.service.desired_count == 2
    assert fleet.steps == []


@pytest.mark.parametrize(
    ("changes", "tasks", "said"),
    [
        ({}, 1, "1 tasks are fewer than min_tasks, 2: .* Lower min_tasks of prod in the deployment file"),
        ({}, 5, "5 tasks are more than max_tasks, 4: .* Raise max_tasks of prod in the deployment file"),
        ({}, 0, "0 tasks are fewer than min_tasks"),
        (
            {"max_tasks": 20},
            11,
            r"run out of connections: 11 tasks x 1 workers x 10 connections = 110 of 100\. Raise max_connections",
        ),
        ({"max_tasks": 9}, 9, "As deployed, autoscaling keeps between 2 and 4 tasks, not 9: run `headgate deploy up"),
    ],
)
def test_numbers_that_can_not_be_meant_change_nothing(
    changes: dict[str, Any], tasks: int, said: str, fleet: Fleet
) -> None:
    fleet.environment = environment(**changes)
    with pytest.raises(UsageError, match=said) as raised:
        fleet.scale(tasks)
    assert raised.value.exit_code is ExitCode.USAGE
    assert fleet.service.desired_count == 2
    assert fleet.said == []


def test_a_service_that_does_not_exist_says_what_makes_it(fleet: Fleet) -> None:
    fleet.account.client("ecs").delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    with pytest.raises(
        DeployError, match="no service gateway in headgate-prod: `headgate deploy up gateway --env prod`"
    ):
        fleet.scale(3)


def _events(fleet: Fleet) -> None:
    moments = [datetime(2026, 11, 20, 12, 0, second, tzinfo=UTC) for second in range(7)]
    fleet.service.events = [{"id": str(at.second), "createdAt": at, "message": f"event {at.second}"} for at in moments]


def test_tasks_that_do_not_run_in_time_are_told_with_the_last_events(fleet: Fleet) -> None:
    _events(fleet)
    with pytest.raises(DeployError) as raised:
        fleet.scale(4, seconds=60)
    lines = str(raised.value).splitlines()
    assert lines[0] == "The service gateway does not come to rest: 2 of 4 tasks run"
    assert [line.strip() for line in lines[1:]] == [f"12:00:0{second} event {second}" for second in range(5)]
    assert fleet.now < 120


def test_tasks_that_run_and_are_not_healthy_are_told(fleet: Fleet) -> None:
    fleet.steps = [fleet.run_tasks(3, 1)]
    with pytest.raises(DeployError, match="All 3 tasks run, but the load balancer says: 1 of 3 tasks are healthy"):
        fleet.scale(3, seconds=60)


def test_a_number_that_ecs_tells_late_is_waited_for(fleet: Fleet) -> None:
    late = fleet.service

    def tell() -> None:
        late.desired_count = 3
        fleet.run_tasks(3, 3)()

    fleet.steps = [lambda: None, tell]
    real = fleet.account.client("ecs").update_service
    fleet.account.client("ecs").update_service = lambda **arguments: real(**{**arguments, "desiredCount": 2})
    fleet.scale(3)
    assert fleet.steps == []


def test_autoscaling_that_goes_on_meanwhile_is_told(fleet: Fleet) -> None:
    def go_on() -> None:
        fleet.service.desired_count = 4
        fleet.run_tasks(4, 4)()

    fleet.steps = [go_on]
    with pytest.raises(DeployError, match="Autoscaling went on to 4 tasks meanwhile"):
        fleet.scale(3)


def test_a_service_without_a_load_balancer_is_healthy_when_it_runs(fleet: Fleet) -> None:
    fleet.service.load_balancers = []
    fleet.steps = [fleet.run_tasks(3, 0)]
    fleet.scale(3)
    assert fleet.said[-1].startswith("3 tasks run")
