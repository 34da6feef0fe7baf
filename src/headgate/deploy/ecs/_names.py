"""Names that the templates give to what they make, and which of them are taken already."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.ecs._environment import Inputs
from headgate.deploy.ecs._graph import parameter_values, resources
from headgate.deploy.ecs._pages import listed
from headgate.deploy.ecs._reader import StackReader
from headgate.deploy.ecs._stacks import StackSpec, stack_specs
from headgate.deploy.settings import Environment

_NO_INPUTS = Inputs(image="", rotation_package="")


def stacks_of(environment: Environment) -> Mapping[str, StackSpec]:
    """Return the stacks of an environment by template, for their names only: what steps produce is left open."""
    return {spec.template: spec for spec in stack_specs(environment, _NO_INPUTS)}


def names_of(spec: StackSpec, kind: str, member: str) -> Iterator[tuple[str, str]]:
    """Yield logical id and name of each resource of a type; `member` is the property that holds the name."""
    values = parameter_values(spec)
    for logical, resource in resources(spec).items():
        if resource["Type"] == kind:
            yield logical, _text(resource["Properties"][member], values)


def _text(value: Any, values: Mapping[str, str]) -> str:
    template = value["Fn::Sub"] if isinstance(value, dict) else str(value)
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], template)


def taken_names(account: Account, specs: Iterable[StackSpec]) -> list[str]:
    """Return a sentence for each name that a stack which is not there yet would give, and something has already.

    What an earlier environment of the same name kept is the usual reason. Reads only. Raises `DeployError`.
    """
    with explained("The names of what is to be made"):
        reader = StackReader(account.client("cloudformation"), account.call, lambda event: None, poll_seconds=0)
        return [sentence for spec in specs if _is_absent(reader, spec) for sentence in _taken(account, spec)]


def _is_absent(reader: StackReader, spec: StackSpec) -> bool:
    found = reader.find(spec.name)
    return found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"


def _taken(account: Account, spec: StackSpec) -> Iterator[str]:
    for kind, named in _NAMED.items():
        for _, template in names_of(spec, kind, named.member):
            name = template.replace("${AWS::AccountId}", account.identity().account)
            name = name.replace("${AWS::Region}", account.region)
            if (advice := named.taken(account, name)) is not None:
                yield f"{spec.name} makes the {named.noun} {name}, and there is one already: {advice}."


class _Named(NamedTuple):
    """How a type names its resources, and what is to be done about one of that name; None while there is none."""

    noun: str
    member: str
    taken: Callable[[Account, str], str | None]


_DELETE = "delete it, or import it into the stack"
_SALT_KEY = "/salt-key"
"""The end of the one name that is taken over: the security stack goes on with a salt key that is there already."""


def _log_group(account: Account, name: str) -> str | None:
    found = listed(account, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    return _DELETE if any(one["logGroupName"] == name for one in found) else None


def _bucket(account: Account, name: str) -> str | None:
    from botocore.exceptions import ClientError

    try:
        account.call(account.client("s3").head_bucket, Bucket=name)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchBucket"):
            return None
        if error_code(error) not in ("301", "403"):
            raise
        return "it is another account's or in another region, so choose another project or environment name"
    return "empty and delete it, or import it into the stack"


def _secret(account: Account, name: str) -> str | None:
    client = account.client("secretsmanager")
    try:
        found = account.call(client.describe_secret, SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return None
    if "DeletedDate" not in found:
        return None if name.endswith(_SALT_KEY) else _DELETE
    return (
        "it was deleted, and its name is taken until its recovery window is over; `aws secretsmanager delete-secret"
        f" --secret-id {name} --force-delete-without-recovery` ends that"
    )


def _repository(account: Account, name: str) -> str | None:
    client = account.client("ecr")
    try:
        account.call(client.describe_repositories, repositoryNames=[name])
    except client.exceptions.RepositoryNotFoundException:
        return None
    return _DELETE


def _alias(account: Account, name: str) -> str | None:
    found = listed(account, "kms", "list_aliases", "Aliases")
    return "delete it" if any(one["AliasName"] == name for one in found) else None


def _role(account: Account, name: str) -> str | None:
    client = account.client("iam")
    try:
        account.call(client.get_role, RoleName=name)
    except client.exceptions.NoSuchEntityException:
        return None
    return "delete it"


def _load_balancer(account: Account, name: str) -> str | None:
    client = account.client("elbv2")
    try:
        account.call(client.describe_load_balancers, Names=[name])
    except client.exceptions.LoadBalancerNotFoundException:
        return None
    return "delete it"


def _cluster(account: Account, name: str) -> str | None:
    found = account.call(account.client("ecs").describe_clusters, clusters=[name])["clusters"]
    return "delete it" if any(one["status"] == "ACTIVE" for one in found) else None


def _database(account: Account, name: str) -> str | None:
    client = account.client("rds")
    try:
        account.call(client.describe_db_instances, DBInstanceIdentifier=name)
    except client.exceptions.DBInstanceNotFoundFault:
        return None
    return "delete it with a final snapshot, or import it into the stack"


_NAMED: Mapping[str, _Named] = {
    "AWS::S3::Bucket": _Named("bucket", "BucketName", _bucket),
    "AWS::ECR::Repository": _Named("image repository", "RepositoryName", _repository),
    "AWS::SecretsManager::Secret": _Named("secret", "Name", _secret),
    "AWS::Logs::LogGroup": _Named("log group", "LogGroupName", _log_group),
    "AWS::KMS::Alias": _Named("key alias", "AliasName", _alias),
    "AWS::IAM::Role": _Named("role", "RoleName", _role),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _Named("load balancer", "Name", _load_balancer),
    "AWS::ECS::Cluster": _Named("cluster", "ClusterName", _cluster),
    "AWS::RDS::DBInstance": _Named("database", "DBInstanceIdentifier", _database),
}
"""Types whose names are unique in an account and region, or for buckets in the world."""
