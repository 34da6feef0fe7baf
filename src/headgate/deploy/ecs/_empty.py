"""Giving up what outlives an environment's stacks, and emptying what can not be deleted while something is in it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._bucket import Bucket
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.ecs._instances import Instances
from headgate.deploy.ecs._leftovers import Leftover, Remains
from headgate.deploy.engine import Clock, DeployError, Progress
from headgate.deploy.settings import Environment

KEY_DAYS = 30
"""Days after which AWS deletes a key that was given up, as in the security template; until then it can be had back."""
_AT_ONCE = 1000
"""The most objects that S3 lists and deletes in one call."""
_IMAGES_AT_ONCE = 100
"""The most images that ECR deletes in one call."""


def empty_bucket(account: Account, bucket: str, progress: Progress) -> None:
    """Delete every version of every object of a bucket; one that does not exist is empty. Raises `DeployError`."""
    with explained(f"The bucket {bucket}"):
        client, deleted = account.client("s3"), 0
        while True:
            try:
                page = account.call(client.list_object_versions, Bucket=bucket, MaxKeys=_AT_ONCE)
            except client.exceptions.NoSuchBucket:
                return
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not found:
                return
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            answer = account.call(client.delete_objects, Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                first = errors[0]
                raise DeployError(f"{first['Key']} in the bucket {bucket} can not be deleted: {first.get('Message')}")
            deleted += len(objects)
            progress(f"deleted {deleted} objects and versions of {bucket}")


def empty_repository(account: Account, repository: str, progress: Progress) -> None:
    """Delete every image of a repository; one that does not exist is empty. Raises `DeployError`."""
    with explained(f"The image repository {repository}"):
        client = account.client("ecr")
        while True:
            try:
                page = account.call(client.list_images, repositoryName=repository, maxResults=_IMAGES_AT_ONCE)
            except client.exceptions.RepositoryNotFoundException:
                return
            # By digest, for by its tag only the tag would go.
            digests = sorted({one["imageDigest"] for one in page["imageIds"]})[:_IMAGES_AT_ONCE]
            if not digests:
                return
            wanted = [{"imageDigest": digest} for digest in digests]
            answer = account.call(client.batch_delete_image, repositoryName=repository, imageIds=wanted)
            if not (deleted := {one["imageDigest"] for one in answer.get("imageIds", [])}):
                reason = next((one.get("failureReason") for one in answer.get("failures", [])), "no reason given")
                raise DeployError(f"Images of {repository} can not be deleted: {reason}")
            # What an index refers to can be deleted only after it: the next turn does.
            progress(f"deleted {len(deleted)} images of {repository}")


def release_database(
    account: Account, environment: Environment, progress: Progress, *, keep_data: bool, clock: Clock = time.time
) -> None:
    """Delete the instances that restores put aside or did not finish, which hold up the stacks whose groups they use.

    With `keep_data` each that was put aside leaves a final snapshot. Waits until they are gone. Raises `DeployError`.
    """
    instances = Instances(account, environment, clock)
    with explained("The databases that restores left"):
        others = [one for one in instances.all() if one["DBInstanceIdentifier"] != instances.identifier]
        _delete_instances(account, instances, others, progress, keep_data=keep_data)


def leftovers(account: Account, environment: Environment) -> list[str]:
    """Return what is left of an environment, a sentence each that says what it is and what keeps it.

    Keys that are scheduled for deletion are left out: AWS deletes none sooner. Raises `DeployError`.
    """
    return [str(one) for one in find_leftovers(account, environment)]


def find_leftovers(account: Account, environment: Environment) -> list[Leftover]:
    """Return what is left of an environment. As `leftovers`."""
    with explained("What is left"):
        return Remains(account, environment).all()


def purge(
    account: Account,
    environment: Environment,
    progress: Progress,
    *,
    keep_foundation: bool = False,
    clock: Clock = time.time,
) -> None:
    """Delete for good what an environment's stacks kept: databases, snapshots, secrets, logs, images, buckets, the key.

    With `keep_foundation` the image repository and the bucket of lock and journal stay. The key is scheduled for
    deletion. Can be run again. Raises `DeployError`, with nothing deleted while stacks but the foundation's stand.
    """
    remains, instances = Remains(account, environment), Instances(account, environment, clock)
    foundation = {f"{environment.prefix}-bootstrap", environment.prefix, Bucket(account, environment.prefix).name}
    with explained("What was kept"):
        if standing := [one for one in remains.stacks() if one.name not in foundation]:
            names = ", ".join(one.name for one in standing)
            raise DeployError(f"Data is deleted only when nothing uses it any more, and there are still {names}.")
        _delete_instances(account, instances, instances.all(), progress, keep_data=False)
        kept: Iterable[Leftover] = [*remains.snapshots(), *remains.retained_backups(), *remains.secrets()]
        kept = [*kept, *remains.log_groups(), *remains.repositories(), *remains.buckets()]
        for one in [*kept, *(one for one in remains.by_tags() if one.kind == "key")]:
            if not (keep_foundation and one.name in foundation):
                progress(f"deleting the {one.kind} {one.name}")
                _deletion(account, one, progress)()


def _deletion(account: Account, one: Leftover, progress: Progress) -> Callable[[], None]:
    """Return what deletes one thing that was kept."""

    def delete(service: str, method: str, **arguments: Any) -> Callable[[], None]:
        return lambda: _quietly(account, getattr(account.client(service), method), **arguments)

    def bucket() -> None:
        empty_bucket(account, one.name, progress)
        _quietly(account, account.client("s3").delete_bucket, Bucket=one.name)

    ways: dict[str, Callable[[], None]] = {
        "snapshot": delete("rds", "delete_db_snapshot", DBSnapshotIdentifier=one.name),
        "retained backup": delete("rds", "delete_db_instance_automated_backup", DbiResourceId=one.name),
        "secret": delete("secretsmanager", "delete_secret", SecretId=one.name, ForceDeleteWithoutRecovery=True),
        "log group": delete("logs", "delete_log_group", logGroupName=one.name),
        "repository": delete("ecr", "delete_repository", repositoryName=one.name, force=True),
        "bucket": bucket,
        "key": delete("kms", "schedule_key_deletion", KeyId=one.name.rpartition("/")[2], PendingWindowInDays=KEY_DAYS),
    }
    return ways[one.kind]


def _quietly(account: Account, method: Callable[..., Any], **arguments: Any) -> None:
    """Call what deletes something; what is gone already needs no deletion."""
    from botocore.exceptions import ClientError

    try:
        account.call(method, **arguments)
    except ClientError as error:
        if not any(word in error_code(error) for word in ("NotFound", "NoSuch")):
            raise


def _delete_instances(
    account: Account, instances: Instances, chosen: Iterable[Any], progress: Progress, *, keep_data: bool
) -> None:
    names = []
    for one in chosen:
        name = one["DBInstanceIdentifier"]
        names.append(name)
        if one["DBInstanceStatus"] == "deleting":
            continue
        if one.get("DeletionProtection"):
            instances.modify(name, DeletionProtection=False)
            instances.wait_until_ready(name, progress)
        # One that a restore did not finish holds nothing but a backup.
        final: dict[str, Any] = {"SkipFinalSnapshot": True}
        if keep_data and name != instances.successor:
            final = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": f"{name}-final"}
        progress(f"deleting the database {name}")
        _quietly(
            account,
            account.client("rds").delete_db_instance,
            DBInstanceIdentifier=name,
            DeleteAutomatedBackups=not keep_data,
            **final,
        )

    def lacking() -> str | None:
        left = [name for name in names if instances.find(name) is not None]
        return f"{', '.join(left)} is being deleted" if left else None

    instances.wait(progress, lacking)
