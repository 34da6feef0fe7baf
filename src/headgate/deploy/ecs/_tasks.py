"""Tasks of the service: how many, and why some stopped."""

from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._calls import Caller

_DESCRIBED_AT_ONCE = 100
"""The most tasks that ECS describes in one call."""


@dataclass(frozen=True)
class StoppedTask:
    """A task that stopped: when ECS still knows, why, and how each container ended."""

    task: str
    reason: str
    containers: tuple[str, ...]


def stopped_tasks(client: Any, cluster: str, service: str, call: Caller | None = None) -> list[StoppedTask]:
    """Return the tasks of a service that stopped lately; ECS forgets them after about an hour.

    `client` is boto3's for ECS; its errors go through, credentials excepted (`CredentialsError`).
    """
    call = call or Caller()
    listed = call(client.list_tasks, cluster=cluster, serviceName=service, desiredStatus="STOPPED")["taskArns"]
    if not listed:
        return []
    described = call(client.describe_tasks, cluster=cluster, tasks=listed[:_DESCRIBED_AT_ONCE])["tasks"]
    return [
        StoppedTask(
            task["taskArn"].rpartition("/")[2],
            task.get("stoppedReason", "no reason given"),
            tuple(_ending(container) for container in task.get("containers", [])),
        )
        for task in described
    ]


def scale_service(client: Any, cluster: str, service: str, tasks: int, call: Caller | None = None) -> None:
    """Have a service run `tasks` tasks; autoscaling moves on from there within its limits."""
    (call or Caller())(client.update_service, cluster=cluster, service=service, desiredCount=tasks)


def _ending(container: dict[str, Any]) -> str:
    code = container.get("exitCode")
    ending = "did not start" if code is None else f"exit code {code}"
    return ": ".join(part for part in (container["name"], ending, container.get("reason", "")) if part)
