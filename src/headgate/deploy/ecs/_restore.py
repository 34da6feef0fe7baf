"""Bringing a backup back: another instance takes the database's place, and the one before is put aside.

Where it stands is written in the instances' identifiers and tags, so that another run goes on from any point. The stack
keeps its resource, which goes by its identifier.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._backup import MOMENT, named, retained, snapshots
from headgate.deploy.ecs._deployed_database import RESTORED, DeployedDatabase, deployed_database
from headgate.deploy.ecs._instances import Instance, Instances, is_ready, tags_of
from headgate.deploy.ecs._reader import Event
from headgate.deploy.ecs._runner import StackRunner
from headgate.deploy.ecs._service import Service
from headgate.deploy.engine import Clock, DeployError, Progress
from headgate.deploy.rotation import restart_services
from headgate.deploy.secrets import Vault, find, prepare_rotation, rotate
from headgate.deploy.settings import Environment

RESTORING = "Restoring"
"""Tag of an instance that is to take the database's place, until it has: the backup's name."""
PUT_ASIDE = "PutAside"
"""Tag beside it: the identifier for the instance that it takes the place of."""
_ROTATION_SECONDS = 900.0
_MOMENT_FORMAT = "@%Y-%m-%dT%H:%M:%SZ"


def restore(
    account: Account, environment: Environment, name: str, progress: Progress, *, clock: Clock = time.time
) -> None:
    """Bring a backup back in place of what the database holds, and wait until the gateway serves with it.

    `name` is that of a backup, or a moment such as `@2026-11-20T12:00:00Z`. The instance before is kept under another
    identifier. Run again after an interruption it goes on. `clock` returns seconds since 1970. Raises `DeployError`.
    """
    with explained(f"Restoring {name}"):
        _Restore(account, environment, name, progress, clock).run()


class _Restore:
    """One restore. Every step looks first whether it is done."""

    def __init__(self, account: Account, environment: Environment, name: str, progress: Progress, clock: Clock) -> None:
        self._account = account
        self._environment = environment
        self._name = name
        self._progress = progress
        self._clock = clock
        self._instances = Instances(account, environment, clock)
        self._rds = account.client("rds")

    def run(self) -> None:
        """Do it all."""
        deployed = deployed_database(self._account, self._environment)
        aside = self._begun() or self._begin(deployed)
        place = self._instances.identifier
        if self._holder(place) is None:
            self._settle(self._instances.successor, deployed)
            self._put_aside(aside)
            self._take_over()
        self._settle(place, deployed, in_place=True)
        self._refresh(deployed, aside)
        self._rotate()
        self._restart()
        self._finish(aside)

    def _holder(self, identifier: str) -> Instance | None:
        """Return the instance of this restore if it has that identifier."""
        found = self._instances.find(identifier)
        return found if found is not None and RESTORING in tags_of(found) else None

    def _begun(self) -> str | None:
        """Return the identifier for the instance before, where this restore was begun. Raises for another one."""
        for instance in self._instances.all():
            tags, identifier = tags_of(instance), instance["DBInstanceIdentifier"]
            if RESTORING not in tags:
                continue
            if instance["DBInstanceStatus"] == "deleting":
                raise DeployError(f"{identifier} of a restore that was given up is being deleted: try again later.")
            if tags[RESTORING] != self._name:
                raise DeployError(self._other(identifier, tags[RESTORING]))
            self._progress(f"going on with {identifier}")
            return tags[PUT_ASIDE]
        return None

    def _other(self, identifier: str, name: str) -> str:
        again = f"headgate deploy restore {name} --env {self._environment.name}"
        text = f"A restore of {name} has not ended: run `{again}` to end it"
        if identifier == self._instances.successor:
            text += (
                ", or give it up with `aws rds delete-db-instance --skip-final-snapshot --db-instance-identifier"
                f" {identifier}`"
            )
        return f"{text}. Nothing was changed."

    def _begin(self, deployed: DeployedDatabase) -> str:
        """Have RDS make the instance."""
        if self._instances.find(self._instances.successor) is not None:
            raise DeployError(
                f"There is an instance {self._instances.successor} that no restore made: delete it first."
            )
        source = self._source(deployed)
        aside = self._instances.aside(self._clock())
        tags = {**deployed.stack.tags, RESTORING: self._name, PUT_ASIDE: aside}
        settings = deployed.creation() | {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        self._progress(f"making {self._instances.successor} of {self._name}")
        if "DBSnapshotIdentifier" in source:
            method, target = self._rds.restore_db_instance_from_db_snapshot, "DBInstanceIdentifier"
        else:
            method, target = self._rds.restore_db_instance_to_point_in_time, "TargetDBInstanceIdentifier"
        self._account.call(method, **source, **settings, **{target: self._instances.successor})
        return aside

    def _source(self, deployed: DeployedDatabase) -> Mapping[str, Any]:
        """Return the backup as RDS takes it."""
        if MOMENT.fullmatch(self._name):
            return self._moment()
        for one in snapshots(self._account, self._instances):
            if named(self._instances, one) != self._name:
                continue
            if one["Status"] != "available":
                raise DeployError(f"The backup {self._name} is {one['Status']}. Nothing was changed.")
            version = str(one["EngineVersion"])
            if version.partition(".")[0] != deployed.major_version:
                raise DeployError(
                    f"The backup {self._name} is of PostgreSQL {version}, the stack is for {deployed.major_version}."
                    " Upgrade the snapshot with `aws rds modify-db-snapshot --engine-version`. Nothing was changed."
                )
            return {"DBSnapshotIdentifier": one["DBSnapshotIdentifier"]}
        raise DeployError(
            f"There is no backup {self._name[:80]}. `headgate deploy backup --list` names those there are."
        )

    def _moment(self) -> Mapping[str, Any]:
        """Find the instance that served at a moment, and insist that RDS can go back to it."""
        try:
            moment = datetime.strptime(self._name, _MOMENT_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise DeployError(f"{self._name} is no moment, such as @2026-11-20T12:00:00Z.") from None
        windows = []
        for one in sorted(retained(self._account, self._instances), key=_served_until):
            window = one.get("RestoreWindow") or {}
            if {"EarliestTime", "LatestTime"} <= window.keys():
                windows.append((one, window["EarliestTime"], min(window["LatestTime"], _served_until(one))))
        for one, earliest, latest in windows:
            if earliest <= moment <= latest:
                return {"SourceDbiResourceId": one["DbiResourceId"], "RestoreTime": moment}
        known = ", ".join(
            f"{earliest:%Y-%m-%dT%H:%M:%SZ} to {latest:%Y-%m-%dT%H:%M:%SZ}" for _, earliest, latest in windows
        )
        raise DeployError(
            f"RDS can not go back to {self._name}, only to {known or 'no moment yet'}. Nothing was changed."
        )

    def _settle(self, identifier: str, deployed: DeployedDatabase, *, in_place: bool = False) -> None:
        """Give the instance what a restore does not bring along, and wait until it has it."""
        asked: set[str] = set()

        def lacking() -> str | None:
            instance = self._instances.wait_until_ready(identifier, self._progress)
            changes = deployed.lacking(instance) | (deployed.lacking_in_place(instance) if in_place else {})
            if changes:
                # One that is on its way is not asked for again.
                if new := {name: value for name, value in changes.items() if name not in asked}:
                    asked.update(new)
                    self._instances.modify(identifier, **new)
                return f"{identifier} gets {', '.join(sorted(changes))}"
            if _waits_for_reboot(instance):
                if "reboot" not in asked:
                    asked.add("reboot")
                    self._account.call(self._rds.reboot_db_instance, DBInstanceIdentifier=identifier)
                return f"{identifier} restarts with its parameters"
            if instance["MasterUserSecret"].get("SecretStatus") != "active":
                return f"{identifier} gets its administrator's password"
            return None

        self._instances.wait(self._progress, lacking)

    def _put_aside(self, aside: str) -> None:
        """Rename the instance that serves, if there is one. Its logs end before: they would go on under that name."""
        place = self._instances.identifier
        asked: set[str] = set()

        def lacking() -> str | None:
            instance = self._instances.find(place)
            if instance is None:
                renamed = self._instances.find(aside)
                if renamed is None:
                    return f"{aside} is not there yet" if asked else None
                return None if is_ready(renamed) else f"{aside} is {renamed['DBInstanceStatus']}"
            change: dict[str, Any] = {"NewDBInstanceIdentifier": aside}
            if logs := instance.get("EnabledCloudwatchLogsExports"):
                change = {"CloudwatchLogsExportConfiguration": {"DisableLogTypes": logs}}
            if is_ready(instance) and not asked & change.keys():
                asked.update(change)
                self._instances.modify(place, **change)
            return f"{place} becomes {aside}"

        self._instances.wait(self._progress, lacking)

    def _take_over(self) -> None:
        """Rename the instance that was made."""
        place, successor = self._instances.identifier, self._instances.successor
        asked: list[str] = []

        def lacking() -> str | None:
            if (instance := self._holder(place)) is not None:
                return None if is_ready(instance) else f"{place} is {instance['DBInstanceStatus']}"
            instance = self._instances.find(successor)
            if instance is not None and is_ready(instance) and not asked:
                asked.append(place)
                self._instances.modify(successor, NewDBInstanceIdentifier=place)
            return f"{successor} becomes {place}"

        self._instances.wait(self._progress, lacking)

    def _refresh(self, deployed: DeployedDatabase, aside: str) -> None:
        """Have the stack read the instance again, and tell the rotation function of its administrator's secret."""
        value = f"{self._name} at {aside.rpartition('-')[2]}"
        spec = replace(deployed.stack, parameters={**deployed.stack.parameters, RESTORED: value})

        def tell(event: Event) -> None:
            self._progress(f"{event.resource} {event.status}")

        client = self._account.client("cloudformation")
        StackRunner(client, call=self._account.call, on_event=tell).apply(spec)
        functions = self._account.client("lambda")
        configured = self._account.call(functions.get_function_configuration, FunctionName=deployed.rotation_function)
        told = configured.get("Environment", {}).get("Variables", {}).get("ADMIN_SECRET_ARN")
        instance = self._instances.find(self._instances.identifier)
        wanted = None if instance is None else instance["MasterUserSecret"]["SecretArn"]
        if told != wanted:
            raise DeployError(
                f"{deployed.rotation_function} still reads the administrator's secret {told}, and RDS made {wanted}."
                f" Set ADMIN_SECRET_ARN in the function's environment, allow its role to read that secret, and run this"
                " command again."
            )

    def _rotate(self) -> None:
        """Give the gateway a login: the database knows the passwords of the backup's time."""
        environment, entry = self._environment, find("database")
        vault = Vault(self._account.client("secretsmanager"), f"{environment.project}/{environment.name}")
        self._progress("giving the gateway a new login")
        now = datetime.fromtimestamp(self._clock(), UTC)
        rotating = prepare_rotation(vault, entry, now, abandon=True)
        rotate(vault, rotating, timeout=_ROTATION_SECONDS, clock=self._clock, sleep=self._account.call.wait)

    def _restart(self) -> None:
        """Have the gateway's tasks read the login, and wait until they serve."""
        client = self._account.client("cloudformation")
        gateway = StackRunner(client, call=self._account.call).outputs(f"{self._environment.prefix}-gateway")
        if "ServiceName" not in gateway:
            self._progress("there is no gateway to restart")
            return
        cluster, service = gateway["ClusterName"], gateway["ServiceName"]
        self._progress(f"restarting {service}")
        restart_services(self._account.client("ecs"), cluster, [service])
        Service(self._account, cluster, service, self._clock).wait_until_steady(self._progress)

    def _finish(self, aside: str) -> None:
        """Say in the tags that it is done."""
        if (instance := self._holder(self._instances.identifier)) is not None:
            self._account.call(
                self._rds.remove_tags_from_resource,
                ResourceName=instance["DBInstanceArn"],
                TagKeys=[RESTORING, PUT_ASIDE],
            )
        if self._instances.find(aside) is not None:
            self._progress(f"the database before is kept, and costs what it did: {aside}")


def _waits_for_reboot(instance: Instance) -> bool:
    groups = instance.get("DBParameterGroups") or []
    return any(group.get("ParameterApplyStatus") == "pending-reboot" for group in groups)


def _served_until(backup: Mapping[str, Any]) -> datetime:
    """Return until when the instance of a retained backup served: as its identifier says, else it still does."""
    _, found, moment = backup["DBInstanceIdentifier"].partition("-until-")
    return datetime.strptime(moment, "%Y%m%d%H%M%S").replace(tzinfo=UTC) if found else datetime.max.replace(tzinfo=UTC)
