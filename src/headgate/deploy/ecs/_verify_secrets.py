"""The secrets of an environment: there, filled, rotated in time. No value leaves this module."""

from collections.abc import Callable, Iterator
from datetime import datetime

from headgate.deploy.ecs._configuration import read_configuration
from headgate.deploy.engine import Verdict
from headgate.deploy.secrets import Entry, Status, Turnover, Vault, catalogue_for, find, status
from headgate.deploy.settings import Environment
from headgate.deploy.verification import Probe, Result

_NO_KEY = frozenset({"AWS_BEDROCK_REGION"})
"""Members of `api-keys` that every task is given anyway."""


def secret_probes(environment: Environment, vault: Callable[[], Vault], now: Callable[[], datetime]) -> Iterator[Probe]:
    """Yield a probe for each secret that the environment has; `vault` raises `DeployError` without credentials."""
    for entry in catalogue_for(redis=environment.redis, open_webui=environment.open_webui):
        if entry.name == "api-keys":
            yield Probe("secret api-keys", lambda: _provider_keys(environment, vault()))
        else:
            yield Probe(f"secret {entry.name}", lambda entry=entry: _secret(environment, vault(), entry, now()))  # type: ignore[misc]


def _secret(environment: Environment, vault: Vault, entry: Entry, now: datetime) -> Result:
    [found] = status(vault, now, [entry])
    if found.problems:
        return Verdict.FAILED, f"{found.name}: {'; '.join(found.problems)}. {_advice(environment, entry, found)}"
    return Verdict.PASSED, "; ".join(["filled", *_rotation(found)])


def _rotation(found: Status) -> Iterator[str]:
    if found.rotated:
        last = "not yet" if found.last_rotated is None else f"last on {found.last_rotated:%Y-%m-%d}"
        yield f"rotated {last}"
    if found.next_rotation is not None:
        yield f"next until {found.next_rotation:%Y-%m-%d}"
    if found.previous_valid_until is not None:
        yield f"the previous one is valid until {found.previous_valid_until:%Y-%m-%d %H:%M} UTC"


def _advice(environment: Environment, entry: Entry, found: Status) -> str:
    if not found.exists:
        return f"`headgate secrets create --env {environment.name}` makes what is missing."
    if entry.turnover is Turnover.AUTOMATIC and not found.rotated:
        return "`headgate deploy up database` makes the functions that rotate it."
    verb = "rotate" if entry.turnover is Turnover.AUTOMATIC else "set"
    return f"`headgate secrets {verb} {entry.name} --env {environment.name}` gives it a value."


def _provider_keys(environment: Environment, vault: Vault) -> Result:
    """Insist on the keys that the configuration reads, and on no others."""
    entry = find("api-keys")
    path = environment.configuration
    wanted = frozenset() if path is None else read_configuration(path).variables & frozenset(entry.names) - _NO_KEY
    held = {name for name, text in (vault.value(entry) or {}).items() if text}
    if missing := sorted(wanted - held):
        return Verdict.FAILED, (
            f"{vault.name(entry)} lacks {', '.join(missing)}, which the gateway's configuration reads: `headgate"
            f" secrets set api-keys {missing[0]} --env {environment.name}` takes one from standard input."
        )
    named = ", ".join(sorted(held & frozenset(entry.names)))
    return Verdict.PASSED, f"holds {named}" if named else "holds nothing, and the configuration reads nothing of it"
