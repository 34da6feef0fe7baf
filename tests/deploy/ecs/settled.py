"""An environment as it is once it is deployed: its stacks in moto, and what moto leaves out of them."""

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from moto.ecs.models import ecs_backends
from moto.secretsmanager.models import secretsmanager_backends

from headgate.deploy.ecs import TEMPLATES, Account, StackRunner
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import ACCOUNT, INPUTS, specs

REGION = "us-east-1"
CANARY = "canary-in-the-secrets"
"""Part of every secret value."""
Outputs = dict[str, dict[str, str]]


def deploy(account: Account, environment: Environment, templates: Sequence[str] = TEMPLATES) -> Outputs:
    """Create stacks, let their tasks run, and fill their secrets; return their outputs by template."""
    runner = StackRunner(account.client("cloudformation"), call=account.call, poll_seconds=0)
    if environment.domain is not None:
        zones = account.client("route53")
        zone = zones.create_hosted_zone(Name=environment.domain.partition(".")[2], CallerReference="test")["HostedZone"]
        environment = environment.model_copy(update={"hosted_zone_id": zone["Id"].rpartition("/")[2]})
    wanted = [spec for template, spec in specs(environment).items() if template in templates]
    outputs = {}
    for spec in wanted:
        outputs[spec.template] = dict(runner.apply(spec).outputs)
        if spec.template == "bootstrap":
            archive = io.BytesIO()
            zipfile.ZipFile(archive, "w").close()
            bucket = outputs["bootstrap"]["BucketName"]
            account.client("s3").put_object(Bucket=bucket, Key=INPUTS.rotation_package, Body=archive.getvalue())
    settle(environment.min_tasks)
    fill_secrets(account, environment)
    if "redis" in outputs:
        make_redis(account, environment)
    if "database" in outputs and environment.deletion_protection:
        identifier = outputs["database"]["DatabaseIdentifier"]
        account.client("rds").modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=True)
    if "alb" in outputs:
        group = outputs["alb"]["TargetGroupArn"]
        targets = [{"Id": f"10.0.11.{number + 4}", "Port": 4000} for number in range(environment.min_tasks)]
        account.client("elbv2").register_targets(TargetGroupArn=group, Targets=targets)
    return {template: found for template, found in outputs.items() if found}


def settle(tasks: int) -> None:
    """Let every service run so many tasks of one deployment."""
    for service in ecs_backends[ACCOUNT][REGION].services.values():
        service.desired_count = service.running_count = tasks
        service.pending_count = 0
        service.deployments = service.deployments[:1]
        service.deployments[0] |= {"status": "PRIMARY", "rolloutState": "COMPLETED"}


def fill_secrets(account: Account, environment: Environment) -> None:
    """Give every secret that exists a value with a canary, rotated where a schedule would rotate it."""
    values = {
        "master-key": {"LITELLM_MASTER_KEY": f"sk-{CANARY}-master", "current": f"sk-{CANARY}-master"},
        "salt-key": {"LITELLM_SALT_KEY": f"{CANARY}-salt"},
        "ui-password": {"UI_USERNAME": "admin", "UI_PASSWORD": f"{CANARY}-ui"},
        "api-keys": {"OPENAI_API_KEY": f"sk-{CANARY}-openai"},
        "database": {
            "username": "headgate_a",
            "password": f"{CANARY}-database",
            "host": "db.example",
            "port": 5432,
            "dbname": "headgate",
            "DATABASE_URL": f"postgresql://headgate_a:{CANARY}-database@db.example:5432/headgate",
        },
        "redis": {"REDIS_PASSWORD": f"{CANARY}-redis"},
    }
    client, backend = account.client("secretsmanager"), secretsmanager_backends[ACCOUNT][REGION]
    for name, value in values.items():
        full = f"{environment.project}/{environment.name}/{name}"
        if full in backend.secrets:
            client.put_secret_value(SecretId=full, SecretString=json.dumps(value))
            if name in ("master-key", "database"):
                secret: Any = backend.secrets[full]
                secret.rotation_requested = secret.rotation_enabled = True
                secret.auto_rotate_after_days = environment.rotation_days
                secret.last_rotation_date = int(datetime.now(UTC).timestamp())


def make_redis(account: Account, environment: Environment) -> None:
    """Make the Redis that stands as a placeholder in the stack."""
    account.client("elasticache").create_replication_group(
        ReplicationGroupId=f"{environment.name}-{environment.project}",
        ReplicationGroupDescription="Redis",
        TransitEncryptionEnabled=True,
        AtRestEncryptionEnabled=True,
        AuthToken="0123456789abcdef",
    )
