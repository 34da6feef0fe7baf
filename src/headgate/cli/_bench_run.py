"""`headgate bench`: from options to a load test, and its result to an exit code."""

import asyncio
import json
import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import typer
import uvloop

from headgate.cli._bench_report import Trial, as_data, as_text, show_progress
from headgate.core.errors import ConfigurationError
from headgate.deploy.engine import ConfirmationNeededError, DeployError, ExitCode
from headgate.deploy.load import (
    USERS,
    Load,
    Measurement,
    Surroundings,
    Target,
    goal_for,
    parse_endpoint,
    run_load,
)
from headgate.deploy.settings import FILE_NAME, load_settings

_FILES_BESIDE = 64
"""Open files that are no connections."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    target: str
    model: str
    key_env: str | None
    key_file: str | None
    users: int | None
    spawn_rate: float
    think: str
    rate: float | None
    warm_up: float
    duration: float
    requests: int
    timeout: float
    stream: bool
    prompt_bytes: int
    max_tokens: int | None
    direct: str | None
    direct_key_env: str | None
    tasks: int | None
    workers: int | None
    environment: str | None
    file: Path | None
    max_errors: float
    strict: bool
    yes: bool
    as_json: bool


def run(options: Options) -> int:
    """Make the test and show it; return the exit code. Raises `ConfigurationError` for what can not work."""
    trial, target, direct = _prepare(options)
    try:
        _confirm(trial, options)
        _allow_open_files(trial.load.users * (1 if direct is None else 2))
        measured = _measure(trial, target, direct, quiet=options.as_json)
    except DeployError as error:
        typer.echo(json.dumps({"error": str(error)}) if options.as_json else str(error), err=not options.as_json)
        return int(error.exit_code)
    typer.echo(json.dumps(as_data(trial, measured), indent=2) if options.as_json else as_text(trial, measured))
    return int(_exit_code(trial, measured, strict=options.strict))


def _prepare(options: Options) -> tuple[Trial, Target, Target | None]:
    if not 0 <= options.max_errors <= 100:
        raise ConfigurationError(["--max-errors: expected a percentage from 0 to 100."])
    tasks, workers = _size(options)
    goal = goal_for(tasks)
    load = Load(
        model=options.model,
        users=options.users if options.users is not None else USERS if goal is None else goal.users,
        spawn_rate=options.spawn_rate,
        think=_think(options.think),
        rate=options.rate,
        warm_up=options.warm_up,
        duration=options.duration,
        requests=options.requests,
        timeout=options.timeout,
        stream=options.stream,
        prompt_bytes=options.prompt_bytes,
        max_tokens=options.max_tokens,
    )
    target = Target(parse_endpoint(options.target, "--target"), _key(options, os.environ))
    direct = None
    if options.direct is not None:
        # Never the gateway's key: the upstream belongs to somebody else.
        key = None if options.direct_key_env is None else _variable(options.direct_key_env, "--direct-key-env")
        direct = Target(parse_endpoint(options.direct, "--direct"), key)
    elif options.direct_key_env is not None:
        raise ConfigurationError(["--direct-key-env: there is no --direct to send a key to."])
    other = None if direct is None else direct.endpoint
    return Trial(load, target.endpoint, other, tasks, workers, goal, options.max_errors / 100), target, direct


def _size(options: Options) -> tuple[int | None, int | None]:
    """Return tasks, and workers of all of them: as given, else as the deployment file has them."""
    if options.environment is None:
        if options.file is not None:
            raise ConfigurationError(["--file: say with --env which environment of it is tested."])
        return options.tasks, options.workers
    settings = load_settings(options.file or Path(FILE_NAME), os.environ)
    environment = settings.environment(options.environment)
    tasks = options.tasks or environment.tasks
    return tasks, options.workers or tasks * environment.workers


def _think(given: str) -> tuple[float, float]:
    least, _, most = given.partition("-")
    try:
        return float(least), float(most or least)
    except ValueError:
        raise ConfigurationError(["--think: expected seconds such as 0.5-1, or 0."]) from None


def _key(options: Options, environ: Mapping[str, str]) -> str | None:
    if options.key_env is not None and options.key_file is not None:
        raise ConfigurationError(["--key-env and --key-file: give one of them."])
    if options.key_env is not None:
        return _variable(options.key_env, "--key-env")
    if options.key_file is None:
        return None
    try:
        text = sys.stdin.read() if options.key_file == "-" else Path(options.key_file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError([f"--key-file: {options.key_file} can not be read: {reason}."]) from error
    return _checked(text, "--key-file")


def _variable(name: str, option: str) -> str:
    value = os.environ.get(name)
    if value is None:
        # Not repeated: somebody may have given the key itself.
        raise ConfigurationError([f"{option}: there is no variable of that name. It takes a name, never a key."])
    return _checked(value, option)


def _checked(text: str, option: str) -> str:
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigurationError([f"{option}: what is there is no key: it is empty, or has characters no key has."])
    return key


def _confirm(trial: Trial, options: Options) -> None:
    """Have a load on other machines confirmed, by the names of these. Raises `ConfirmationNeededError`."""
    strangers = [one for one in (trial.target, trial.direct) if one is not None and not one.is_loopback]
    if not strangers:
        return
    hosts = list(dict.fromkeys(one.host for one in strangers))
    load = trial.load
    how = f"{load.rate:g} requests a second" if load.rate is not None else f"{load.users:,} users"
    seconds = load.uncounted + load.duration
    about = f"{how} for {seconds:,.0f} s, up to {load.requests:,} requests, on {' and '.join(hosts)}"
    for one in strangers:
        if one.is_plaintext:
            typer.echo(f"warning: {one} is not encrypted: anyone on the way can read the key.", err=True)
    if options.yes:
        return
    if options.as_json or options.key_file == "-" or not _at_a_terminal():
        message = f"Nothing was sent: this puts {about}. Confirm it with --yes, if that is yours."
        raise ConfirmationNeededError(message, ["--yes"])
    typer.echo(f"This puts {about}. On what is not yours that is an attack.")
    for host in hosts:
        if typer.prompt("Type the name of the host to go on", prompt_suffix=f" ({host}): ").strip() != host:
            raise ConfirmationNeededError("Nothing was sent.", ["--yes"])


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _allow_open_files(connections: int) -> None:
    """Raise this process' limit of open files. Raises `ConfigurationError` where the system does not let it."""
    needed = connections + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            message = f"{connections:,} connections need {needed:,} open files, and the system allows {hard:,}."
            raise ConfigurationError([f"{message} Raise it with `ulimit -n`, or lower --users."])
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _measure(trial: Trial, target: Target, direct: Target | None, *, quiet: bool) -> Measurement:
    # Chance decides how long users think, which is no secret.
    surroundings = Surroundings(
        clock=time.perf_counter,
        processor=time.process_time,
        sleep=asyncio.sleep,
        random=Random(),  # noqa: S311
        environ=os.environ,
        run=secrets.token_hex(4),
    )

    async def measure() -> Measurement:
        interrupt = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt.set)
        with show_progress(trial, quiet=quiet) as on_progress:
            return await run_load(trial.load, target, direct, surroundings, interrupt, on_progress)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure())


def _exit_code(trial: Trial, measured: Measurement, *, strict: bool) -> ExitCode:
    if measured.ended_by == "interrupt":
        return ExitCode.INTERRUPTED
    if measured.error_share > trial.max_errors or not measured.requests:
        return ExitCode.FAILED
    missed = any(not verdict.passed for verdict in trial.verdicts(measured))
    return ExitCode.FAILED if strict and missed else ExitCode.DONE
