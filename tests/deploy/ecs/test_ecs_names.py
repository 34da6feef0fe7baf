"""Names that are taken before the stacks that would give them are there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from headgate.deploy.ecs import Account, StackRunner
from headgate.deploy.ecs._names import taken_names
from headgate.deploy.engine import DeployError
from tests.deploy.ecs.environments import ACCOUNT, environment, specs

DEV = specs(environment("dev"))
STACKS = list(DEV.values())


def _make_database(account: Account) -> None:
    account.client("rds").create_db_instance(
        DBInstanceIdentifier="dev-headgate-db",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="someone",
        MasterUserPassword="not-a-secret",
    )


def _make_role(account: Account) -> None:
    account.client("iam").create_role(RoleName="headgate-dev-task", AssumeRolePolicyDocument=json.dumps({}))


def _make_alias(account: Account) -> None:
    kms = account.client("kms")
    kms.create_alias(AliasName="alias/headgate-dev", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


def _make_load_balancer(account: Account) -> None:
    subnets = [one["SubnetId"] for one in account.client("ec2").describe_subnets()["Subnets"]][:2]
    account.client("elbv2").create_load_balancer(Name="headgate-dev", Subnets=subnets)


def _put(service: str, method: str, **arguments: Any) -> Callable[[Account], None]:
    return lambda account: getattr(account.client(service), method)(**arguments)


TAKEN = [
    (
        _put("s3", "create_bucket", Bucket=f"headgate-dev-{ACCOUNT}-us-east-1"),
        f"headgate-dev-bootstrap makes the bucket headgate-dev-{ACCOUNT}-us-east-1,",
    ),
    (_put("ecr", "create_repository", repositoryName="headgate-dev"), "the image repository headgate-dev,"),
    (_put("secretsmanager", "create_secret", Name="headgate/dev/ui-password"), "the secret headgate/dev/ui-password,"),
    (
        _put("logs", "create_log_group", logGroupName="/ecs/dev-headgate-proxy"),
        "the log group /ecs/dev-headgate-proxy,",
    ),
    (_put("ecs", "create_cluster", clusterName="headgate-dev"), "headgate-dev-gateway makes the cluster headgate-dev,"),
    (_make_alias, "the key alias alias/headgate-dev,"),
    (_make_role, "the role headgate-dev-task,"),
    (_make_load_balancer, "headgate-dev-alb makes the load balancer headgate-dev,"),
    (_make_database, "headgate-dev-database makes the database dev-headgate-db,"),
]


def test_an_empty_account_has_every_name_left(account: Account) -> None:
    assert taken_names(account, STACKS) == []


@pytest.mark.parametrize(("make", "told"), TAKEN)
def test_a_name_that_is_taken_is_told(make: Callable[[Account], None], told: str, account: Account) -> None:
    make(account)
    [sentence] = taken_names(account, STACKS)
    assert told in sentence
    assert "there is one already: " in sentence


def test_names_of_a_stack_that_is_there_are_its_own(account: Account) -> None:
    StackRunner(account.client("cloudformation"), poll_seconds=0).apply(DEV["bootstrap"])
    assert taken_names(account, STACKS) == []
    # Without its stack it is in the way.
    account.client("cloudformation").delete_stack(StackName="headgate-dev-bootstrap")
    account.client("ecr").create_repository(repositoryName="headgate-dev")
    assert [one.partition(",")[0] for one in taken_names(account, STACKS)] == [
        "headgate-dev-bootstrap makes the image repository headgate-dev"
    ]


def test_a_salt_key_that_is_left_is_taken_over_and_not_in_the_way(account: Account) -> None:
    account.client("secretsmanager").create_secret(Name="headgate/dev/salt-key")
    assert taken_names(account, STACKS) == []


def test_another_name_that_begins_alike_is_no_matter(account: Account) -> None:
    account.client("logs").create_log_group(logGroupName="/ecs/dev-headgate-proxy-old")
    account.client("ecs").create_cluster(clusterName="headgate-dev")
    account.client("ecs").delete_cluster(cluster="headgate-dev")
    assert taken_names(account, STACKS) == []


def test_a_deleted_secret_keeps_its_name_for_a_while(account: Account) -> None:
    client = account.client("secretsmanager")
    client.create_secret(Name="headgate/dev/database")
    client.delete_secret(SecretId="headgate/dev/database", RecoveryWindowInDays=7)
    [sentence] = taken_names(account, STACKS)
    assert "delete-secret --secret-id headgate/dev/database --force-delete-without-recovery" in sentence


@pytest.mark.parametrize("status", [301, 403])
def test_a_bucket_of_somebody_else_is_told(status: int, account: Account) -> None:
    [bootstrap] = [spec for spec in STACKS if spec.template == "bootstrap"]
    with Stubber(account.client("s3")) as stub:
        stub.add_client_error("head_bucket", str(status), http_status_code=status)
        [sentence] = taken_names(account, [bootstrap])
    assert "choose another project or environment name" in sentence


def test_what_may_not_be_asked_is_an_error_and_not_an_answer(account: Account) -> None:
    [bootstrap] = [spec for spec in STACKS if spec.template == "bootstrap"]
    with Stubber(account.client("s3")) as stub:
        stub.add_client_error("head_bucket", "InternalError", "not today", http_status_code=400)
        with pytest.raises(DeployError, match="The names of what is to be made: not today"):
            taken_names(account, [bootstrap])
