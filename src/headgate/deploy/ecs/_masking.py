"""Values that somebody may have put where no secret belongs: shown, unless they could be one."""

import json
import re
from typing import Any

HIDDEN = "[hidden]"
LONGEST = 300
"""The most characters that are shown of a value."""

_PROPERTY = re.compile(
    r"password|passphrase|secretstring|authtoken|token$|credential|(api|private|access|master|salt)_?key$|userdata",
    re.IGNORECASE,
)
"""Names of properties that hold secrets; others, such as KmsKeyId and KeyPolicy, only tell of them."""
_VARIABLE = re.compile(r"key|token|secret|pass|pwd|credential|auth|dsn|url", re.IGNORECASE)
"""Names of environment variables that may hold a secret."""
_LOOKS_SECRET = re.compile(
    r"sk-[\w-]{8,}"
    r"|(?<=://)[^/\s:@]*:[^@\s]+(?=@)"
    r"|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|-----BEGIN .*"
    r"|(?<![A-Za-z0-9+_])(?<!sha256:)(?<!configuration/)(?<!packages/)[A-Za-z0-9+_]{32,}={0,2}",
    re.DOTALL,
)
"""Keys of gateways and of AWS, passwords in URLs, certificates' keys, and long random texts but for digests."""


def shown(value: str, path: str, properties: str) -> str:
    """Return a property's value for people.

    `path` is the property's, such as `/ContainerDefinitions/0/Image`; `properties` are all of the resource, as JSON.
    """
    if _is_secret(path, properties):
        return HIDDEN
    try:
        text = json.dumps(_masked(json.loads(value))) if value[:1] in ("{", "[") else str(_masked(value))
    except ValueError:
        text = str(_masked(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _is_secret(path: str, properties: str) -> bool:
    steps = path.strip("/").split("/")
    if any(_PROPERTY.search(step) for step in steps):
        return True
    if "Variables" in steps[:-1]:
        return _VARIABLE.search(steps[-1]) is not None
    if "Environment" in steps[:-1]:
        name = _variable(steps, properties)
        return name is None or _VARIABLE.search(name) is not None
    return False


def _variable(steps: list[str], properties: str) -> str | None:
    """Return the name of the environment variable whose value a path leads to, None when it can not be told."""
    try:
        found = json.loads(properties)
        for step in steps[:-1]:
            found = found[int(step)] if isinstance(found, list) else found[step]
        return str(found["Name"])
    except (ValueError, LookupError, TypeError):
        return None


def _masked(value: Any, *, in_variables: bool = False) -> Any:
    if isinstance(value, str):
        return _LOOKS_SECRET.sub(HIDDEN, value)
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Name", "Value"}:
        return value if _VARIABLE.search(str(value["Name"])) is None else {**value, "Value": HIDDEN}
    pattern = _VARIABLE if in_variables else _PROPERTY
    return {
        name: HIDDEN if pattern.search(name) else _masked(inner, in_variables=name == "Variables")
        for name, inner in value.items()
    }
