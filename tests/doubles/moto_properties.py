"""Properties that moto's CloudFormation leaves out of what it makes, put in."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.kms.models import Key
from moto.s3.models import FakeBucket, PublicAccessBlock


def _complete_bucket(bucket: Any, properties: dict[str, Any]) -> None:
    if block := properties.get("PublicAccessBlockConfiguration"):
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        bucket.public_access_block = PublicAccessBlock(*(str(block[name]).lower() for name in names))
    if versioning := properties.get("VersioningConfiguration"):
        bucket.versioning_status = versioning["Status"]


def _complete_key(key: Any, properties: dict[str, Any]) -> None:
    # It keeps the policy as data and reads it as text.
    key.policy = json.dumps(key.policy)


_COMPLETED: tuple[tuple[Any, Callable[[Any, dict[str, Any]], None]], ...] = (
    (FakeBucket, _complete_bucket),
    (Key, _complete_key),
)


@contextmanager
def completed() -> Iterator[None]:
    """Complete what moto's CloudFormation makes, for a while."""
    with ExitStack() as stack:
        for kind, complete in _COMPLETED:
            stack.enter_context(patch.object(kind, "create_from_cloudformation_json", _completing(kind, complete)))
        yield


def _completing(kind: Any, complete: Callable[[Any, dict[str, Any]], None]) -> Any:
    create = kind.create_from_cloudformation_json

    def made(cls: Any, resource_name: str, cloudformation_json: Any, *arguments: Any, **options: Any) -> Any:
        resource = create(resource_name, cloudformation_json, *arguments, **options)
        complete(resource, cloudformation_json["Properties"])
        return resource

    return classmethod(made)
