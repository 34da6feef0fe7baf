"""One service of the cluster: how it is, and waiting until it is as it should be."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._account import Account
from headgate.deploy.ecs._tasks import scale_service, stopped_tasks
from headgate.deploy.engine import DeployError, Progress

_POLL_SECONDS = 10.0
STEADY_SECONDS = 1800.0
"""A grace period of 600 s for new tasks, 120 s for old ones, twice over, and some room."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service is: tasks that should run, run and start; its running deployment's task definition and state."""

    desired: int
    running: int
    pending: int
    task_definition: str
    rollout: str
    reason: str
    deployments: int

    @property
    def steady(self) -> bool:
        """True when every task that should run does, and all of them are of the one deployment."""
        return self.running == self.desired and self.deployments == 1 and self.rollout in ("", "COMPLETED")

    def __str__(self) -> str:
        """Say how many tasks run, and what the deployment does."""
        pending = f", {self.pending} starting" if self.pending else ""
        over = self.steady or self.rollout == "COMPLETED"
        rollout = "" if over else f"; {(self.rollout or 'unknown').lower().replace('_', ' ')} {self.reason}"
        return f"{self.running} of {self.desired} tasks run{pending}{rollout}".rstrip()


class Service:
    """A service of a cluster, both by name. Raises botocore's errors, credentials excepted (`CredentialsError`)."""

    def __init__(self, account: Account, cluster: str, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._cluster = cluster
        self.name = name
        self._clock = clock

    def state(self) -> ServiceState | None:
        """Return how it is, None when there is no such service."""
        client = self._account.client("ecs")
        try:
            found = self._account.call(client.describe_services, cluster=self._cluster, services=[self.name])
        except client.exceptions.ClusterNotFoundException:
            return None
        for service in found["services"]:
            if service["status"] == "ACTIVE":
                return _state(service)
        return None

    def scale(self, tasks: int) -> None:
        """Have so many tasks run. Autoscaling moves on from there within its limits."""
        scale_service(self._account.client("ecs"), self._cluster, self.name, tasks, self._account.call)

    def wait_until_steady(self, progress: Progress, seconds: float = STEADY_SECONDS) -> ServiceState:
        """Wait until it is steady and return how it is.

        Raises `DeployError`, with why tasks stopped, when its deployment fails, it goes away, or `seconds` are over.
        """
        until = self._clock() + seconds
        told = ""
        while True:
            state = self.state()
            if state is None:
                raise DeployError(f"There is no service {self.name} in {self._cluster}.")
            if state.steady:
                return state
            if state.rollout == "FAILED" or self._clock() > until:
                raise DeployError(self._failure(state))
            if str(state) != told:
                told = str(state)
                progress(told)
            self._account.call.wait(_POLL_SECONDS)

    def _failure(self, state: ServiceState) -> str:
        stopped = stopped_tasks(self._account.client("ecs"), self._cluster, self.name, self._account.call)
        lines = [f"  task {one.task}: {'; '.join([one.reason, *one.containers])}" for one in stopped[:5]]
        return "\n".join([f"The service {self.name} does not come to rest: {state}", *lines])


def _state(service: dict[str, Any]) -> ServiceState:
    deployments = service.get("deployments") or []
    primary: dict[str, Any] = next((one for one in deployments if one["status"] == "PRIMARY"), {})
    return ServiceState(
        desired=service["desiredCount"],
        running=service["runningCount"],
        pending=service["pendingCount"],
        task_definition=service.get("taskDefinition", ""),
        rollout=primary.get("rolloutState", ""),
        reason=primary.get("rolloutStateReason", ""),
        deployments=len(deployments),
    )
