"""Rotations that should have happened and did not: Secrets Manager raises no alarm about them and has no metric."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from headgate.deploy.rotation._protocol import rotation_interval

OVERDUE = timedelta(days=2)
"""How late a rotation may be before that is a problem."""

FIELD = "overdue_rotations"
"""The member of the log line that is counted."""


def is_overdue(rules: Mapping[str, Any], last: datetime | None, now: datetime) -> bool:
    """Tell whether a secret with these `RotationRules`, rotated `last`, should have been rotated again by now."""
    interval = rotation_interval(rules)
    return interval is not None and last is not None and now - last > interval + OVERDUE


def overdue(client: Any, secrets: Sequence[str], now: datetime) -> list[str]:
    """Return the names of those secrets that are not rotated, or not in time.

    `client` is boto3's for Secrets Manager; its errors go through. A secret that was never rotated is as old as itself.
    """
    found = []
    for secret in secrets:
        answer = client.describe_secret(SecretId=secret)
        last = answer.get("LastRotatedDate") or answer.get("CreatedDate")
        if not answer.get("RotationEnabled") or is_overdue(answer.get("RotationRules") or {}, last, now):
            found.append(answer["Name"])
    return found


def report(late: Sequence[str]) -> str:
    """Return a log line that a metric filter reads the number of."""
    return json.dumps({FIELD: len(late), "secrets": list(late)})
