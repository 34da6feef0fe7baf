"""Values of secrets: the first one, a changed one, and what a user gives."""

import json
from collections.abc import Mapping
from datetime import datetime

from headgate.deploy.rotation import (
    KEY_PREFIX,
    WINDOW,
    Credentials,
    MasterKey,
    RotationError,
    new_master_key,
    random_text,
)
from headgate.deploy.secrets._catalogue import Entry
from headgate.deploy.secrets._errors import SecretsUsageError

Value = Mapping[str, object]
"""The JSON object that a secret holds."""

_URL = "DATABASE_URL"
_LARGEST = 65536
"""The most bytes that Secrets Manager keeps in a secret."""


def read_input(entry: Entry, text: str, member: str | None = None) -> Mapping[str, str]:
    """Return the members that a user gave for a secret as text.

    `member` says which one the text is. Without it the text is a JSON object of members, or alone the member that the
    entry takes as plain text. Raises `SecretsUsageError`, which never shows the text.
    """
    text = text.strip("\r\n")
    if member is not None:
        _check_known(entry, [member])
        return _checked(entry, {member: text})
    if not text.lstrip().startswith("{"):
        if entry.plain is None and text:
            names = ", ".join(entry.names)
            raise SecretsUsageError(f"{entry.name} has several members: name one ({names}), or give a JSON object.")
        return _checked(entry, {entry.plain or "": text})
    try:
        given = json.loads(text)
    except ValueError:
        raise SecretsUsageError(f"What was given for {entry.name} begins as a JSON object but is none.") from None
    _check_known(entry, given)
    return _checked(entry, {name: value if isinstance(value, str) else "" for name, value in given.items()})


def _check_known(entry: Entry, names: Mapping[str, object] | list[str]) -> None:
    for name in names:
        if name not in entry.names:
            raise SecretsUsageError(f"{entry.name} has no member {name[:60]!r}; it has {', '.join(entry.names)}.")


def _checked(entry: Entry, given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if not value:
            raise SecretsUsageError(f"What was given for {entry.name} is empty: {name or 'a value'} takes text.")
        if not value.isprintable() or value != value.strip():
            raise SecretsUsageError(f"{name}: spaces around it, line breaks and control characters are no part of it.")
        if len(value.encode()) > _LARGEST // 4:
            raise SecretsUsageError(f"{name} is longer than {_LARGEST // 4} bytes.")
    if entry.name == "master-key" and not given["LITELLM_MASTER_KEY"].startswith(KEY_PREFIX):
        raise SecretsUsageError(f"A master key begins with {KEY_PREFIX}; LiteLLM takes no other.")
    if len(given) > 1 and _URL in given:
        raise SecretsUsageError(f"{_URL} says everything: give it alone, or the other members without it.")
    if _URL in given:
        try:
            Credentials.from_url(given[_URL])
        except RotationError as error:
            raise SecretsUsageError(str(error)) from None
    return given


def initial(entry: Entry, given: Mapping[str, str]) -> Value | None:
    """Return the first value of a secret; None while something that has to be given is not.

    Raises `RotationError` for a database URL that can not be read.
    """
    if entry.name == "master-key":
        return MasterKey(given.get("LITELLM_MASTER_KEY") or new_master_key()).to_value()
    if _URL in given:
        return Credentials.from_url(given[_URL]).to_value()
    value = {name: text for name, text in _made(entry, given).items() if text}
    if entry.name == "database":
        return Credentials.from_value(value).to_value() if "host" in value else None
    complete = bool(value) if entry.any_member else len(value) == len(entry.members)
    return value if complete else None


def _made(entry: Entry, given: Mapping[str, str]) -> Mapping[str, str]:
    return {
        member.name: given.get(member.name) or member.default or (random_text(member.length) if member.length else "")
        for member in entry.members
    }


def completed(entry: Entry, current: Value, given: Mapping[str, str]) -> Value:
    """Return a value with what it lacks and changes nothing that it has; `current` itself where it lacks nothing."""
    if entry.name == "master-key":
        return current
    lacking = {name: text for name, text in given.items() if not current.get(name)}
    if entry.name == "database":
        if current.get(_URL) and not lacking:
            return current
        known = {**_made(entry, {}), **lacking, **{name: text for name, text in current.items() if text}}
        return Credentials.from_value(known).to_value(known) if known.get("host") else current
    wanted = {name: text for name, text in _made(entry, lacking).items() if text and not current.get(name)}
    return {**current, **wanted} if wanted else current


def changed(entry: Entry, current: Value | None, given: Mapping[str, str], now: datetime) -> Value:
    """Return a value in which `given` replaces what was there; the rest stays.

    A master key that is replaced stays valid for the window, as after a rotation. Raises `SecretsUsageError` when
    something is lacking still, `RotationError` for a value that can not be read.
    """
    if entry.name == "master-key" and current is not None:
        before = MasterKey.from_value(current)
        key = given["LITELLM_MASTER_KEY"]
        return current if key == before.current else before.followed_by(key, now, WINDOW).to_value()
    if _URL in given:
        return Credentials.from_url(given[_URL]).to_value(current)
    if current is None:
        value = initial(entry, given)
        if value is None:
            lacking = ", ".join(member.name for member in entry.members if not (member.length or member.default))
            raise SecretsUsageError(f"{entry.name} holds nothing yet and takes more at first: {lacking}.")
        return value
    if entry.name == "database":
        try:
            return Credentials.from_value({**current, **given}).to_value(current)
        except RotationError as error:
            raise SecretsUsageError(str(error)) from None
    return {**current, **given}


def replaces(entry: Entry, current: Value | None, given: Mapping[str, str]) -> bool:
    """Tell whether `given` takes the place of something else that is there."""
    held = current or {}
    if entry.name == "master-key" and held:
        held = MasterKey.from_value(held).to_value()
    return any(held.get(name) and str(held[name]) != text for name, text in given.items())
