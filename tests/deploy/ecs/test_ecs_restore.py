"""Bringing backups of an ECS environment back, cut off after every change and run again."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto.cloudformation.models import cloudformation_backends

from headgate.deploy.ecs import Account, Caller, parse_template, template_text
from headgate.deploy.ecs._backup import backup
from headgate.deploy.ecs._deployed_database import INSIGHTS_DAYS, LOGS, STORAGE_TYPE, restored_from
from headgate.deploy.ecs._restore import restore
from headgate.deploy.engine import DeployError
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import ACCOUNT, INPUTS, environment
from tests.deploy.ecs.restorable import BUCKET, PLACE, Said, Time, deploy, rotate
from tests.doubles.databases import Databases, lively_databases

CHANGES = ("Create", "Modify", "Restore", "Reboot", "Execute", "Rotate", "Update", "Remove", "Put", "Delete", "Add")
SAME = (
    *("DBInstanceClass", "MultiAZ", "PubliclyAccessible", "DeletionProtection", "IAMDatabaseAuthenticationEnabled"),
    *("BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "MaxAllocatedStorage"),
    *("DBSubnetGroup", "DBParameterGroups", "VpcSecurityGroups", "EnabledCloudwatchLogsExports", "StorageType"),
    *("KmsKeyId", "StorageEncrypted", "Endpoint", "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "Engine"),
)
"""What is the same of the database before and after a restore."""


class Cut(BaseException):
    """The run ended without a chance to clean up."""


class Restorer:
    """A deployed environment with a backup called monday, which holds other data than is there now."""

    def __init__(self, account: Account, databases: Databases, environment: Environment, clock: Time) -> None:
        self.account = account
        self.databases = databases
        self.environment = environment
        self.clock = clock
        self.said = Said()
        deploy(account, databases, environment)
        self.before = self.described()
        self.write("monday")
        backup(account, environment, "monday", Said(), clock=clock)
        note = account.client("s3").get_object(Bucket=BUCKET, Key="backups/monday.json")["Body"].read()
        self.note = json.loads(note)
        self.write("tuesday")
        rotate(account)
        rotate(account)

    def write(self, data: str) -> None:
        self.databases.at(PLACE)._logins["data"] = data

    def data(self, identifier: str = PLACE) -> str:
        return str(self.databases.at(identifier)._logins["data"])

    def restore(self, name: str = "monday", cut_after: float = float("inf")) -> None:
        """Restore; with `cut_after` the run ends after so many changes, the answer to the last one never seen."""
        account = _Mortal(Account("us-east-1", call=Caller(sleep=self.clock.sleep)), cut_after)
        restore(account, self.environment, name, self.said, clock=self.clock)  # type: ignore[arg-type]

    def described(self, identifier: str = PLACE) -> dict[str, Any]:
        client = self.account.client("rds")
        [found] = client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
        return dict(found)

    def aside(self) -> list[str]:
        return sorted(name for name in self.databases.backend.databases if "-until-" in name)

    def assert_serves(self, data: str = "monday") -> None:
        """The data is there, the settings are, and the last start of the gateway found its login taken."""
        after = self.described()
        assert self.data() == data
        assert {name: after.get(name) for name in SAME} == {name: self.before.get(name) for name in SAME}
        assert after["PerformanceInsightsEnabled"] is True
        assert after["MasterUserSecret"]["SecretArn"] != self.before["MasterUserSecret"]["SecretArn"]
        tags = {tag["Key"]: tag["Value"] for tag in after["TagList"]}
        assert tags.items() >= {"Project": "headgate", "Environment": "dev", "ManagedBy": "headgate"}.items()
        assert not tags.keys() & {"Restoring", "PutAside"}
        assert tags["Restored"] == restored_from(self.account, self.environment)
        assert self.databases.takes(self.databases.secret())
        assert self.databases.restarts[-1]


class _Mortal:
    """An account whose clients end the run after a number of changes."""

    def __init__(self, account: Account, left: float) -> None:
        self._account = account
        self._left = left
        self._counted: set[int] = set()

    def client(self, service: str) -> Any:
        client = self._account.client(service)
        if id(client) not in self._counted:
            self._counted.add(id(client))
            client.meta.events.register("after-call", self._count)
        return client

    def _count(self, model: Any, http_response: Any, **_: Any) -> None:
        if model.name.startswith(CHANGES) and http_response.status_code < 300:
            self._left -= 1
            if self._left == 0:
                raise Cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._account, name)


@pytest.fixture
def databases() -> Iterator[Databases]:
    with lively_databases() as databases:
        yield databases


@pytest.fixture
def restorer(databases: Databases, empty_world: str) -> Restorer:
    clock = Time()
    account = Account("us-east-1", call=Caller(sleep=clock.sleep))
    return Restorer(account, databases, environment("dev", performance_insights=True), clock)


def test_a_backup_takes_the_place_of_what_is_there(restorer: Restorer) -> None:
    restorer.restore()
    restorer.assert_serves()
    assert (restorer.note["image"], restorer.note["configuration"]) == (INPUTS.image, INPUTS.configuration)
    [aside] = restorer.aside()
    assert aside == "dev-headgate-db-until-20261118110640"
    assert restorer.data(aside) == "tuesday"
    assert not restorer.described(aside)["EnabledCloudwatchLogsExports"]
    assert restored_from(restorer.account, restorer.environment) == "monday at 20261118110640"
    assert restorer.said[-1].endswith(aside)
    text = "\n".join(restorer.said)
    assert restorer.databases.secret().password not in text


def test_cut_off_after_any_change_it_goes_on_when_run_again(restorer: Restorer) -> None:
    for changes in itertools.count(1):
        restorer.write(f"before {changes}")
        try:
            restorer.restore(cut_after=changes)
        except Cut:
            pass
        else:
            break
        finally:
            restorer.clock.now += 60
        if "Restoring" in {tag["Key"] for one in _instances(restorer) for tag in one["TagList"]}:
            restorer.restore()
        restorer.assert_serves()
        assert len(restorer.aside()) == changes
        assert restorer.data(restorer.aside()[-1]) == f"before {changes}"
    assert changes >= 12


def _instances(restorer: Restorer) -> list[Any]:
    return list(restorer.account.client("rds").describe_db_instances()["DBInstances"])


def test_another_restore_waits_until_the_first_has_ended(restorer: Restorer) -> None:
    with pytest.raises(Cut):
        restorer.restore(cut_after=1)
    backup(restorer.account, restorer.environment, "tuesday", Said(), clock=restorer.clock)
    with pytest.raises(DeployError, match=r"A restore of monday has not ended: run .*restore monday.* or give it up"):
        restorer.restore("tuesday")
    assert restorer.data() == "tuesday"
    restorer.account.client("rds").delete_db_instance(DBInstanceIdentifier=f"{PLACE}-restored", SkipFinalSnapshot=True)
    restorer.restore("tuesday")
    restorer.assert_serves("tuesday")


def test_a_database_that_failed_is_not_waited_for_and_one_that_is_gone_not_missed(restorer: Restorer) -> None:
    restorer.databases.at(PLACE).status = "failed"
    with pytest.raises(DeployError, match="dev-headgate-db is failed: when it can not be repaired, delete it with"):
        restorer.restore()
    restorer.account.client("rds").delete_db_instance(DBInstanceIdentifier=PLACE, SkipFinalSnapshot=True)
    restorer.restore()
    restorer.assert_serves()
    assert restorer.aside() == []


def test_a_moment_of_the_instance_that_served_then(restorer: Restorer) -> None:
    databases, start = restorer.databases, datetime.fromtimestamp(restorer.clock(), UTC)
    first = databases.at(PLACE)
    databases.windows[first.dbi_resource_id] = (start - timedelta(days=2), start + timedelta(hours=9))
    restorer.clock.now += 3600
    restorer.restore()
    second = databases.at(PLACE)
    databases.windows[second.dbi_resource_id] = (start, start + timedelta(hours=9))
    restorer.write("wednesday")
    restorer.clock.now += 3 * 3600

    # Both could go back to this moment, but it was still the first that served.
    restorer.restore(f"@{start + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}")
    restorer.assert_serves("tuesday")
    restorer.clock.now += 60
    restorer.restore(f"@{start + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}")
    restorer.assert_serves("wednesday")


def test_what_is_not_there_is_not_begun(restorer: Restorer) -> None:
    for name, problem in {
        "sunday": "There is no backup sunday",
        "@2026-11-20T12:00:00Z": "RDS can not go back to @2026-11-20T12:00:00Z, only to no moment yet",
        "@2026-02-30T12:00:00Z": "is no moment, such as @2026-11-20T12:00:00Z",
    }.items():
        with pytest.raises(DeployError, match=problem):
            restorer.restore(name)
    kept = restorer.databases.backend.database_snapshots[f"{PLACE}-monday"]
    kept.status = "creating"
    with pytest.raises(DeployError, match="The backup monday is creating"):
        restorer.restore()
    kept.status, kept.engine_version = "available", "16.4"
    with pytest.raises(DeployError, match=r"is of PostgreSQL 16\.4, the stack is for 17"):
        restorer.restore()
    assert list(restorer.databases.backend.databases) == [PLACE]
    kept.engine_version = "17.6"
    restorer.account.client("rds").create_db_instance(
        DBInstanceIdentifier=f"{PLACE}-restored", Engine="postgres", DBInstanceClass="db.t3.micro"
    )
    with pytest.raises(DeployError, match="that no restore made: delete it first"):
        restorer.restore()
    assert restorer.data() == "tuesday"


def test_a_stack_that_takes_no_update_stops_it_before_anything_is_made(restorer: Restorer) -> None:
    stacks = cloudformation_backends[ACCOUNT]["us-east-1"].stacks.values()
    [stack] = [one for one in stacks if one.name == "headgate-dev-database"]
    stack.status = "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(DeployError, match="headgate-dev-database is UPDATE_ROLLBACK_FAILED"):
        restorer.restore()
    assert list(restorer.databases.backend.databases) == [PLACE]


def test_without_a_stack_there_is_nothing_to_restore_to(account: Account) -> None:
    with pytest.raises(DeployError, match=r"no stack headgate-dev-database .* run `headgate deploy up database` first"):
        restore(account, environment("dev"), "monday", Said())


def test_settings_that_a_restore_gives_are_the_template_s() -> None:
    given = parse_template(template_text("database"))["Resources"]["Database"]["Properties"]
    assert given["EnableCloudwatchLogsExports"] == list(LOGS)
    assert given["PerformanceInsightsRetentionPeriod"]["Fn::If"][1] == INSIGHTS_DAYS
    assert given["StorageType"] == STORAGE_TYPE
    assert given["PubliclyAccessible"] is False
    assert given["AutoMinorVersionUpgrade"] is given["CopyTagsToSnapshot"] is given["ManageMasterUserPassword"] is True
