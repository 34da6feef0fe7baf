"""What `headgate secrets` does and prints. Values go from the input to AWS and nowhere else."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import typer

from headgate.core.clock import monotonic
from headgate.deploy.engine import (
    Confirmation,
    DeployError,
    ExitCode,
    Operation,
    Risk,
    confirm_all,
    mode_from,
    safety_of,
)
from headgate.deploy.rotation import aws_client
from headgate.deploy.secrets import (
    Creation,
    Entry,
    SecretsError,
    SecretsUsageError,
    Status,
    Vault,
    catalogue_for,
    create_missing,
    explained,
    find,
    make,
    prepare_revoke,
    prepare_rotation,
    prepare_set,
    read_input,
    rotate,
    status,
)
from headgate.deploy.settings import FILE_NAME, PRESETS, load_settings


@dataclass(frozen=True, slots=True)
class Place:
    """Where the secrets are: an environment of a deployment file, and a region that counts before the file's."""

    environment: str
    file: Path | None
    region: str | None


@dataclass(frozen=True, slots=True)
class _Target:
    prefix: str
    region: str | None
    account: str | None
    entries: tuple[Entry, ...]


def list_all(place: Place, *, as_json: bool) -> None:
    """Print which secrets the environment has. Reads the deployment file only."""
    with _reported(as_json):
        target = _target(place)
        prefix, entries = target.prefix, target.entries
        if as_json:
            _print_json({"secrets": [_entry_data(entry, prefix) for entry in entries]})
            return
        rows = [(f"{prefix}/{one.name}", one.turnover.value, _takes(one), ", ".join(one.names)) for one in entries]
        _print_table(("secret", "rotation", "replacing it", "members"), rows)


def show(place: Place, *, as_json: bool) -> None:
    """Print how each secret is; exit with 1 when something needs somebody."""
    with _reported(as_json):
        vault, entries = _vault(place)
        found = status(vault, datetime.now(UTC), entries)
        if as_json:
            _print_json({"secrets": [_status_data(one) for one in found]})
        else:
            rows = [(one.name, _state(one), _time(one.last_rotated), _time(one.next_rotation)) for one in found]
            _print_table(("secret", "state", "last rotated", "next rotation"), rows)
            for one in found:
                if one.previous_valid_until is not None:
                    typer.echo(f"{one.name}: the previous key is valid until {_time(one.previous_valid_until)}")
                for problem in one.problems:
                    typer.echo(f"{one.name}: {problem}")
        if any(one.problems for one in found):
            raise typer.Exit(ExitCode.FAILED)


def create_all(place: Place, key: str | None, *, as_json: bool) -> None:
    """Create what is missing and say what became of each secret."""
    with _reported(as_json):
        vault, entries = _vault(place)
        made = create_missing(vault, entries=entries, key=key)
        if as_json:
            _print_json(
                {"secrets": [{"name": f"{vault.prefix}/{name}", "result": one.value} for name, one in made.items()]}
            )
            return
        for name, result in made.items():
            hint = f"; `headgate secrets set {name}` fills it" if result is Creation.WITHOUT_VALUE else ""
            typer.echo(f"{vault.prefix}/{name}: {result.value}{hint}")


def set_value(
    place: Place, name: str, member: str | None, source: Path | None, confirmed: Sequence[str], *, as_json: bool
) -> None:
    """Put what is read into a secret."""
    with _reported(as_json):
        entry = find(name)
        # Read before anything is asked: at a terminal the two would share an input.
        given = read_input(entry, _read(source), member)
        vault, _ = _vault(place)
        change = prepare_set(vault, entry, given, datetime.now(UTC))
        _confirm(change.confirmations, confirmed)
        done = make(vault, change)
        _tell(vault, entry, "set" if done else "held that already", as_json=as_json)


