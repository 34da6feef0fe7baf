"""Making backups of an ECS environment, and telling which there are."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.deploy.ecs import Account, Caller
from headgate.deploy.ecs._backup import backup, backups
from headgate.deploy.engine import DeployError
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.restorable import BUCKET, PLACE, Said, Time, deploy, tag
from tests.doubles.databases import Databases, lively_databases

DEV = environment("dev")


@pytest.fixture
def databases() -> Iterator[Databases]:
    with lively_databases() as databases:
        yield databases


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def deployed(databases: Databases, empty_world: str, clock: Time) -> Account:
    account = Account("us-east-1", call=Caller(sleep=clock.sleep))
    deploy(account, databases, DEV, last="database")
    return account


def made(account: Account, name: str, clock: Time, environment: Environment = DEV) -> None:
    backup(account, environment, name, Said(), clock=clock)


def note(account: Account, name: str) -> dict[str, Any]:
    answer = account.client("s3").get_object(Bucket=BUCKET, Key=f"backups/{name}.json")
    found: dict[str, Any] = json.loads(answer["Body"].read())
    return found


def test_a_backup_is_a_snapshot_with_a_note_beside_it(deployed: Account, databases: Databases, clock: Time) -> None:
    snapshots = databases.backend.database_snapshots
    said = Said()

    found = backup(deployed, DEV, "before-upgrade", said, clock=clock)

    assert (found.name, found.complete) == ("before-upgrade", True)
    assert found.holds == "database, PostgreSQL 17.6, 20 GiB, kept until it is deleted"
    tags = {one["Key"]: one["Value"] for one in snapshots[f"{PLACE}-before-upgrade"].tags}
    assert tags == {"Project": "headgate", "Environment": "dev", "ManagedBy": "headgate", "Backup": "before-upgrade"}
    written = note(deployed, "before-upgrade")
    assert written["snapshot"] == f"{PLACE}-before-upgrade"
    assert written["image"] == written["configuration"] == "", "there is no gateway yet"
    assert written["stacks"]["database"]["InstanceClass"] == "db.t3.micro"
    assert set(written["stacks"]) == {"bootstrap", "security", "network", "alb", "database"}
    assert said == [
        f"making the snapshot {PLACE}-before-upgrade",
        f"noted what is deployed in s3://{BUCKET}/backups/before-upgrade.json",
    ]
    text = json.dumps(written) + "\n".join(said)
    for secret in deployed.client("secretsmanager").list_secrets()["SecretList"]:
        if "SecretVersionsToStages" not in secret or secret["Name"].endswith("api-keys"):
            continue
        held = deployed.client("secretsmanager").get_secret_value(SecretId=secret["Name"])["SecretString"]
        hidden = [value for key, value in json.loads(held).items() if "KEY" in key or "assword" in key.lower()]
        assert hidden
        assert [value for value in hidden if value in text] == []


def test_what_was_cut_off_goes_on_and_a_name_is_taken_once(
    deployed: Account, databases: Databases, clock: Time
) -> None:
    tags = [{"Key": "Backup", "Value": "monday"}]
    client = deployed.client("rds")
    client.create_db_snapshot(DBInstanceIdentifier=PLACE, DBSnapshotIdentifier=f"{PLACE}-monday", Tags=tags)
    databases.backend.database_snapshots[f"{PLACE}-monday"].status = "failed"
    with pytest.raises(DeployError, match=f"could not make the snapshot {PLACE}-monday: run `aws rds delete-db-snap"):
        made(deployed, "monday", clock)
    databases.backend.database_snapshots[f"{PLACE}-monday"].status = "available"
    made(deployed, "monday", clock)
    before = note(deployed, "monday")
    assert before["backup"] == "monday"
    with pytest.raises(DeployError, match="There is a backup monday already, complete: choose another name"):
        made(deployed, "monday", clock)
    assert note(deployed, "monday") == before
    client.create_db_snapshot(DBInstanceIdentifier=PLACE, DBSnapshotIdentifier=f"{PLACE}-own")
    with pytest.raises(DeployError, match="already that is no backup"):
        made(deployed, "own", clock)


@pytest.mark.parametrize("name", ["", "Monday", "a--b", "a-", "-a", "a" * 121, "a b", "a/../b", "rds:x"])
def test_a_name_that_rds_would_not_take_is_refused_before_anything_happens(name: str, account: Account) -> None:
    with pytest.raises(DeployError, match="can not be the name of a backup"):
        backup(account, DEV, name, Said())


def test_without_a_database_there_is_nothing_to_back_up(account: Account) -> None:
    with pytest.raises(DeployError, match="There is no database dev-headgate-db to make a backup of"):
        backup(account, DEV, "monday", Said())
    assert backups(account, DEV) == []


def test_the_newest_comes_first_and_every_kind_is_there(deployed: Account, databases: Databases, clock: Time) -> None:
    kept = databases.backend.database_snapshots
    [daily] = list(kept)
    kept[daily].created = datetime(2026, 11, 1, tzinfo=UTC)
    made(deployed, "monday", clock)
    kept[f"{PLACE}-monday"].created = datetime(2026, 11, 2, tzinfo=UTC)
    deployed.client("rds").create_db_snapshot(DBInstanceIdentifier=PLACE, DBSnapshotIdentifier="final")
    kept["final"].created, kept["final"].status = datetime(2026, 11, 3, tzinfo=UTC), "creating"
    start = datetime(2026, 10, 30, tzinfo=UTC)
    databases.windows[databases.at(PLACE).dbi_resource_id] = (start, start + timedelta(days=5))

    found = backups(deployed, DEV)

    assert [(one.name, one.complete) for one in found] == [
        ("@2026-11-04T00:00:00Z", True),
        ("final", False),
        ("monday", True),
        (daily, True),
    ]
    assert found[0].holds == "database, any moment since 2026-10-30T00:00:00Z"
    assert found[-1].holds.endswith("made by RDS")
    assert daily.startswith(f"rds:{PLACE}-")


def test_snapshots_of_other_databases_are_not_ours(deployed: Account, databases: Databases, clock: Time) -> None:
    client = deployed.client("rds")
    client.create_db_instance(DBInstanceIdentifier="other", Engine="postgres", DBInstanceClass="db.t3.micro")
    databases.at("other").status = "available"
    client.create_db_snapshot(DBInstanceIdentifier="other", DBSnapshotIdentifier="dev-headgate-db-x")
    made(deployed, "monday", clock)
    # Another environment of another project can lead to the same identifier.
    tag(deployed, databases.backend.database_snapshots[f"{PLACE}-monday"].arn, {"Project": "db", "Environment": "x"})
    assert [one.name for one in backups(deployed, DEV) if not one.name.startswith("rds:")] == []
