"""ECS hands secrets to a task as it starts: another value needs other tasks."""

import logging
from collections.abc import Sequence
from typing import Any

log = logging.getLogger("headgate.rotation")


def restart_services(client: Any, cluster: str, services: Sequence[str]) -> None:
    """Have ECS replace the tasks of services, new ones first. `client` is boto3's for ECS; its errors go through."""
    for service in services:
        client.update_service(cluster=cluster, service=service, forceNewDeployment=True)
        log.info("service %s of cluster %s starts tasks that read the secret anew", service, cluster)
