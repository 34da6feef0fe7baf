"""An environment that is deployed in moto, up to a gateway whose login works."""

import io
import zipfile
from collections.abc import Mapping

from headgate.deploy.ecs import Account, StackRunner, StackSpec, stack_specs
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import ACCOUNT, INPUTS, with_parameters
from tests.doubles.databases import Databases

BUCKET = f"headgate-dev-{ACCOUNT}-us-east-1"
PLACE = "dev-headgate-db"
"""The identifier of its database."""


class Time:
    """A clock that only waiting moves."""

    def __init__(self, now: float = 1_795_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Said(list[str]):
    """What was told on the way."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)


def deploy(
    account: Account,
    databases: Databases,
    environment: Environment,
    last: str = "gateway",
    *,
    keep_data: bool | None = None,
) -> list[StackSpec]:
    """Create the stacks up to one, and what is needed in between; return them."""
    runner = StackRunner(account.client("cloudformation"), poll_seconds=0)
    wanted = {spec.template: spec for spec in stack_specs(environment, INPUTS, keep_data=keep_data)}
    made = []
    # moto takes windows that touch for windows that overlap.
    wanted["database"] = with_parameters(wanted["database"], BackupWindow="02:59-03:59")
    for template, spec in wanted.items():
        runner.apply(spec)
        made.append(spec)
        if template == "bootstrap":
            _put_package(account)
        if template == "database":
            tag(account, databases.at(PLACE).db_instance_arn, wanted["database"].tags)
            rotate(account)
        if template == last:
            break
    return made


def tag(account: Account, arn: str, tags: Mapping[str, str]) -> None:
    """Tag a resource of RDS as CloudFormation tags what it makes."""
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    account.client("rds").add_tags_to_resource(ResourceName=arn, Tags=listed)


def rotate(account: Account) -> None:
    """Rotate the database's login; what a schedule does for the first time, and every now and then."""
    function = account.client("lambda").get_function(FunctionName="dev-headgate-rotate-database")
    account.client("secretsmanager").rotate_secret(
        SecretId="headgate/dev/database",
        RotationLambdaARN=function["Configuration"]["FunctionArn"],
        RotationRules={"AutomaticallyAfterDays": 30},
    )


def _put_package(account: Account) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("empty.py", "")
    account.client("s3").put_object(Bucket=BUCKET, Key=INPUTS.rotation_package, Body=archive.getvalue())
