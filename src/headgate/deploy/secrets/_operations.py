"""What can be done with secrets. What replaces something says beforehand which yes it takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from headgate.deploy.engine import Confirmation, Operation, Risk, Safety, safety_of
from headgate.deploy.rotation import MasterKey
from headgate.deploy.secrets._catalogue import CATALOGUE, Entry, find
from headgate.deploy.secrets._errors import SecretsError, explained
from headgate.deploy.secrets._values import changed, completed, initial, replaces
from headgate.deploy.secrets._vault import Description, Vault


class Creation(Enum):
    """What `create_missing` did with a secret."""

    CREATED = "created"
    WITHOUT_VALUE = "created without a value"
    """Something in it has to be given first."""
    FILLED = "filled"
    """It was there and held nothing."""
    COMPLETED = "completed"
    """It held something already, which stays, and lacked something else."""
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that is ready to be made. `confirmations` are the yeses that it takes; `make` makes it."""

    entry: Entry
    confirmations: tuple[Confirmation, ...]
    value: Mapping[str, object] | None

    def __repr__(self) -> str:
        return f"Pending({self.entry.name})"


def create_missing(
    vault: Vault,
    given: Mapping[str, Mapping[str, str]] | None = None,
    *,
    entries: Iterable[Entry] = CATALOGUE,
    key: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Mapping[str, Creation]:
    """Create the secrets that are not there and complete those that are not complete; return what became of each.

    What has a value keeps it, whatever is `given` (by secret, then by member: the database's host, providers' keys).
    `key` is the KMS key to encrypt with, AWS' own without one. Raises `SecretsError`; what was done by then stays, and
    the same call goes on from there.
    """
    return {entry.name: _create(vault, entry, (given or {}).get(entry.name, {}), key, tags or {}) for entry in entries}


def _create(vault: Vault, entry: Entry, given: Mapping[str, str], key: str | None, tags: Mapping[str, str]) -> Creation:
    with explained(vault.name(entry)):
        if vault.describe(entry) is None:
            value = initial(entry, given)
            if vault.create(entry, value, key, tags):
                return Creation.WITHOUT_VALUE if value is None else Creation.CREATED
        vault.existing(entry)
        current = vault.value(entry)
        wanted = initial(entry, given) if current is None else completed(entry, current, given)
        if wanted is None or wanted == current:
            return Creation.KEPT
        vault.put(entry, wanted)
        return Creation.FILLED if current is None else Creation.COMPLETED


def prepare_set(vault: Vault, entry: Entry, given: Mapping[str, str], now: datetime) -> Pending:
    """Return the change that puts `given` into a secret; its value is None when that is in it already.

    Raises `SecretsError` when it must not be made: the salt key is never replaced.
    """
    with explained(vault.name(entry)):
        check_idle(vault, entry, vault.existing(entry))
        current = vault.value(entry)
        value = changed(entry, current, given, now)
        if value == current:
            return Pending(entry, (), None)
        operation = Operation.CHANGE if entry.name in ("database", "api-keys") else Operation.REGENERATE
        needed = (confirmation(entry, operation),) if replaces(entry, current, given) else ()
        return Pending(entry, needed, value)


def prepare_revoke(vault: Vault, entry: Entry, now: datetime) -> Pending:
    """Return the change that ends the previous master key at once; its value is None when there is none to end."""
    with explained(vault.name(entry)):
        check_idle(vault, entry, vault.existing(entry))
        held = vault.value(entry)
        key = None if held is None else MasterKey.from_value(held)
        if key is None or key.previous is None:
            return Pending(entry, (), None)
        reason = "whoever still uses the previous key is locked out"
        needed = (Confirmation(entry.resource, Safety.CONFIRM, reason),) if key.window_open(now) else ()
        return Pending(entry, needed, MasterKey(key.current).to_value())


def make(vault: Vault, change: Pending) -> bool:
    """Make a change whose confirmations were given; return whether there was something to do."""
    if change.value is None:
        return False
    vault.put(change.entry, change.value)
    return True


def confirmation(entry: Entry, operation: Operation) -> Confirmation:
    """Return the yes that the safety rules ask for. Raises `SecretsError` for what they block."""
    rule = safety_of(Risk(entry.resource, operation))
    if rule.safety is Safety.BLOCKED:
        raise SecretsError(f"{entry.name} is never replaced: {rule.reason}. Nothing was changed.")
    return Confirmation(entry.resource, rule.safety, rule.reason)


def check_idle(vault: Vault, entry: Entry, found: Description) -> None:
    """Raise `SecretsError` while a rotation has not ended: it would go on with a value that is no longer the last."""
    if found.pending is not None:
        raise SecretsError(
            f"A rotation of {vault.name(entry)} has not ended: wait, or see why with `headgate secrets status`."
            " `headgate secrets rotate --abandon` gives it up and begins another."
        )


def master_key(vault: Vault) -> str:
    """Return the master key that gateways are started with. Raises `SecretsError` when there is none."""
    entry = find("master-key")
    value = vault.value(entry)
    if value is None:
        raise SecretsError(f"{vault.name(entry)} holds nothing: deploy the security stack first.")
    with explained(vault.name(entry)):
        return MasterKey.from_value(value).current
