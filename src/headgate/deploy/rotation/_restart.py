"""ECS hands secrets to a task as it starts: another value needs other tasks."""

import logging
from collections.abc import Sequence
from typing import Any

log = logging.getLogger("headgate.rotation")


_NOT_THERE = frozenset({"ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"})


def restart_services(client: Any, cluster: str, services: Sequence[str]) -> None:
    """Have ECS replace the tasks of services, new ones first. `client` is boto3's for ECS; its errors go through.

    A service that is not there yet needs no restart: the first rotation runs when the database is made, before any
    service that reads its secret.
    """
    from botocore.exceptions import ClientError

    for service in services:
        try:
            client.update_service(cluster=cluster, service=service, forceNewDeployment=True)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOT_THERE:
                raise
            log.info("service %s of cluster %s is not there yet", service, cluster)
        else:
            log.info("service %s of cluster %s starts tasks that read the secret anew", service, cluster)
