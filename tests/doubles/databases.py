"""RDS in moto, made whole enough to prove backups and restores.

What moto does at once takes a while here, as in AWS, and is refused meanwhile. Every instance has logins, which its
snapshots remember; the rotation function is the real protocol against them. CloudFormation reads an instance again when
it has changed it, and only then tells the rotation function what is new of it.
"""

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import moto.awslambda.models
import moto.ecs.models
from moto.awslambda.models import LambdaFunction
from moto.cloudformation.parsing import ResourceMap
from moto.core.responses import ActionResult
from moto.rds.exceptions import DBInstanceAlreadyExists, InvalidDBInstanceStateError
from moto.rds.models import DBInstance, DBParameterGroup, DBSubnetGroup, MasterUserSecret, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse
from moto.secretsmanager.models import secretsmanager_backends

from headgate.deploy.rotation import Credentials, alternate, new_password
from headgate.deploy.rotation._protocol import rotate

ACCOUNT, REGION = "123456789012", "us-east-1"
_LOOKS = 1
"""How often an instance is looked at before RDS is done with what it was asked."""


class Databases:
    """The instances behind moto. `restarts` says of each restart of the gateway whether its login was taken."""

    def __init__(self) -> None:
        self.restarts: list[bool] = []
        self.windows: dict[str, tuple[datetime, datetime]] = {}
        """By resource id, from when until when RDS can go back to any moment."""
        self.kept: dict[str, DBInstance] = {}

    @property
    def backend(self) -> RDSBackend:
        return rds_backends[ACCOUNT][REGION]

    def at(self, identifier: str) -> Any:
        return self.backend.databases[identifier]

    def secret(self) -> Credentials:
        """Return the login that a task of the gateway would get."""
        store = secretsmanager_backends[ACCOUNT][REGION]
        text = store.get_secret_value("headgate/dev/database", "", "")["SecretString"]
        return Credentials.from_url(json.loads(str(text))["DATABASE_URL"])

    def takes(self, login: Credentials) -> bool:
        """Tell whether the instance at a login's host knows it."""
        instance = self.backend.databases.get(login.host.partition(".")[0])
        return instance is not None and _logins(instance).get(login.username) == login.password

    def invoke(self, backend: Any, function_name: str, qualifier: Any, body: str, *_: Any, **__: Any) -> str:
        """Run the rotation function: the real protocol, with the function's environment."""
        function = backend.get_function(function_name)
        rotate(json.loads(body), boto3.client("secretsmanager"), _Logins(self, function.environment_vars))
        return "null"

    def restarted(self) -> None:
        self.restarts.append(self.takes(self.secret()))


class _Logins:
    """The strategy of a rotation over the logins of an instance."""

    def __init__(self, databases: Databases, environment: Mapping[str, str]) -> None:
        self._databases = databases
        self._environment = environment

    def create(self, current: Mapping[str, object], rotation: object) -> Mapping[str, object]:
        before = Credentials.from_value(current)
        after = Credentials(alternate(before.username), new_password(), before.host, before.port, before.dbname)
        return after.to_value(current)

    def apply(self, current: object, pending: Mapping[str, object]) -> None:
        login = Credentials.from_value(pending)
        instance = self._databases.at(self._environment["DATABASE_HOST"].partition(".")[0])
        assert self._environment["ADMIN_SECRET_ARN"] == instance.master_user_secret.secret_arn, (
            "another's administrator"
        )
        _logins(instance)[login.username] = login.password

    def test(self, current: object, pending: Mapping[str, object]) -> None:
        assert self._databases.takes(Credentials.from_value(pending))

    def finished(self) -> None:
        """The test's own service is restarted by who rotates."""


def _logins(instance: Any) -> dict[str, str]:
    found: dict[str, str] = instance.__dict__.setdefault("_logins", {})
    return found


def _born(instance: Any) -> Any:
    instance.dbi_resource_id = f"db-{uuid.uuid4().hex.upper()[:26]}"
    instance.__dict__["_logins"] = {}
    _busy(instance, "creating")
    return instance


def _window(moments: tuple[datetime, datetime] | None) -> dict[str, datetime]:
    return {} if moments is None else {"EarliestTime": moments[0], "LatestTime": moments[1]}


def _busy(instance: Any, state: str) -> None:
    instance.status, instance.__dict__["_looks"] = state, _LOOKS


