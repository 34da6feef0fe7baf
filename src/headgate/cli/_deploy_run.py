"""`headgate deploy`: from a request to the engine, and its answer to an exit code."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import typer

from headgate.cli._deploy_screen import Terminal, follow, show_run, show_steps
from headgate.core.errors import ConfigurationError, HeadgateError
from headgate.deploy.compose import ComposeTarget
from headgate.deploy.engine import (
    Confirmation,
    ConfirmationNeededError,
    DeployError,
    ExitCode,
    Health,
    Holder,
    Journal,
    Operation,
    Plan,
    Risk,
    Target,
    break_lock,
    confirm_all,
    decide,
    execute,
    held_lock,
    locked,
    mode_from,
    plan_down,
    plan_up,
    safety_of,
)
from headgate.deploy.settings import (
    FILE_NAME,
    DeploySettings,
    Environment,
    connection_budget,
    default_file,
    load_settings,
)

STATE_DIRECTORY = ".headgate"
"""Beside the deployment file; holds a directory for each environment of this machine."""

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Request:
    """What every command is given."""

    file: Path | None
    environment: str
    as_json: bool
    confirmed: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The deployment file."""
        return self.file or Path(FILE_NAME)

    def command(self, verb: str) -> str:
        """Return the command line that does this again."""
        file = f" --file {self.file}" if self.file is not None else ""
        return f"headgate deploy {verb} --env {self.environment}{file}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a request is about."""

    settings: DeploySettings
    environment: Environment
    target: Target


def _open(request: Request) -> Deployment:
    settings = load_settings(request.path, os.environ)
    environment = settings.environment(request.environment)
    if environment.platform != "compose":
        message = f"The platform {environment.platform} can not be deployed yet; compose can."
        raise ConfigurationError([f"{request.path}: {message}"])
    directory = request.path.parent.absolute() / STATE_DIRECTORY / environment.name
    return Deployment(settings, environment, ComposeTarget(environment, directory))


def _answered(
    work: Callable[Concatenate[Request, P], int],
) -> Callable[Concatenate[Request, P], int]:
    """Turn what a command raises into a sentence, or into JSON, and the exit code that belongs to it."""

    def answer(request: Request, /, *given: P.args, **options: P.kwargs) -> int:
        try:
            return work(request, *given, **options)
        except HeadgateError as error:
            code = error.exit_code if isinstance(error, DeployError) else ExitCode.USAGE
            needed = list(error.options) if isinstance(error, ConfirmationNeededError) else []
            message = str(error)
        except (KeyboardInterrupt, typer.Abort):
            code, needed, message = ExitCode.INTERRUPTED, [], "Stopped."
        if request.as_json:
            _write({"error": message, "exit_code": int(code), "options": needed})
        else:
            typer.echo(message, err=True)
        return int(code)

    return answer


@_answered
def write_default_file(request: Request, platform: str) -> int:
    """Write the commented file of a platform; return the exit code."""
    path = request.path
    text = default_file(platform)
    try:
        with path.open("x") as written:
            written.write(text)
    except FileExistsError:
        raise ConfigurationError([f"{path} is there already. Delete it, or name another with --file."]) from None
    except OSError as error:
        raise ConfigurationError([f"{path} can not be written: {error.strerror or 'unknown error'}."]) from error
    _tell(request, f"{path} is written. Next: headgate deploy plan", {"file": str(path)})
    return ExitCode.DONE


@_answered
def show_plan(request: Request, only: Sequence[str]) -> int:
    """Show what `up` would do; return the exit code."""
    deployment = _open(request)
    made = plan_up(deployment.target.graph(), only)
    budget = connection_budget(deployment.environment)
    if request.as_json:
        about = {"environment": deployment.environment.name, "warnings": list(deployment.settings.warnings)}
        connections = {"needed": budget.needed, "limit": budget.limit, "arithmetic": str(budget)}
        _write({**about, **made.data(), "connections": connections})
        return ExitCode.DONE
    for warning in deployment.settings.warnings:
        typer.echo(f"warning: {warning}", err=True)
    show_steps(made)
    typer.echo(f"\nDatabase connections: {budget}")
    return ExitCode.DONE


@_answered
def bring_up(request: Request, only: Sequence[str]) -> int:
    """Do what the plan says; return the exit code."""
    deployment = _open(request)
    return _run(request, deployment, "up", lambda: plan_up(deployment.target.graph(), only))


@_answered
def take_down(request: Request, only: Sequence[str], *, delete_data: bool) -> int:
    """Take a deployment away; return the exit code."""
    deployment = _open(request)
    return _run(request, deployment, "down", lambda: plan_down(deployment.target.graph(delete_data=delete_data), only))


