"""The protocol of a Secrets Manager rotation: four steps, each of which may come again after any interruption.

Secrets Manager calls the function once per step with the same token, which is the id of the version that is made. It
calls a step again when the function failed or was killed, so each step finds out first what is done already.
Source: AWS Secrets Manager user guide, "Rotation function".
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from headgate.core.errors import HeadgateError

log = logging.getLogger("headgate.rotation")

EMERGENCY_TAG = "headgate:emergency-rotation"
"""The tag of a secret that names the token of a rotation in which the previous value ends at once."""

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"

_UNITS = {"minute": "minutes", "hour": "hours", "day": "days"}

Value = Mapping[str, object]
"""What a version of a secret holds: a JSON object."""


class RotationError(HeadgateError):
    """A rotation that must not go on. The text says why and what to do, and never holds a secret."""


@dataclass(frozen=True)
class Rotation:
    """One rotation of one secret, as its description tells it.

    `interval` is the time between scheduled rotations, None where the schedule is a cron expression or there is none.
    `stages` are the labels of each version by its id.
    """

    secret: str
    token: str
    interval: timedelta | None
    emergency: bool
    stages: Mapping[str, tuple[str, ...]]

    @property
    def current(self) -> str | None:
        """The id of the version that is in use."""
        return next((version for version, labels in self.stages.items() if CURRENT in labels), None)

    def labelled(self, label: str) -> bool:
        """Tell whether the version that is being made carries a label."""
        return label in self.stages.get(self.token, ())


class Strategy(Protocol):
    """What differs between secrets. Every method may be called again with the same values."""

    def create(self, current: Value, rotation: Rotation) -> Value:
        """Return what comes after `current`. Raises `RotationError` when nothing may."""

    def apply(self, current: Value, pending: Value) -> None:
        """Make `pending` valid where it is used, and leave `current` valid."""

    def test(self, current: Value, pending: Value) -> None:
        """Use `pending` for the least that its user does. Raises when it does not work."""

    def finished(self) -> None:
        """Make known that another value is in use now."""


def rotate(event: Mapping[str, str], client: Any, strategy: Strategy) -> None:
    """Do the step that Secrets Manager asks for with `event`.

    `client` is boto3's for Secrets Manager. Raises `RotationError` for what must not go on, and whatever AWS or the
    strategy raise; Secrets Manager then calls the step again.
    """
    try:
        step, secret, token = event["Step"], event["SecretId"], event["ClientRequestToken"]
    except KeyError as error:
        raise RotationError(f"The event has no {error}: only Secrets Manager calls this function.") from None
    if step not in _STEPS:
        raise RotationError(f"Unknown step {step!r} of a rotation; known are {', '.join(_STEPS)}.")
    rotation = describe(client, secret, token)
    if rotation.labelled(CURRENT) and step != "finishSecret":
        log.info("%s of %s: version %s is in use already", step, secret, token)
        return
    if not rotation.labelled(CURRENT) and not rotation.labelled(PENDING):
        raise RotationError(f"Version {token} of {secret} is not labelled {PENDING}: rotate the secret anew.")
    _STEPS[step](rotation, client, strategy)
    log.info("%s of %s: done for version %s", step, secret, token)


def describe(client: Any, secret: str, token: str) -> Rotation:
    """Return what Secrets Manager knows about a rotation.

    Raises `RotationError` when rotation is off or the token is of no version of the secret.
    """
    answer = client.describe_secret(SecretId=secret)
    if not answer.get("RotationEnabled"):
        raise RotationError(f"Rotation of {secret} is off: turn it on with a schedule before it is rotated.")
    stages = {version: tuple(labels) for version, labels in answer.get("VersionIdsToStages", {}).items()}
    if token not in stages:
        raise RotationError(f"{secret} has no version {token}: rotations are started by Secrets Manager alone.")
    tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}
    interval = rotation_interval(answer.get("RotationRules", {}))
    return Rotation(secret, token, interval, tags.get(EMERGENCY_TAG) == token, stages)


def rotation_interval(rules: Mapping[str, Any]) -> timedelta | None:
    """Return the time between the rotations of a secret's `RotationRules`; None where they name no fixed one."""
    if days := rules.get("AutomaticallyAfterDays"):
        return timedelta(days=days)
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", rules.get("ScheduleExpression", ""))
    return timedelta(**{_UNITS[rate[2]]: int(rate[1])}) if rate else None


def read(client: Any, secret: str, version: str, stage: str) -> Value | None:
    """Return what a version holds, None while it holds nothing. Raises `RotationError` for what is no JSON object."""
    try:
        answer = client.get_secret_value(SecretId=secret, VersionId=version, VersionStage=stage)
    except client.exceptions.ResourceNotFoundException:
        return None
    return decode(answer.get("SecretString", ""), f"The {stage} version of {secret}")


def decode(text: str, subject: str) -> Value:
    """Return the JSON object in `text`. Raises `RotationError` that begins with `subject` and never shows the text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RotationError(f"{subject} is no JSON object: set the secret anew.")
    return value


def _create(rotation: Rotation, client: Any, strategy: Strategy) -> None:
    current = _current(rotation, client)
    # Made anew, a value that the step after this one set already would be lost.
    if read(client, rotation.secret, rotation.token, PENDING) is not None:
        return
    value = json.dumps(dict(strategy.create(current, rotation)))
    client.put_secret_value(
        SecretId=rotation.secret, ClientRequestToken=rotation.token, SecretString=value, VersionStages=[PENDING]
    )


def _set(rotation: Rotation, client: Any, strategy: Strategy) -> None:
    strategy.apply(_current(rotation, client), _pending(rotation, client))


def _test(rotation: Rotation, client: Any, strategy: Strategy) -> None:
    strategy.test(_current(rotation, client), _pending(rotation, client))


def _finish(rotation: Rotation, client: Any, strategy: Strategy) -> None:
    if not rotation.labelled(CURRENT):
        _pending(rotation, client)
        client.update_secret_version_stage(
            SecretId=rotation.secret,
            VersionStage=CURRENT,
            MoveToVersionId=rotation.token,
            RemoveFromVersionId=rotation.current,
        )
    if rotation.labelled(PENDING):
        client.update_secret_version_stage(
            SecretId=rotation.secret, VersionStage=PENDING, RemoveFromVersionId=rotation.token
        )
    strategy.finished()


def _current(rotation: Rotation, client: Any) -> Value:
    version = rotation.current
    value = None if version is None else read(client, rotation.secret, version, CURRENT)
    if value is None:
        raise RotationError(f"{rotation.secret} holds nothing yet: set it before it is rotated.")
    return value


def _pending(rotation: Rotation, client: Any) -> Value:
    value = read(client, rotation.secret, rotation.token, PENDING)
    if value is None:
        raise RotationError(f"Version {rotation.token} of {rotation.secret} holds nothing: createSecret comes first.")
    return value


_STEPS = {"createSecret": _create, "setSecret": _set, "testSecret": _test, "finishSecret": _finish}