@contextlib.contextmanager
def lively_databases() -> Iterator[Databases]:
    """Bring moto's databases to life, in this process, for a while."""
    databases = Databases()
    create, describe, modify = (
        RDSBackend.create_db_instance,
        RDSBackend.describe_db_instances,
        RDSBackend.modify_db_instance,
    )
    snapshot, remove = RDSBackend.create_db_snapshot, RDSBackend.delete_db_instance
    from_template = DBInstance.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]
    difference = ResourceMap.build_resource_diff
    attribute, save = DBInstance.get_cfn_attribute, DBInstance.save_automated_backup

    def create_db_instance(self: RDSBackend, given: dict[str, Any]) -> Any:
        return _born(create(self, given))

    def describe_db_instances(self: RDSBackend, *arguments: Any, **options: Any) -> Any:
        found = describe(self, *arguments, **options)
        for one in found:
            if (looks := one.__dict__.get("_looks", 0)) > 0:
                one.__dict__["_looks"] = looks - 1
            elif one.status != "failed":
                one.status = "available"
        return found

    def modify_db_instance(self: RDSBackend, identifier: str, changes: dict[str, Any]) -> Any:
        [instance] = describe(self, identifier)
        if instance.status != "available":
            raise InvalidDBInstanceStateError(identifier, instance.status)
        if changes.get("new_db_instance_identifier", "") in self.databases:
            raise DBInstanceAlreadyExists
        renamed = "new_db_instance_identifier" in changes
        changed = modify(self, identifier, changes)
        if changes.get("enable_performance_insights"):
            changed.__dict__["performance_insights_enabled"] = True
        _busy(changed, "renaming" if renamed else "modifying")
        return changed

    def save_automated_backup(self: DBInstance) -> None:
        """Make the daily snapshot of an instance that CloudFormation makes; names of others' would be the same."""
        if "-restored" not in self.db_instance_identifier:
            save(self)

    def create_db_snapshot(self: RDSBackend, *arguments: Any, **options: Any) -> Any:
        made = snapshot(self, *arguments, **options)
        made.database.__dict__["_logins"] = dict(_logins(made.database))
        return made

    def delete_db_instance(self: RDSBackend, db_instance_identifier: str, *arguments: Any, **options: Any) -> Any:
        found = self.databases.get(db_instance_identifier)
        if found is not None and options.get("delete_automated_backups") is not True:
            databases.kept[found.dbi_resource_id] = found
        return remove(self, db_instance_identifier, *arguments, **options)

    def made_of(self: RDSBackend, source: Any, overrides: dict[str, Any], identifier: str, settings: Any) -> Any:
        """Make an instance as a restore does: the data of the source, settings that are given, else the defaults."""
        given = {name: value for name, value in overrides.items() if name in _TAKEN}
        made = _born(
            create(
                self,
                {
                    **given,
                    "db_instance_identifier": identifier,
                    "engine": source.engine,
                    "engine_version": settings.engine_version,
                    "allocated_storage": settings.allocated_storage,
                    "db_name": source.db_name,
                    "master_username": source.master_username,
                    "storage_encrypted": True,
                    "kms_key_id": source.kms_key_id,
                },
            )
        )
        made.__dict__["_logins"] = dict(_logins(source))
        return made

    def from_snapshot(self: RDSBackend, name: str, overrides: dict[str, Any]) -> Any:
        kept = self.database_snapshots[name]
        return made_of(self, kept.database, overrides, overrides["db_instance_identifier"], kept)

    def from_moment(self: RDSBackend, source: Any, target: str, overrides: dict[str, Any]) -> Any:
        wanted = overrides["source_dbi_resource_id"]
        known = {one.dbi_resource_id: one for one in [*self.databases.values(), *databases.kept.values()]}
        return made_of(self, known[wanted], overrides, target, known[wanted])

    def delete_automated_backup(self: Any) -> Any:
        del databases.kept[self.params["DbiResourceId"]]
        return ActionResult({})

    def automated_backups(self: RDSBackend, *_: Any, **__: Any) -> Any:
        found = {**{one.dbi_resource_id: one for one in self.databases.values()}, **databases.kept}
        return [
            SimpleNamespace(
                db_instance_identifier=one.db_instance_identifier,
                dbi_resource_id=resource,
                status="retained" if resource in databases.kept else "active",
                tag_list=one.tags,
                restore_window=_window(databases.windows.get(resource)),
            )
            for resource, one in found.items()
        ]

    def create_from_template(cls: Any, /, name: str, template: Any, account: str, region: str, **options: Any) -> Any:
        """Take what moto leaves out."""
        given = template["Properties"]
        group = SimpleNamespace(name=given["DBSubnetGroupName"])
        moto_wants = {**template, "Properties": {**given, "DBSubnetGroupName": group}}
        made = from_template(cls, name, moto_wants, account, region, **options)
        made.max_allocated_storage = int(given["MaxAllocatedStorage"])
        made.vpc_security_group_ids = given["VPCSecurityGroups"]
        made.enabled_cloudwatch_logs_exports = list(given["EnableCloudwatchLogsExports"])
        made.deletion_protection = given["DeletionProtection"] == "true"
        made.manage_master_user_password = True
        made.master_user_secret = MasterUserSecret(made, given["KmsKeyId"])
        made.status, made.__dict__["_looks"] = "available", 0
        return made

    def update_from_template(
        cls: Any, /, original_resource: Any, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Any:
        """Change the tags of what goes by the identifier, and read it again."""
        given = cloudformation_json["Properties"]
        found = rds_backends[account_id][region_name].databases[given["DBInstanceIdentifier"]]
        own = {tag["Key"]: tag["Value"] for tag in given.get("Tags") or []}
        found.tags = [tag for tag in found.tags if tag["Key"] != "Restored"]
        found.tags += [{"Key": key, "Value": value} for key, value in own.items()]
        return found

    def resource_difference(self: Any, *arguments: Any, **options: Any) -> Any:
        """Have functions follow the instance that their environment names an attribute of."""
        found = difference(self, *arguments, **options)
        if "Database" in found["Modify"]:
            named = json.dumps(["Database", "MasterUserSecret.SecretArn"])
            following = [
                name for name, one in self._resource_json_map.items() if one["Type"] == "AWS::Lambda::Function"
            ]
            found["Modify"] += [
                name
                for name in following
                if named in json.dumps(self._resource_json_map[name]) and name not in found["Modify"]
            ]
        return found

    def cfn_attribute(self: Any, name: str) -> Any:
        return self.master_user_secret.secret_arn if name == "MasterUserSecret.SecretArn" else attribute(self, name)

    change_service = moto.ecs.models.EC2ContainerServiceBackend.update_service
    make_service = moto.ecs.models.EC2ContainerServiceBackend.create_service

    def create_service(self: Any, *arguments: Any, **options: Any) -> Any:
        return _steady(make_service(self, *arguments, **options))

    def update_service(self: Any, properties: dict[str, Any]) -> Any:
        if properties.get("force_new_deployment"):
            databases.restarted()
        return _steady(change_service(self, properties))

    with (
        patch.object(RDSBackend, "create_db_instance", create_db_instance),
        patch.object(RDSBackend, "describe_db_instances", describe_db_instances),
        patch.object(RDSBackend, "modify_db_instance", modify_db_instance),
        patch.object(RDSBackend, "create_db_snapshot", create_db_snapshot),
        patch.object(RDSBackend, "delete_db_instance", delete_db_instance),
        patch.object(RDSBackend, "restore_db_instance_from_db_snapshot", from_snapshot),
        patch.object(RDSBackend, "restore_db_instance_to_point_in_time", from_moment),
        patch.object(RDSBackend, "describe_db_instance_automated_backups", automated_backups),
        patch.object(RDSResponse, "delete_db_instance_automated_backup", delete_automated_backup, create=True),
        patch.object(DBInstance, "create_from_cloudformation_json", classmethod(create_from_template)),
        patch.object(DBInstance, "update_from_cloudformation_json", classmethod(update_from_template), create=True),
        patch.object(DBInstance, "save_automated_backup", save_automated_backup),
        patch.object(DBInstance, "get_cfn_attribute", cfn_attribute),
        patch.object(
            DBParameterGroup,
            "update_from_cloudformation_json",
            classmethod(lambda cls, /, original_resource, **_: original_resource),
        ),
        patch.object(DBSubnetGroup, "physical_resource_id", property(lambda self: self.name), create=True),
        patch.object(ResourceMap, "build_resource_diff", resource_difference),
        patch.object(moto.awslambda.models.LambdaBackend, "invoke", _method(databases.invoke)),
        patch.object(moto.ecs.models.EC2ContainerServiceBackend, "create_service", create_service),
        patch.object(moto.ecs.models.EC2ContainerServiceBackend, "update_service", update_service),
        patch.object(LambdaFunction, "update_function_code", lambda self, spec: {}),
    ):
        yield databases


_TAKEN = frozenset(
    {
        "db_instance_class",
        "multi_az",
        "port",
        "db_subnet_group_name",
        "db_parameter_group_name",
        "vpc_security_group_ids",
        "enable_iam_database_authentication",
        "storage_type",
        "publicly_accessible",
        "auto_minor_version_upgrade",
        "copy_tags_to_snapshot",
        "tags",
    }
)
"""The settings that a restore takes."""


def _method(function: Any) -> Any:
    return lambda self, *arguments, **options: function(self, *arguments, **options)


def _steady(service: Any) -> Any:
    """Let every task that should run do so."""
    service.running_count, service.pending_count = service.desired_count, 0
    service.deployments = service.deployments[:1]
    return service
