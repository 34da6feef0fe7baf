"""Another number of tasks."""

from collections.abc import Iterator
from typing import Any

from headgate.core.clock import Clock, monotonic
from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._service import STEADY_SECONDS, Service
from headgate.deploy.ecs._tasks import scale_service
from headgate.deploy.engine import DeployError, Progress, UsageError
from headgate.deploy.settings import Environment, connection_budget

_POLL_SECONDS = 10.0
_SETTLE_SECONDS = 60.0
"""For how long ECS may still tell the number from before: what it describes follows what it was told."""
_EVENTS = 5
"""How many of the service's last events are told after a failure."""


def scale(
    account: Account,
    cluster: str,
    service: str,
    tasks: int,
    environment: Environment,
    progress: Progress,
    *,
    clock: Clock = monotonic,
    seconds: float = STEADY_SECONDS,
) -> None:
    """Have so many tasks of a service run, and wait until they do and the load balancer takes them for healthy.

    Raises `UsageError` for a number that the deployment file or the deployed autoscaling does not allow, before
    anything is changed, and `DeployError` with the service's last events when it does not come to that in `seconds`.
    """
    _check_settings(environment, tasks)
    with explained(f"The service {service}"):
        scaling = _Scaling(account, cluster, service, clock)
        scaling.check_deployed(environment, tasks)
        scale_service(account.client("ecs"), cluster, service, tasks, account.call)
        scaling.wait(tasks, progress, clock() + seconds)
    progress(
        f"{tasks} tasks run and are healthy; autoscaling moves on from there, between {environment.min_tasks} and"
        f" {environment.max_tasks}"
    )


def _check_settings(environment: Environment, tasks: int) -> None:
    name = environment.name
    if tasks < environment.min_tasks:
        raise UsageError(
            f"{tasks} tasks are fewer than min_tasks, {environment.min_tasks}: autoscaling would start others again."
            f" Lower min_tasks of {name} in the deployment file, then run `headgate deploy up gateway --env {name}`."
        )
    if tasks > environment.max_tasks:
        raise UsageError(
            f"{tasks} tasks are more than max_tasks, {environment.max_tasks}: autoscaling would stop some again."
            f" Raise max_tasks of {name} in the deployment file, then run `headgate deploy up gateway --env {name}`."
        )
    budget = connection_budget(environment.model_copy(update={"tasks": tasks}))
    if not budget.fits:
        raise UsageError(
            f"The database would run out of connections: {budget}. Raise max_connections of {name} in the deployment"
            " file, or lower workers or database_pool."
        )


class _Scaling:
    def __init__(self, account: Account, cluster: str, name: str, clock: Clock) -> None:
        self._account = account
        self._cluster = cluster
        self._name = name
        self._clock = clock
        self._service = Service(account, cluster, name, clock)

    def check_deployed(self, environment: Environment, tasks: int) -> None:
        """Compare with what is deployed, which an `up` may not have reached yet."""
        if self._service.state() is None:
            raise DeployError(
                f"There is no service {self._name} in {self._cluster}: `headgate deploy up gateway --env"
                f" {environment.name}` makes it."
            )
        client = self._account.client("application-autoscaling")
        resource = f"service/{self._cluster}/{self._name}"
        found = self._account.call(client.describe_scalable_targets, ServiceNamespace="ecs", ResourceIds=[resource])
        for target in found["ScalableTargets"]:
            least, most = target["MinCapacity"], target["MaxCapacity"]
            if not least <= tasks <= most:
                raise UsageError(
                    f"As deployed, autoscaling keeps between {least} and {most} tasks, not {tasks}: run `headgate"
                    f" deploy up gateway --env {environment.name}` first, which sets what the deployment file says."
                )

    def wait(self, tasks: int, progress: Progress, until: float) -> None:
        """Wait until the tasks run and are healthy. Raises `DeployError`."""
        began, told = self._clock(), ""
        try:
            while True:
                state = self._service.wait_until_steady(progress, until - self._clock())
                healthy = self._healthy()
                if state.desired == tasks and (healthy is None or healthy >= tasks):
                    return
                said = f"{healthy} of {tasks} tasks are healthy"
                if state.desired != tasks and self._clock() > began + _SETTLE_SECONDS:
                    raise DeployError(f"Autoscaling went on to {state.desired} tasks meanwhile.")
                if self._clock() > until:
                    raise DeployError(f"All {tasks} tasks run, but the load balancer says: {said}.")
                if said != told:
                    progress(said)
                    told = said
                self._account.call.wait(_POLL_SECONDS)
        except DeployError as error:
            raise DeployError("\n".join([str(error), *self._events()])) from error

    def _healthy(self) -> int | None:
        """Count the tasks that get requests; None for a service that no load balancer stands before."""
        groups = [
            one["targetGroupArn"] for one in self._described().get("loadBalancers", []) if "targetGroupArn" in one
        ]
        if not groups:
            return None
        client = self._account.client("elbv2")
        counts = []
        for group in groups:
            answer = self._account.call(client.describe_target_health, TargetGroupArn=group)
            states = [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]
            counts.append(states.count("healthy"))
        return min(counts)

    def _events(self) -> Iterator[str]:
        for event in self._described().get("events", [])[:_EVENTS]:
            yield f"  {event['createdAt']:%H:%M:%S} {event['message']}"

    def _described(self) -> dict[str, Any]:
        client = self._account.client("ecs")
        found = self._account.call(client.describe_services, cluster=self._cluster, services=[self._name])["services"]
        return dict(found[0]) if found else {}
