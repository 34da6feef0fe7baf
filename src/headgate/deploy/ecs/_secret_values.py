"""The values of an environment's secrets, read to be hidden wherever they turn up. They stay in this process."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.secrets import CATALOGUE
from headgate.deploy.settings import Environment

HIDDEN = "[hidden]"
_NOT_SECRET = frozenset(
    {"username", "host", "port", "dbname", "engine", "UI_USERNAME", "AWS_BEDROCK_REGION", "previous_not_after"}
    | {"WEBUI_ADMIN_EMAIL"}
)
"""Members that logs may show, and that would hide ordinary words if they were not."""
_SHORTEST = 8
"""Characters from which on a text is a secret and no word."""
_STAGES = ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING")
"""A value that was replaced may be valid still, and one that is about to be is already."""


class SecretValues:
    """What must not be shown. Has no representation that shows it."""

    def __init__(self, values: Iterator[str]) -> None:
        self._values = sorted(set(values), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return a text with every secret in it replaced."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text


def secret_values(account: Account, environment: Environment) -> SecretValues:
    """Read every secret of an environment that can be read. Raises `DeployError` when AWS refuses one."""
    return SecretValues(_all_values(account, environment))


def _all_values(account: Account, environment: Environment) -> Iterator[str]:
    client = account.client("secretsmanager")
    absent = (client.exceptions.ResourceNotFoundException, client.exceptions.InvalidRequestException)
    for entry in CATALOGUE:
        name = f"{environment.project}/{environment.name}/{entry.name}"
        for stage in _STAGES:
            with explained(f"{name} has to be read, so that it can be hidden in what is shown"):
                try:
                    answer = account.call(client.get_secret_value, SecretId=name, VersionStage=stage)
                except absent:
                    # It does not exist, holds nothing, or is being deleted.
                    continue
                yield from _values(answer.get("SecretString", ""))


def _values(text: str) -> Iterator[str]:
    try:
        members: Any = json.loads(text)
    except ValueError:
        members = {"": text}
    if not isinstance(members, dict):
        members = {"": text}
    for name, value in members.items():
        if name not in _NOT_SECRET and isinstance(value, str) and len(value) >= _SHORTEST:
            yield value
            # As it stands in a URL.
            yield quote(value, safe="")
