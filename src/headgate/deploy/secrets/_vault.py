"""The secrets of one environment in Secrets Manager. Every value stays in this process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headgate.deploy.rotation import decode
from headgate.deploy.secrets._catalogue import Entry
from headgate.deploy.secrets._errors import SecretsError, explained

_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"


@dataclass(frozen=True, slots=True)
class Description:
    """What Secrets Manager tells about a secret without its value.

    `pending` is the version of a rotation that has not ended, None without one; `rules` are the rotation's.
    """

    arn: str
    deleted: bool
    rotated: bool
    function: str | None
    rules: Mapping[str, Any]
    created: datetime | None
    last_rotated: datetime | None
    next_rotation: datetime | None
    current: str | None
    pending: str | None


class Vault:
    """Reads and writes secrets called `<prefix>/<name>`; `client` is boto3's for Secrets Manager.

    Every method raises `SecretsError` when AWS refuses.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.prefix = prefix.rstrip("/")

    def name(self, entry: Entry) -> str:
        """Return what a secret is called in Secrets Manager."""
        return f"{self.prefix}/{entry.name}"

    def describe(self, entry: Entry) -> Description | None:
        """Return what there is to know about a secret, None when there is none of that name."""
        name = self.name(entry)
        with explained(name):
            try:
                answer = self.client.describe_secret(SecretId=name)
            except self.client.exceptions.ResourceNotFoundException:
                return None
        stages: Mapping[str, list[str]] = answer.get("VersionIdsToStages") or {}
        current = next((version for version, labels in stages.items() if _CURRENT in labels), None)
        pending = next((version for version, labels in stages.items() if _PENDING in labels), None)
        return Description(
            arn=answer["ARN"],
            deleted="DeletedDate" in answer,
            rotated=bool(answer.get("RotationEnabled")),
            function=answer.get("RotationLambdaARN") or None,
            rules=answer.get("RotationRules") or {},
            created=answer.get("CreatedDate"),
            last_rotated=answer.get("LastRotatedDate"),
            next_rotation=answer.get("NextRotationDate"),
            current=current,
            pending=None if pending == current else pending,
        )

    def existing(self, entry: Entry) -> Description:
        """Return the description of a secret. Raises `SecretsError` when it is not there, or is being deleted."""
        found = self.describe(entry)
        if found is None:
            raise SecretsError(f"{self.name(entry)} does not exist: create the secrets first.")
        if found.deleted:
            raise SecretsError(
                f"{self.name(entry)} is scheduled for deletion: restore it with"
                f" `aws secretsmanager restore-secret --secret-id {self.name(entry)}`."
            )
        return found

    def value(self, entry: Entry) -> Mapping[str, object] | None:
        """Return what a secret holds, None while it holds nothing. Raises `SecretsError` for what is no JSON object."""
        name = self.name(entry)
        with explained(name):
            try:
                answer = self.client.get_secret_value(SecretId=name)
            except self.client.exceptions.ResourceNotFoundException:
                return None
            return decode(answer.get("SecretString", ""), name)

    def pending_since(self, entry: Entry, version: str) -> datetime | None:
        """Return when a version was made."""
        options: dict[str, str] = {}
        with explained(self.name(entry)):
            while True:
                page = self.client.list_secret_version_ids(SecretId=self.name(entry), **options)
                for found in page["Versions"]:
                    if found["VersionId"] == version:
                        made: datetime | None = found.get("CreatedDate")
                        return made
                if not page.get("NextToken"):
                    return None
                options = {"NextToken": page["NextToken"]}

    def create(
        self, entry: Entry, value: Mapping[str, object] | None, key: str | None, tags: Mapping[str, str]
    ) -> bool:
        """Create a secret, without a value where it is None; return False when somebody else just did."""
        name = self.name(entry)
        options: dict[str, Any] = {} if value is None else {"SecretString": json.dumps(dict(value))}
        if key is not None:
            options["KmsKeyId"] = key
        labels = [{"Key": tag, "Value": text} for tag, text in tags.items()]
        with explained(name):
            try:
                self.client.create_secret(Name=name, Description=entry.purpose, Tags=labels, **options)
            except self.client.exceptions.ResourceExistsException:
                return False
        return True

    def put(self, entry: Entry, value: Mapping[str, object]) -> None:
        """Make a value the current one."""
        with explained(self.name(entry)):
            self.client.put_secret_value(SecretId=self.name(entry), SecretString=json.dumps(dict(value)))
