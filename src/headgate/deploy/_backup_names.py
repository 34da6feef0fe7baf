"""What a backup may be called, on every platform."""

import re

from headgate.deploy.engine import DeployError

_NAME = re.compile(r"[a-z0-9](-?[a-z0-9]){0,59}")


def check_backup_name(name: str) -> None:
    """Raise `DeployError` for what can not be the name of a snapshot and of a file."""
    if _NAME.fullmatch(name) is None:
        raise DeployError(
            f"{name[:80]!r} can not be the name of a backup: it takes up to 60 lower-case letters and digits, and"
            " single hyphens between them."
        )