def rotate_now(
    place: Place,
    name: str,
    confirmed: Sequence[str],
    *,
    emergency: bool,
    abandon: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Rotate a secret and wait."""
    with _reported(as_json):
        entry = find(name)
        vault, _ = _vault(place)
        rotating = prepare_rotation(vault, entry, datetime.now(UTC), emergency=emergency, abandon=abandon)
        _confirm(rotating.confirmations, confirmed)
        rotate(vault, rotating, timeout=timeout, clock=monotonic, sleep=time.sleep)
        _tell(vault, entry, "rotated", as_json=as_json)


def revoke(place: Place, name: str, confirmed: Sequence[str], *, as_json: bool) -> None:
    """End the previous master key."""
    with _reported(as_json):
        entry = find(name)
        if entry.name != "master-key":
            raise SecretsUsageError(f"Only master-key keeps its previous value, not {entry.name}.")
        vault, _ = _vault(place)
        change = prepare_revoke(vault, entry, datetime.now(UTC))
        _confirm(change.confirmations, confirmed)
        done = make(vault, change)
        _tell(vault, entry, "previous key revoked" if done else "has no previous key", as_json=as_json)


class _Terminal:
    """Asks on the error output: the output may be read by a program."""

    def agrees(self, question: str) -> bool:
        """Ask for a yes."""
        return typer.confirm(question, default=False, err=True)

    def types(self, word: str, why: str) -> bool:
        """Ask for the word itself."""
        answer: str = typer.prompt(f"{word}: {why}. Type {word} to go on", default="", show_default=False, err=True)
        return answer.strip() == word


def _confirm(needed: Sequence[Confirmation], confirmed: Sequence[str]) -> None:
    confirm_all(needed, mode_from(os.environ, terminal=sys.stdin.isatty(), confirmed=confirmed), _Terminal())


def _read(source: Path | None) -> str:
    if source is not None:
        try:
            return source.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SecretsUsageError(f"{source} can not be read: {reason}.") from None
    if sys.stdin.isatty():
        answer: str = typer.prompt("Value (not shown)", hide_input=True, err=True)
        return answer
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise SecretsUsageError("The standard input is not text.") from None


def _vault(place: Place) -> tuple[Vault, tuple[Entry, ...]]:
    """Return the environment's secrets and those of the catalogue that it uses."""
    target = _target(place)
    if find_spec("boto3") is None:
        raise SecretsError("AWS' package boto3 is needed: pip install 'headgate[deploy]'.")
    with explained(target.prefix):
        if target.account is not None:
            signed_in = aws_client("sts", target.region).get_caller_identity()["Account"]
            if signed_in != target.account:
                raise SecretsError(
                    f"The AWS credentials are of account {signed_in}, but {place.environment} belongs to"
                    f" {target.account}. Nothing was changed."
                )
        vault = Vault(aws_client("secretsmanager", target.region), target.prefix)
    return vault, target.entries


def _target(place: Place) -> _Target:
    file = place.file or Path(FILE_NAME)
    if place.file is None and not file.exists():
        if place.environment not in PRESETS:
            known = ", ".join(PRESETS)
            raise SecretsUsageError(f"There is no {FILE_NAME} here; without one --env is one of {known}.")
        preset = PRESETS[place.environment]
        entries = catalogue_for(redis=int(str(preset.get("tasks", 1))) > 1, open_webui=False)
        return _Target(f"headgate/{place.environment}", place.region or os.environ.get("AWS_REGION"), None, entries)
    environment = load_settings(file, os.environ).environment(place.environment)
    if environment.platform != "ecs":
        raise SecretsUsageError(
            f"{file}: {environment.name} is for the platform {environment.platform}; Secrets Manager holds the secrets"
            " of ecs."
        )
    prefix = f"{environment.project}/{environment.name}"
    entries = catalogue_for(redis=environment.redis, open_webui=environment.open_webui)
    return _Target(prefix, place.region or environment.region, environment.account, entries)


@contextlib.contextmanager
def _reported(as_json: bool) -> Iterator[None]:
    """End with the exit code of what went wrong, and with its sentence."""
    try:
        yield
    except DeployError as error:
        if as_json:
            _print_json({"error": str(error), "exit_code": int(error.exit_code)})
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None


def _tell(vault: Vault, entry: Entry, result: str, *, as_json: bool) -> None:
    """Read the secret again and say what became of it."""
    [now] = status(vault, datetime.now(UTC), [entry])
    if as_json:
        _print_json({"result": result, "secret": _status_data(now)})
        return
    typer.echo(f"{now.name}: {result}")
    if now.previous_valid_until is not None:
        typer.echo(f"The previous key is valid until {_time(now.previous_valid_until)}.")
    if result != "held that already" and result != "has no previous key":
        typer.echo("Gateways read it when they start.")


def _takes(entry: Entry) -> str:
    operation = Operation.CHANGE if entry.resource == "database-url" else Operation.REGENERATE
    return safety_of(Risk(entry.resource, operation)).safety.value


def _entry_data(entry: Entry, prefix: str) -> Mapping[str, object]:
    return {
        "name": f"{prefix}/{entry.name}",
        "purpose": entry.purpose,
        "members": list(entry.names),
        "rotation": entry.turnover.value,
        "confirm": entry.resource,
        "replacing": _takes(entry),
    }


def _status_data(found: Status) -> Mapping[str, object]:
    def written(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")

    return {
        "name": found.name,
        "exists": found.exists,
        "empty": found.empty,
        "rotated": found.rotated,
        "last_rotated": written(found.last_rotated),
        "next_rotation": written(found.next_rotation),
        "previous_valid_until": written(found.previous_valid_until),
        "pending_since": written(found.pending_since),
        "problems": list(found.problems),
    }


def _state(found: Status) -> str:
    if not found.exists:
        return "missing"
    if found.empty:
        return "empty"
    if found.pending_since is not None:
        return "rotating"
    return "attention" if found.problems else "ok"


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_json(data: Mapping[str, object]) -> None:
    typer.echo(json.dumps(data, indent=2))
