"""Starting a rotation by hand, and waiting until Secrets Manager says that it is done."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from headgate.core.clock import Clock
from headgate.deploy.engine import Confirmation, Operation
from headgate.deploy.rotation import EMERGENCY_TAG, MasterKey, check_rotation, rotation_interval
from headgate.deploy.secrets._catalogue import Entry, Turnover
from headgate.deploy.secrets._errors import SecretsError, SecretsUsageError, explained
from headgate.deploy.secrets._operations import check_idle, confirmation
from headgate.deploy.secrets._vault import Description, Vault

POLL_SECONDS = 2.0
"""How often a rotation is looked at."""


@dataclass(frozen=True, slots=True)
class Rotating:
    """A rotation that may be started. `confirmations` are the yeses that it takes."""

    entry: Entry
    confirmations: tuple[Confirmation, ...]
    emergency: bool
    abandoned: str | None
    function: str


def prepare_rotation(
    vault: Vault, entry: Entry, now: datetime, *, emergency: bool = False, abandon: bool = False
) -> Rotating:
    """Check that a secret can be rotated now, and change nothing.

    In an emergency the key before ends at once; `abandon` gives up a rotation that has not ended. Raises `SecretsError`
    with what is in the way, `SecretsUsageError` for a secret that is not rotated.
    """
    if entry.turnover is not Turnover.AUTOMATIC:
        instead = "It is never replaced." if entry.turnover is Turnover.NEVER else "Use `headgate secrets set`."
        raise SecretsUsageError(f"{entry.name} is not rotated. {instead}")
    if emergency and entry.name != "master-key":
        raise SecretsUsageError(f"--emergency ends the key before, which only master-key has, not {entry.name}.")
    found = vault.existing(entry)
    if not abandon:
        check_idle(vault, entry, found)
    if not found.rotated or found.function is None:
        raise SecretsError(f"{vault.name(entry)} has no rotation: deploy the database stack, which brings it.")
    with explained(vault.name(entry)):
        held = vault.value(entry)
        if held is None:
            raise SecretsError(f"{vault.name(entry)} holds nothing yet: set it before it is rotated.")
        if entry.name == "master-key" and not emergency:
            check_rotation(MasterKey.from_value(held), rotation_interval(found.rules), now)
    needed = (confirmation(entry, Operation.REGENERATE),)
    return Rotating(entry, needed, emergency, found.pending if abandon else None, found.function)


def rotate(
    vault: Vault, rotating: Rotating, *, timeout: float, clock: Clock, sleep: Callable[[float], None]
) -> Description:
    """Rotate a secret and wait until it is done, `timeout` seconds at most; return its new description.

    Raises `SecretsError` when it fails or takes longer; Secrets Manager then tries again by itself.
    """
    entry, name = rotating.entry, vault.name(rotating.entry)
    token = str(uuid.uuid4())
    with explained(name):
        if rotating.abandoned is not None:
            vault.client.update_secret_version_stage(
                SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=rotating.abandoned
            )
        if rotating.emergency:
            vault.client.tag_resource(SecretId=name, Tags=[{"Key": EMERGENCY_TAG, "Value": token}])
        vault.client.rotate_secret(SecretId=name, ClientRequestToken=token, RotationLambdaARN=rotating.function)
        found = _wait(vault, entry, token, rotating.function, clock() + timeout, clock, sleep)
        if rotating.emergency:
            vault.client.untag_resource(SecretId=name, TagKeys=[EMERGENCY_TAG])
    return found


def _wait(
    vault: Vault,
    entry: Entry,
    token: str,
    function: str,
    deadline: float,
    clock: Clock,
    sleep: Callable[[float], None],
) -> Description:
    while True:
        found = vault.existing(entry)
        if found.current == token:
            return found
        if clock() >= deadline:
            log = f"/aws/lambda/{function.rpartition(':')[2]}"
            raise SecretsError(
                f"The rotation of {vault.name(entry)} has not ended yet; the value before stays in use. Its log is"
                f" {log}. Secrets Manager tries again by itself; `headgate secrets status` tells when it is done."
            )
        sleep(POLL_SECONDS)
