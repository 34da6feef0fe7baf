"""What is left of an ECS environment after its stacks are gone, and giving it up."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from headgate.deploy.ecs import Account, Caller, StackRunner, _empty
from headgate.deploy.ecs._backup import backup
from headgate.deploy.ecs._empty import (
    empty_bucket,
    empty_repository,
    find_leftovers,
    leftovers,
    purge,
    release_database,
)
from headgate.deploy.ecs._names import names_of
from headgate.deploy.ecs._restore import restore
from headgate.deploy.engine import DeployError
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.restorable import BUCKET, PLACE, Said, Time, deploy
from tests.doubles.databases import Databases, lively_databases

DEV = environment("dev")
LOGS = f"headgate-dev-logs-{ACCOUNT}-us-east-1"
TAGS = {"Project": "headgate", "Environment": "dev", "ManagedBy": "headgate"}


@pytest.fixture
def databases() -> Iterator[Databases]:
    with lively_databases() as databases:
        yield databases


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def account(empty_world: str, clock: Time) -> Account:
    return Account("us-east-1", call=Caller(sleep=clock.sleep))


def push(account: Account, *tags: str) -> None:
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    for tag in tags:
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": {"digest": tag}, "layers": []}
        account.client("ecr").put_image(
            repositoryName="headgate-dev",
            imageManifest=json.dumps(manifest),
            imageTag=tag,
            imageDigest=f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}",
        )


def versioned(account: Account, name: str) -> Any:
    client = account.client("s3")
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return client


def test_a_bucket_is_empty_when_no_version_is_left(account: Account) -> None:
    client = versioned(account, BUCKET)
    for key in ("a", "a", "b/c"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    client.delete_object(Bucket=BUCKET, Key="a")
    said = Said()
    empty_bucket(account, BUCKET, said)
    assert said == [f"deleted 4 objects and versions of {BUCKET}"]
    client.delete_bucket(Bucket=BUCKET)
    empty_bucket(account, BUCKET, said)


def test_more_objects_than_one_call_takes(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_empty, "_AT_ONCE", 3)
    client = versioned(account, BUCKET)
    for number in range(7):
        client.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"")
    said = Said()
    empty_bucket(account, BUCKET, said)
    assert [line.split()[1] for line in said] == ["3", "6", "7"]
    assert "Versions" not in client.list_object_versions(Bucket=BUCKET)


def test_an_object_that_can_not_be_deleted_is_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    client = versioned(account, BUCKET)
    client.put_object(Bucket=BUCKET, Key="held", Body=b"x")
    answer = {"Errors": [{"Key": "held", "Code": "AccessDenied", "Message": "it is locked"}]}
    monkeypatch.setattr(client, "delete_objects", lambda **arguments: answer)
    with pytest.raises(DeployError, match=f"held in the bucket {BUCKET} can not be deleted: it is locked"):
        empty_bucket(account, BUCKET, Said())


def test_a_repository_is_empty_when_no_image_is_left(account: Account) -> None:
    client = account.client("ecr")
    empty_repository(account, "headgate-dev", Said())
    client.create_repository(repositoryName="headgate-dev")
    push(account, *(f"v{number}" for number in range(103)))
    said = Said()
    empty_repository(account, "headgate-dev", said)
    assert client.list_images(repositoryName="headgate-dev")["imageIds"] == []
    assert said == ["deleted 100 images of headgate-dev", "deleted 3 images of headgate-dev"]


def test_an_image_that_can_not_be_deleted_is_said(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    client = account.client("ecr")
    client.create_repository(repositoryName="headgate-dev")
    push(account, "v1")
    answer = {"imageIds": [], "failures": [{"failureReason": "it is in use"}]}
    monkeypatch.setattr(client, "batch_delete_image", lambda **arguments: answer)
    with pytest.raises(DeployError, match="Images of headgate-dev can not be deleted: it is in use"):
        empty_repository(account, "headgate-dev", Said())


def test_nothing_is_left_of_nothing(account: Account, databases: Databases, clock: Time) -> None:
    assert leftovers(account, DEV) == []
    purge(account, DEV, Said(), clock=clock)


def test_what_stands_is_told_and_keeps_data_from_being_deleted(
    account: Account, databases: Databases, clock: Time
) -> None:
    deploy(account, databases, DEV, last="database")
    found = find_leftovers(account, DEV)
    stacks = [f"headgate-dev-{template}" for template in ("database", "alb", "network", "security", "bootstrap")]
    assert [one.name for one in found if one.kind == "stack"] == stacks
    assert f"The database {PLACE} is still available." in leftovers(account, DEV)
    with pytest.raises(DeployError, match="there are still headgate-dev-database, headgate-dev-alb, headgate-dev-net"):
        purge(account, DEV, Said(), clock=clock)
    assert PLACE in databases.backend.databases
    assert account.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_an_interface_of_a_function_that_is_gone_holds_the_network_up(account: Account, databases: Databases) -> None:
    deploy(account, databases, DEV, last="network")
    outputs = StackRunner(account.client("cloudformation")).outputs("headgate-dev-network")
    made = account.client("ec2").create_network_interface(
        SubnetId=outputs["PrivateSubnet1Id"], Description="AWS Lambda VPC ENI-dev-headgate-rotate-database-1"
    )["NetworkInterface"]["NetworkInterfaceId"]
    [found] = [one for one in find_leftovers(account, DEV) if one.name == made]
    assert str(found) == (
        f"The network interface {made} (AWS Lambda VPC ENI-dev-headgate-rotate-database-1) holds the network up: AWS"
        " takes it away some 20 minutes after its function is gone."
    )
    assert not found.kept


def test_instances_that_restores_left_go_before_the_stack_whose_groups_they_use(
    account: Account, databases: Databases, clock: Time
) -> None:
    deploy(account, databases, environment("dev", deletion_protection=True), last="database")
    databases.at(PLACE).deletion_protection = True
    backup(account, DEV, "monday", Said(), clock=clock)
    restore(account, DEV, "monday", Said(), clock=clock)
    [aside] = [name for name in databases.backend.databases if "-until-" in name]
    account.client("rds").create_db_instance(
        DBInstanceIdentifier=f"{PLACE}-restored", Engine="postgres", DBInstanceClass="db.t3.micro"
    )
    assert f"The database {aside}, which a restore put aside, is still available." in leftovers(account, DEV)

    release_database(account, DEV, Said(), keep_data=True, clock=clock)

    assert list(databases.backend.databases) == [PLACE]
    assert f"{aside}-final" in databases.backend.database_snapshots
    assert f"{PLACE}-restored-final" not in databases.backend.database_snapshots
    release_database(account, DEV, Said(), keep_data=True, clock=clock)


def test_everything_that_was_kept_is_told_and_given_up(account: Account, databases: Databases, clock: Time) -> None:
    specs = deploy(account, databases, DEV, keep_data=True)
    _use(account, databases, clock)
    runner = StackRunner(account.client("cloudformation"), poll_seconds=0)
    release_database(account, DEV, Said(), keep_data=True, clock=clock)
    runner.destroy(specs, unprotect=True)

    found = find_leftovers(account, DEV)

    kinds: dict[str, list[str]] = {}
    for one in found:
        kinds.setdefault(one.kind, []).append(one.name)
        assert one.kept, one
    assert kinds["bucket"] == [LOGS, BUCKET]
    assert kinds["repository"] == ["headgate-dev"]
    secrets = {name for spec in specs for _, name in names_of(spec, "AWS::SecretsManager::Secret", "Name")}
    assert secrets >= {"headgate/dev/salt-key", "headgate/dev/ui-password"}
    assert set(kinds["secret"]) == secrets
    aside = [name for name in kinds["snapshot"] if name.endswith("-final")]
    assert len(aside) == 1
    assert sorted(kinds["snapshot"]) == sorted([f"{PLACE}-monday", *aside])
    assert len(kinds["retained backup"]) == 2
    groups = {name for spec in specs for _, name in names_of(spec, "AWS::Logs::LogGroup", "LogGroupName")}
    assert groups >= {"/ecs/dev-headgate-proxy", f"/aws/rds/instance/{PLACE}/postgresql"}
    made_by_themselves = {"/aws/ecs/containerinsights/headgate-dev/performance", f"/aws/rds/instance/{PLACE}/upgrade"}
    assert set(kinds["log group"]) == groups | made_by_themselves
    assert len(kinds["key"]) == 1
    sentences = leftovers(account, DEV)
    assert "The secret headgate/dev/ui-password was deleted on 20" in "\n".join(sentences)
    assert "The image repository headgate-dev is kept, with 2 images." in sentences

    said = Said()
    purge(account, DEV, said, keep_foundation=True, clock=clock)
    assert [one.name for one in find_leftovers(account, DEV)] == ["headgate-dev", BUCKET]
    purge(account, DEV, said, clock=clock)
    assert leftovers(account, DEV) == []
    [key] = account.client("kms").list_keys()["Keys"]
    assert account.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "PendingDeletion"
    purge(account, DEV, said, clock=clock)
    others = [one["logGroupName"] for one in account.client("logs").describe_log_groups()["logGroups"]]
    assert others == ["/aws/rds/instance/dev-headgate-db2/postgresql", "/ecs/dev-headgate-proxy2"]
    assert [one["Name"] for one in account.client("s3").list_buckets()["Buckets"]] == ["headgate-dev"]


def _use(account: Account, databases: Databases, clock: Time) -> None:
    """Leave behind what a deployment in use leaves, and what belongs to others."""
    backup(account, DEV, "monday", Said(), clock=clock)
    restore(account, DEV, "monday", Said(), clock=clock)
    push(account, "0.1.0", "0.2.0")
    account.client("s3").put_object(Bucket=LOGS, Key="load-balancer/x", Body=b"x")
    logs = account.client("logs")
    for name in (
        "/aws/ecs/containerinsights/headgate-dev/performance",
        f"/aws/rds/instance/{PLACE}/upgrade",
        "/aws/rds/instance/dev-headgate-db2/postgresql",
        "/ecs/dev-headgate-proxy2",
    ):
        logs.create_log_group(logGroupName=name)
    account.client("s3").create_bucket(Bucket="headgate-dev")
    kms = account.client("kms")
    [key] = kms.list_keys()["Keys"]
    kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": name, "TagValue": value} for name, value in TAGS.items()])
    account.client("secretsmanager").delete_secret(SecretId="headgate/dev/ui-password", RecoveryWindowInDays=30)


def test_what_only_tags_tell_is_told(account: Account, databases: Databases, clock: Time) -> None:
    topic = account.client("sns").create_topic(
        Name="forgotten", Tags=[{"Key": name, "Value": value} for name, value in TAGS.items()]
    )["TopicArn"]
    account.client("sns").create_topic(
        Name="other", Tags=[{"Key": name, "Value": value} for name, value in (TAGS | {"Environment": "prod"}).items()]
    )
    [found] = find_leftovers(account, DEV)
    assert (found.name, found.kept) == (topic, False)
    assert "carries the tags of this environment" in str(found)
    purge(account, DEV, Said(), clock=clock)
    assert len(leftovers(account, DEV)) == 1


def test_credentials_that_may_not_ask_for_tags_are_said(
    account: Account, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ClientError

    def refuse(operation: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)

    monkeypatch.setattr(account.client("resourcegroupstaggingapi"), "get_paginator", refuse)
    [sentence] = leftovers(account, DEV)
    assert sentence.startswith("These credentials may not look for resources by their tags")
