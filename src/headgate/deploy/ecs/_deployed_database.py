"""What the database's stack is made of now: where a restored instance gets its settings from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._account import Account
from headgate.deploy.ecs._instances import Instance
from headgate.deploy.ecs._reader import StackReader
from headgate.deploy.ecs._runner import NEVER_FINISHED, StackRunner
from headgate.deploy.ecs._stacks import StackSpec
from headgate.deploy.engine import DeployError
from headgate.deploy.settings import Environment

RESTORED = "Restored"
"""The stack's parameter that names the backup which the database was brought back from."""
LOGS = ("postgresql",)
"""Logs that the database writes to CloudWatch."""
INSIGHTS_DAYS = 7
"""Days that the database's own metrics are kept where they are on."""
STORAGE_TYPE = "gp3"
_UNUSABLE = NEVER_FINISHED | {"REVIEW_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"}
"""States in which a stack takes no update."""


@dataclass(frozen=True)
class _Deployed(StackSpec):
    """A stack with the template that it has, not with this package's."""

    text: str = ""

    @property
    def body(self) -> str:
        return self.text


@dataclass(frozen=True)
class DeployedDatabase:
    """The stack as it is, and what it imports: security group and key."""

    stack: StackSpec
    subnet_group: str
    parameter_group: str
    security_group: str
    key: str
    rotation_function: str

    @property
    def restored(self) -> str:
        """Return which backup the database was last brought back from, and when; empty for none."""
        return self.stack.parameters.get(RESTORED, "")

    @property
    def major_version(self) -> str:
        """Return PostgreSQL's major version."""
        return self.stack.parameters["EngineVersion"].partition(".")[0]

    def creation(self) -> dict[str, Any]:
        """Return the settings that RDS takes as it restores an instance."""
        parameters = self.stack.parameters
        return {
            "DBInstanceClass": parameters["InstanceClass"],
            "MultiAZ": self._flag("MultiAz"),
            "Port": int(parameters["DatabasePort"]),
            "DBSubnetGroupName": self.subnet_group,
            "DBParameterGroupName": self.parameter_group,
            "VpcSecurityGroupIds": [self.security_group],
            "EnableIAMDatabaseAuthentication": self._flag("IamAuthentication"),
            "StorageType": STORAGE_TYPE,
            "PubliclyAccessible": False,
            "AutoMinorVersionUpgrade": True,
            "CopyTagsToSnapshot": True,
        }

    def lacking(self, instance: Instance) -> dict[str, Any]:
        """Return the settings that RDS takes only of an instance that exists, as far as one does not have them yet."""
        parameters = self.stack.parameters
        most = max(int(parameters["MaxAllocatedStorage"]), -(-instance["AllocatedStorage"] * 11 // 10))
        wanted = {
            "BackupRetentionPeriod": int(parameters["BackupRetentionDays"]),
            "PreferredBackupWindow": parameters["BackupWindow"],
            "PreferredMaintenanceWindow": parameters["MaintenanceWindow"],
            "MaxAllocatedStorage": most,
        }
        found = {name: value for name, value in wanted.items() if instance.get(name) != value}
        if "MasterUserSecret" not in instance:
            found |= {"ManageMasterUserPassword": True, "MasterUserSecretKmsKeyId": self.key}
        if self._flag("PerformanceInsights") and not instance.get("PerformanceInsightsEnabled"):
            found |= {"EnablePerformanceInsights": True, "PerformanceInsightsRetentionPeriod": INSIGHTS_DAYS}
        return found

    def lacking_in_place(self, instance: Instance) -> dict[str, Any]:
        """Return what the instance that serves has beside: protection, and logs under its own name."""
        found: dict[str, Any] = {}
        if bool(instance.get("DeletionProtection")) != self._flag("DeletionProtection"):
            found["DeletionProtection"] = self._flag("DeletionProtection")
        if missing := [log for log in LOGS if log not in instance.get("EnabledCloudwatchLogsExports", ())]:
            found["CloudwatchLogsExportConfiguration"] = {"EnableLogTypes": missing}
        return found

    def _flag(self, parameter: str) -> bool:
        return self.stack.parameters[parameter] == "true"


def deployed_database(account: Account, environment: Environment) -> DeployedDatabase:
    """Read the stack. Raises `DeployError` when there is none, or none that a restore can be told to."""
    name = f"{environment.prefix}-database"
    found = _find(account, name)
    if found is None:
        raise DeployError(
            f"There is no stack {name} for a backup to be brought back to: run `headgate deploy up database` first."
        )
    parameters = _parameters(found)
    status = found["StackStatus"]
    if status in _UNUSABLE or RESTORED not in parameters:
        raise DeployError(
            f"The stack {name} is {status}, or was made by an older Headgate: run `headgate deploy up database` first."
            " Nothing was changed."
        )
    client = account.client("cloudformation")
    runner = StackRunner(client, call=account.call)
    return DeployedDatabase(
        stack=_Deployed(
            template="database",
            name=name,
            parameters=parameters,
            tags=_tags(found),
            termination_protection=bool(found.get("EnableTerminationProtection")),
            text=account.call(client.get_template, StackName=name, TemplateStage="Original")["TemplateBody"],
        ),
        subnet_group=_resource(account, name, "SubnetGroup"),
        parameter_group=_resource(account, name, "ParameterGroup"),
        security_group=_output(runner, f"{environment.prefix}-network", "DatabaseSecurityGroupId"),
        key=_output(runner, f"{environment.prefix}-security", "KeyArn"),
        rotation_function=_resource(account, name, "DatabaseRotationFunction"),
    )


def restored_from(account: Account, environment: Environment) -> str:
    """Return which backup the database was last brought back from, as its stack has it; empty for none."""
    return (parameters_of(account, f"{environment.prefix}-database") or {}).get(RESTORED, "")


def parameters_of(account: Account, stack: str) -> dict[str, str] | None:
    """Return the parameters that a stack was made with, None where there is none that holds anything."""
    found = _find(account, stack)
    return None if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS" else _parameters(found)


def _find(account: Account, name: str) -> Mapping[str, Any] | None:
    client = account.client("cloudformation")
    return StackReader(client, account.call, lambda event: None, poll_seconds=0).find(name)


def _parameters(stack: Mapping[str, Any]) -> dict[str, str]:
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def _tags(stack: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}


def _resource(account: Account, stack: str, logical: str) -> str:
    client = account.client("cloudformation")
    answer = account.call(client.describe_stack_resource, StackName=stack, LogicalResourceId=logical)
    found = answer["StackResourceDetail"].get("PhysicalResourceId")
    if found is None:
        raise DeployError(f"The stack {stack} has no {logical} yet: run `headgate deploy up database` first.")
    return str(found)


def _output(runner: StackRunner, stack: str, name: str) -> str:
    try:
        return runner.outputs(stack)[name]
    except KeyError:
        raise DeployError(f"The stack {stack} has no output {name}: run `headgate deploy up` first.") from None
