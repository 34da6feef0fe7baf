"""What Lambda calls. Everything comes from the function's environment, so that one package serves every stack."""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.deploy.rotation._database import DatabaseRotation
from headgate.deploy.rotation._master_key import MasterKeyRotation
from headgate.deploy.rotation._overdue import overdue, report
from headgate.deploy.rotation._protocol import RotationError, decode, rotate
from headgate.deploy.rotation._restart import restart_services
from headgate.deploy.rotation._roles import connector

AUTHORITIES_FILE = "database-ca.pem"
"""The certificate authorities of the database, at the root of the package."""


def master_key_handler(event: Mapping[str, str], context: object) -> None:
    """Rotate a gateway's master key.

    Reads `ECS_CLUSTER` and `ECS_SERVICES` (names, separated by commas), the services to restart; none when not set.
    """
    rotate(event, aws_client("secretsmanager"), MasterKeyRotation(_restart))


def database_handler(event: Mapping[str, str], context: object) -> None:
    """Rotate a gateway's PostgreSQL login between two users.

    Reads `ADMIN_SECRET_ARN`, the secret with `username` and `password` of a role that may create roles;
    `DATABASE_HOST`, the only host to connect to; `DATABASE_CA_FILE`, the authorities that its certificate is verified
    with (by default those in the package, else the system's); `IAM_USER`, a user to make who logs in by IAM, none when
    not set; and what `master_key_handler` reads.
    """
    client = aws_client("secretsmanager")
    admin_secret, host = _needed("ADMIN_SECRET_ARN"), _needed("DATABASE_HOST")

    def read_admin() -> tuple[str, str]:
        value = decode(client.get_secret_value(SecretId=admin_secret).get("SecretString", ""), admin_secret)
        user, password = value.get("username"), value.get("password")
        if not isinstance(user, str) or not isinstance(password, str):
            raise RotationError(f"{admin_secret} has no username and password of a database administrator.")
        return user, password

    iam_user = os.environ.get("IAM_USER") or None
    rotate(event, client, DatabaseRotation(connector(_authorities()), read_admin, host, _restart, iam_user))


def overdue_handler(event: Mapping[str, object], context: object) -> None:
    """Write to the function's log how many secrets should have been rotated and were not.

    Reads `SECRETS`, their ARNs separated by commas. Rotates nothing and reads no value.
    """
    secrets = [name for name in _needed("SECRETS").split(",") if name]
    sys.stdout.write(f"{report(overdue(aws_client('secretsmanager'), secrets, datetime.now(UTC)))}\n")


def aws_client(service: str, region: str | None = None) -> Any:
    """Return boto3's client of a service, which retries throttled calls.

    botocore logs whole requests and answers at debug level, secrets among them: it is kept from that.
    """
    import boto3
    from botocore.config import Config

    log = logging.getLogger("botocore")
    log.setLevel(max(log.getEffectiveLevel(), logging.INFO))
    settings = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=30)
    return boto3.client(service, region_name=region, config=settings)


def _authorities() -> str | None:
    if given := os.environ.get("DATABASE_CA_FILE"):
        return given
    packaged = Path(__file__).parents[3] / AUTHORITIES_FILE
    return str(packaged) if packaged.is_file() else None


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise RotationError(f"The function's environment has no {name}.")
    return value


def _restart() -> None:
    cluster = os.environ.get("ECS_CLUSTER", "")
    services = [name for name in os.environ.get("ECS_SERVICES", "").split(",") if name]
    if cluster and services:
        restart_services(aws_client("ecs"), cluster, services)