def _run(request: Request, deployment: Deployment, verb: str, make: Callable[[], Plan]) -> int:
    """Plan, decide, confirm and execute while holding the lock."""
    terminal = not request.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    mode = mode_from(os.environ, terminal=terminal, confirmed=request.confirmed)
    asker = Terminal()
    store = deployment.target.store
    command = request.command(verb)
    with locked(store, Holder.this_process(command), time.time):
        journal = Journal(store, time.time)
        if journal.stopped_at is not None and not request.as_json:
            typer.echo(f"The last run stopped at {journal.stopped_at}; this one goes on from what is there.\n")
        made = make()
        if not request.as_json:
            show_steps(made)
            typer.echo()
        made = decide(made, mode, asker)
        confirm_all(made.confirmations(), mode, asker)
        if mode.interactive and made.works and not asker.agrees("Do this?"):
            raise ConfirmationNeededError("Nothing was changed.")
        with follow(made, f"{verb} {deployment.environment.name}", quiet=request.as_json, live=terminal) as listen:
            result = execute(made, journal, command, listen, time.time)
    if request.as_json:
        _write({"environment": deployment.environment.name, "plan": made.data(), **result.data()})
    else:
        show_run(result, command)
    return int(result.exit_code)


@_answered
def show_status(request: Request) -> int:
    """Show what there is; return 0 only when every component is healthy."""
    deployment = _open(request)
    made = plan_up(deployment.target.graph())
    store = deployment.target.store
    lock, last = held_lock(store), Journal(store, time.time).last
    now = time.time()
    healthy = all(step.state.health is Health.HEALTHY for step in made.steps)
    code = ExitCode.DONE if healthy else ExitCode.FAILED
    if request.as_json:
        states = [
            {"component": step.name, "state": step.state.health.value, "reason": step.state.reason}
            for step in made.steps
        ]
        held = None if lock is None else lock.data(now)
        _write({"components": states, "lock": held, "last_run": last or None, "exit_code": int(code)})
        return code
    width = max(len(step.name) for step in made.steps)
    for step in made.steps:
        typer.echo(f"{step.name:<{width}}  {step.state.health.value:<9}  {step.state.reason}")
    if last:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last["started"]))
        typer.echo(f"\nLast run: {last['command']}, {started}")
    if lock is not None:
        typer.echo(f"Locked by {lock.describe(now)}")
    return code


@_answered
def render_to(request: Request, directory: Path) -> int:
    """Write the artefacts to a directory; return the exit code."""
    written = list(_open(request).target.render(directory))
    if request.as_json:
        _write({"directory": str(directory), "files": written})
    else:
        for name in written:
            typer.echo(directory / name)
    return ExitCode.DONE


@_answered
def show_components(request: Request, not_yet: Mapping[str, str]) -> int:
    """List the components and the verbs that are missing; return the exit code."""
    graph = _open(request).target.graph()
    if request.as_json:
        components = [
            {"component": one.name, "requires": list(one.requires), "trait": one.trait.value} for one in graph
        ]
        _write({"components": components, "not_yet": list(not_yet)})
        return ExitCode.DONE
    width = max(len(component.name) for component in graph)
    for component in graph:
        requires = f"requires {', '.join(component.requires)}" if component.requires else "requires nothing"
        typer.echo(f"{component.name:<{width}}  {component.trait.value:<10}  {requires}")
    typer.echo(f"\nNot yet: {', '.join(not_yet)}")
    return ExitCode.DONE


@_answered
def unlock_environment(request: Request) -> int:
    """Break the lock after a yes; return the exit code."""
    store = _open(request).target.store
    lock = held_lock(store)
    if lock is None:
        _tell(request, "It is not locked.", {"unlocked": None})
        return ExitCode.DONE
    now = time.time()
    rule = safety_of(Risk("lock", Operation.UNLOCK))
    needed = Confirmation("lock", rule.safety, f"held by {lock.describe(now)}; {rule.reason}")
    terminal = not request.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    confirm_all([needed], mode_from(os.environ, terminal=terminal, confirmed=request.confirmed), Terminal())
    break_lock(store)
    _tell(request, f"Unlocked. It was held by {lock.describe(now)}", {"unlocked": lock.data(now)})
    return ExitCode.DONE


@_answered
def show_outputs(request: Request) -> int:
    """Show where things are; return the exit code."""
    found = _open(request).target.outputs()
    if request.as_json:
        _write(found)
        return ExitCode.DONE
    for name, facts in found.items():
        typer.echo(name)
        for fact, value in facts.items():
            typer.echo(f"  {fact.replace('_', ' '):<14}{value}")
    return ExitCode.DONE


@_answered
def show_logs(request: Request, component: str, lines: int) -> int:
    """Show what a component wrote last; return the exit code."""
    text = _open(request).target.logs(component, lines)
    if request.as_json:
        _write({"component": component, "lines": text.splitlines()})
    else:
        typer.echo(text, nl=False)
    return ExitCode.DONE


def _tell(request: Request, message: str, data: Mapping[str, Any]) -> None:
    if request.as_json:
        _write(data)
    else:
        typer.echo(message)


def _write(data: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(data, indent=2))
