"""What an earlier environment of the same name kept, and this one takes over: the salt key."""

from dataclasses import dataclass

from headgate.deploy.ecs._account import Account
from headgate.deploy.ecs._deployed_database import parameters_of
from headgate.deploy.secrets import find
from headgate.deploy.settings import Environment

SECRET, KEY = "SaltKeyArn", "SaltKeyKmsKeyArn"
"""Parameters of the security stack."""


@dataclass(frozen=True, slots=True)
class SaltKey:
    """A salt key that the security stack does not make itself: its secret, and the key that it is encrypted with.

    Both are ARNs, and empty where the stack makes its own.
    """

    secret: str = ""
    key: str = ""


def kept_salt_key(account: Account, environment: Environment) -> SaltKey:
    """Return the salt key to take over.

    A stack that stands goes on with what it was made with. Before there is one, a salt key that lies there is the one
    that the database's snapshots were written with. Raises botocore's errors, credentials excepted.
    """
    found = parameters_of(account, f"{environment.prefix}-security")
    if found is not None:
        return SaltKey(found.get(SECRET, ""), found.get(KEY, ""))
    client = account.client("secretsmanager")
    name = f"{environment.project}/{environment.name}/{find('salt-key').name}"
    try:
        secret = account.call(client.describe_secret, SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return SaltKey()
    if "DeletedDate" in secret:
        return SaltKey()
    key = secret.get("KmsKeyId")
    described = account.call(account.client("kms").describe_key, KeyId=key)["KeyMetadata"]["Arn"] if key else ""
    return SaltKey(secret["ARN"], described)
