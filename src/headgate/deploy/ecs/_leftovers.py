"""What is left of an environment: found by the names that its templates give, and by its tags."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from headgate.deploy.ecs._account import DENIED, Account
from headgate.deploy.ecs._backup import retained, snapshots
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.ecs._instances import Instances
from headgate.deploy.ecs._pages import listed
from headgate.deploy.ecs._reader import StackReader
from headgate.deploy.ecs._stacks import TEMPLATES
from headgate.deploy.ecs._templates import parse_template, template_text
from headgate.deploy.engine import DeployError
from headgate.deploy.settings import Environment

_MISSING_BUCKET = frozenset({"404", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that is left: of which kind, its name, and as a sentence what it is and what keeps it.

    `kept` is True for data that outlives its stack on purpose.
    """

    kind: str
    name: str
    sentence: str
    kept: bool = True

    def __str__(self) -> str:
        return self.sentence


class Remains:
    """Looks for what is left of one environment. Every method raises botocore's errors, credentials excepted."""

    def __init__(self, account: Account, environment: Environment) -> None:
        self._account = account
        self._environment = environment
        self._instances = Instances(account, environment, lambda: 0.0)

    def all(self) -> list[Leftover]:
        """Return everything that is left, what has to go first before what stands on it."""
        found = [*self.stacks(), *self.interfaces(), *self.instances(), *self.snapshots(), *self.retained_backups()]
        found += [*self.secrets(), *self.log_groups(), *self.repositories(), *self.buckets()]
        return found + self.by_tags()

    def by_tags(self) -> list[Leftover]:
        """Return what only its tags tell, or that nobody may ask for it."""
        from botocore.exceptions import ClientError

        try:
            return [*self.keys(), *self.tagged()]
        except ClientError as error:
            if error_code(error) not in DENIED:
                raise
            text = (
                "These credentials may not look for resources by their tags: keys, and what has no name, are not told."
            )
            return [Leftover("tags", "tags", text)]

    def stacks(self) -> Iterator[Leftover]:
        """Yield stacks, in the order in which they are deleted."""
        reader = self._reader()
        for template in reversed(TEMPLATES):
            name = f"{self._environment.prefix}-{template}"
            if (found := reader.find(name)) is not None:
                yield Leftover("stack", name, f"The stack {name} is still there: {found['StackStatus']}.", kept=False)

    def interfaces(self) -> Iterator[Leftover]:
        """Yield network interfaces that hold the network's deletion up."""
        found = self._reader().find(f"{self._environment.prefix}-network") or {}
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        if "VpcId" not in outputs:
            return
        filters = [{"Name": "vpc-id", "Values": [outputs["VpcId"]]}]
        for one in listed(self._account, "ec2", "describe_network_interfaces", "NetworkInterfaces", Filters=filters):
            name, what = one["NetworkInterfaceId"], one.get("Description") or one.get("InterfaceType", "")
            why = "whoever uses it goes first"
            if one.get("InterfaceType") == "lambda" or what.startswith("AWS Lambda VPC ENI"):
                why = "AWS takes it away some 20 minutes after its function is gone"
            sentence = f"The network interface {name} ({what}) holds the network up: {why}."
            yield Leftover("network interface", name, sentence, kept=False)

    def instances(self) -> Iterator[Leftover]:
        """Yield database instances, those that restores put aside as well."""
        for one in self._instances.all():
            name = one["DBInstanceIdentifier"]
            what = ", which a restore put aside," if "-until-" in name else ""
            sentence = f"The database {name}{what} is still {one['DBInstanceStatus']}."
            yield Leftover("database", name, sentence, kept="-until-" in name)

    def snapshots(self) -> Iterator[Leftover]:
        """Yield snapshots that stay until somebody deletes them: backups, and what a deleted database left."""
        for one in snapshots(self._account, self._instances):
            if one.get("SnapshotType") != "automated":
                name = one["DBSnapshotIdentifier"]
                yield Leftover("snapshot", name, f"The snapshot {name} of the database is kept until it is deleted.")

    def retained_backups(self) -> Iterator[Leftover]:
        """Yield what RDS keeps of databases that are gone, by resource id."""
        there = {one["DbiResourceId"] for one in self._instances.all()}
        for one in retained(self._account, self._instances):
            name = one["DbiResourceId"]
            if name not in there:
                sentence = f"RDS keeps daily backups of the deleted database {one['DBInstanceIdentifier']} ({name})."
                yield Leftover("retained backup", name, sentence)

    def secrets(self) -> Iterator[Leftover]:
        """Yield secrets, those that are scheduled for deletion as well: their names are taken until then."""
        prefix = f"{self._environment.project}/{self._environment.name}/"
        filters = [{"Key": "name", "Values": [prefix]}]
        options = {"IncludePlannedDeletion": True, "Filters": filters}
        for one in listed(self._account, "secretsmanager", "list_secrets", "SecretList", **options):
            name = one["Name"]
            if not name.startswith(prefix):
                continue
            sentence = f"The secret {name} is kept."
            if deleted := one.get("DeletedDate"):
                day = deleted.astimezone(UTC)
                sentence = f"The secret {name} was deleted on {day:%Y-%m-%d}; its name is taken until it is purged."
            yield Leftover("secret", name, sentence)

    def log_groups(self) -> Iterator[Leftover]:
        """Yield log groups: the templates', and those that RDS and Container Insights make by themselves."""
        named = frozenset(self._named("AWS::Logs::LogGroup", "LogGroupName"))
        rds = "/aws/rds/instance/"
        prefixes = {*named, f"{rds}{self._instances.identifier}"}
        prefixes.add(f"/aws/ecs/containerinsights/{self._environment.prefix}/")
        found: dict[str, str] = {}
        for prefix in sorted(prefixes):
            for one in listed(self._account, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
                name = one["logGroupName"]
                of_rds = name.startswith(rds) and self._instances.owns(name.removeprefix(rds).partition("/")[0])
                if name in named or of_rds or prefix.endswith("/"):
                    found[name] = f"The log group {name} is kept."
        for name, sentence in found.items():
            yield Leftover("log group", name, sentence)

    def repositories(self) -> Iterator[Leftover]:
        """Yield the image repository."""
        client, name = self._account.client("ecr"), self._environment.prefix
        try:
            self._account.call(client.describe_repositories, repositoryNames=[name])
        except client.exceptions.RepositoryNotFoundException:
            return
        images = listed(self._account, "ecr", "list_images", "imageIds", repositoryName=name)
        count = len({one["imageDigest"] for one in images})
        yield Leftover("repository", name, f"The image repository {name} is kept, with {_counted(count, 'image')}.")

    def buckets(self) -> Iterator[Leftover]:
        """Yield buckets, the one that lock and journal lie in last. Raises `DeployError` for another account's."""
        from botocore.exceptions import ClientError

        client = self._account.client("s3")
        for name in reversed(list(self._named("AWS::S3::Bucket", "BucketName"))):
            try:
                versions = self._account.call(client.list_object_versions, Bucket=name, MaxKeys=1000)
            except ClientError as error:
                if error_code(error) in _MISSING_BUCKET:
                    continue
                if error_code(error) in ("403", "AccessDenied"):
                    raise DeployError(f"The bucket {name} is another account's, or may not be listed.") from error
                raise
            count = len(versions.get("Versions", [])) + len(versions.get("DeleteMarkers", []))
            more = " and more" if versions.get("IsTruncated") else ""
            yield Leftover("bucket", name, f"The bucket {name} is kept, with {_counted(count, 'object')}{more}.")

    def keys(self) -> Iterator[Leftover]:
        """Yield KMS keys by their ARN, those left out that are scheduled for deletion: nothing makes that faster."""
        client = self._account.client("kms")
        for arn in self._tagged("kms:key"):
            found = self._account.call(client.describe_key, KeyId=arn)["KeyMetadata"]
            if found["KeyState"] not in ("PendingDeletion", "PendingReplicaDeletion"):
                sentence = f"The key {arn} is kept: snapshots and secrets can not be read without it."
                yield Leftover("key", arn, sentence)

    def tagged(self) -> Iterator[Leftover]:
        """Yield what else carries the environment's tags, by its ARN."""
        for arn in self._tagged():
            if not any(part in arn for part in _LOOKED_UP):
                sentence = (
                    f"{arn} carries the tags of this environment; just deleted, it is named for some minutes more."
                )
                yield Leftover("resource", arn, sentence, kept=False)

    def _tagged(self, *types: str) -> list[str]:
        wanted = {"ManagedBy": "headgate", "Project": self._environment.project, "Environment": self._environment.name}
        filters = [{"Key": key, "Values": [value]} for key, value in wanted.items()]
        options: dict[str, Any] = {"TagFilters": filters}
        if types:
            options["ResourceTypeFilters"] = list(types)
        found = listed(self._account, "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", **options)
        return sorted(one["ResourceARN"] for one in found)

    def _named(self, kind: str, member: str) -> Iterator[str]:
        """Yield the names that the templates give to resources of a type."""
        environment = self._environment
        values = {"Project": environment.project, "Environment": environment.name}
        values |= {"AWS::AccountId": self._account.identity().account, "AWS::Region": self._account.region}
        for template in TEMPLATES:
            for resource in parse_template(template_text(template))["Resources"].values():
                if resource["Type"] == kind:
                    name = resource["Properties"][member]["Fn::Sub"]
                    for key, value in values.items():
                        name = name.replace(f"${{{key}}}", value)
                    yield name

    def _reader(self) -> StackReader:
        client = self._account.client("cloudformation")
        return StackReader(client, self._account.call, lambda event: None, poll_seconds=0)


_LOOKED_UP = (
    *(":cloudformation:", ":ecr:", ":kms:", ":logs:", ":rds:", ":s3:::", ":secretsmanager:"),
    # All of these are their stacks'. AWS names some of them for an hour after they are gone.
    *(":ec2:", ":ecs:"),
)
"""Parts of ARNs of what is asked for by name, or goes with its stack."""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
