"""Backups of an environment: snapshots of its database, each with a note on what was deployed beside it."""

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import headgate
from headgate.deploy._backup_names import check_backup_name
from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._bucket import Bucket
from headgate.deploy.ecs._instances import Instances, tags_of
from headgate.deploy.ecs._pages import listed
from headgate.deploy.ecs._reader import StackReader
from headgate.deploy.ecs._stacks import TEMPLATES
from headgate.deploy.engine import Backup, Clock, DeployError, Progress
from headgate.deploy.settings import Environment

BACKUP_TAG = "Backup"
"""Tag of a snapshot that `backup` made: the backup's name."""
NOTES = "backups/"
"""Where the notes stand in the environment's bucket."""
MOMENT = re.compile(r"@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""A moment of the past as the name of a backup, in UTC."""


def backups(account: Account, environment: Environment) -> list[Backup]:
    """Return what can be restored, newest first: own snapshots, RDS's daily ones, and the latest possible moment.

    Raises `DeployError`.
    """
    instances = Instances(account, environment, time.time)
    with explained("The backups"):
        found = [_backup(instances, one) for one in snapshots(account, instances)]
        for one in retained(account, instances):
            window = one.get("RestoreWindow") or {}
            if {"EarliestTime", "LatestTime"} <= window.keys():
                found.append(_moments(window["EarliestTime"], window["LatestTime"]))
    return sorted(found, key=lambda one: one.made, reverse=True)


def backup(
    account: Account, environment: Environment, name: str, progress: Progress, *, clock: Clock = time.time
) -> Backup:
    """Make a snapshot of the database, note what is deployed beside it, and wait until both can be had.

    Run again after an interruption it goes on. `clock` returns seconds since 1970. Raises `DeployError`, also when a
    backup of that name is complete already.
    """
    check_backup_name(name)
    instances = Instances(account, environment, clock)
    identifier = f"{instances.identifier}-{name}"
    bucket = Bucket(account, environment.prefix)
    with explained(f"The backup {name}"):
        found = _snapshot(account, identifier)
        if found is None:
            _begin(account, instances, name, identifier)
            progress(f"making the snapshot {identifier}")
        elif tags_of(found).get(BACKUP_TAG) != name:
            raise DeployError(f"There is a snapshot {identifier} already that is no backup: choose another name.")
        made = _wait(account, instances, identifier, progress)
        if not bucket.put_once(f"{NOTES}{name}.json", _note(account, environment, name, made)):
            raise DeployError(f"There is a backup {name} already, complete: choose another name.")
    progress(f"noted what is deployed in s3://{bucket.name}/{NOTES}{name}.json")
    return _backup(instances, made)


def snapshots(account: Account, instances: Instances) -> list[Mapping[str, Any]]:
    """Return the snapshots of the environment's database, as RDS describes them. botocore's errors go through."""
    found: list[Mapping[str, Any]] = []
    for kind in ("manual", "automated"):
        found += listed(account, "rds", "describe_db_snapshots", "DBSnapshots", SnapshotType=kind)
    return [one for one in found if instances.is_ours(one)]


def retained(account: Account, instances: Instances) -> list[Mapping[str, Any]]:
    """Return what RDS keeps for restores to any moment, of instances that are and that were. As `snapshots`."""
    operation, member = "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"
    return [one for one in listed(account, "rds", operation, member) if instances.is_ours(one)]


def named(instances: Instances, snapshot: Mapping[str, Any]) -> str:
    """Return the name of the backup that a snapshot is: that which it was given, else its identifier."""
    given = tags_of(snapshot).get(BACKUP_TAG)
    identifier = str(snapshot["DBSnapshotIdentifier"])
    return given if given and identifier == f"{instances.identifier}-{given}" else identifier


def _backup(instances: Instances, snapshot: Mapping[str, Any]) -> Backup:
    origin = "made by RDS" if snapshot.get("SnapshotType") == "automated" else "kept until it is deleted"
    size = f"{snapshot.get('AllocatedStorage', 0)} GiB"
    made = snapshot.get("SnapshotCreateTime")
    return Backup(
        name=named(instances, snapshot),
        made=0.0 if made is None else made.timestamp(),
        holds=f"database, PostgreSQL {snapshot.get('EngineVersion', '')}, {size}, {origin}",
        complete=snapshot.get("Status") == "available",
    )


def _moments(earliest: datetime, latest: datetime) -> Backup:
    moment = latest.astimezone(UTC)
    since = f"{earliest.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Backup(f"@{moment:%Y-%m-%dT%H:%M:%SZ}", latest.timestamp(), f"database, any moment since {since}")


def _begin(account: Account, instances: Instances, name: str, identifier: str) -> None:
    environment = instances.environment
    if instances.find(instances.identifier) is None:
        raise DeployError(f"There is no database {instances.identifier} to make a backup of.")
    tags = {
        **environment.tags,
        "Project": environment.project,
        "Environment": environment.name,
        "ManagedBy": "headgate",
        BACKUP_TAG: name,
    }
    account.call(
        account.client("rds").create_db_snapshot,
        DBInstanceIdentifier=instances.identifier,
        DBSnapshotIdentifier=identifier,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


def _snapshot(account: Account, identifier: str) -> Mapping[str, Any] | None:
    client = account.client("rds")
    try:
        [found] = account.call(client.describe_db_snapshots, DBSnapshotIdentifier=identifier)["DBSnapshots"]
    except client.exceptions.DBSnapshotNotFoundFault:
        return None
    return dict(found)


def _wait(account: Account, instances: Instances, identifier: str, progress: Progress) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = []

    def lacking() -> str | None:
        found[:] = [one for one in [_snapshot(account, identifier)] if one is not None]
        if not found:
            raise DeployError(f"The snapshot {identifier} is gone: somebody deleted it.")
        state = found[0]["Status"]
        if state == "failed":
            delete = f"aws rds delete-db-snapshot --db-snapshot-identifier {identifier}"
            raise DeployError(f"RDS could not make the snapshot {identifier}: run `{delete}`, and try again.")
        return None if state == "available" else f"{identifier} is {state}, {found[0].get('PercentProgress', 0)} %"

    instances.wait(progress, lacking)
    return found[0]


def _note(account: Account, environment: Environment, name: str, snapshot: Mapping[str, Any]) -> bytes:
    """Return what is deployed now: every stack's parameters, none of which is a secret."""
    client = account.client("cloudformation")
    reader = StackReader(client, account.call, lambda event: None, poll_seconds=0)
    stacks: dict[str, dict[str, str]] = {}
    for template in TEMPLATES:
        if (found := reader.find(f"{environment.prefix}-{template}")) is not None:
            given = found.get("Parameters", [])
            stacks[template] = {one["ParameterKey"]: one["ParameterValue"] for one in given}
    note = {
        "backup": name,
        "snapshot": snapshot["DBSnapshotIdentifier"],
        "made": f"{snapshot['SnapshotCreateTime'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "engine_version": snapshot["EngineVersion"],
        "headgate": headgate.__version__,
        "configuration": stacks.get("gateway", {}).get("ConfigurationKey", ""),
        "image": stacks.get("gateway", {}).get("Image", ""),
        "stacks": stacks,
    }
    return json.dumps(note, indent=2, sort_keys=True).encode()
