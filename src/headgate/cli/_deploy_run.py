"""`headgate deploy`: from a request to the engine, and its answer to an exit code."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from headgate.cli._deploy_costs import costs_data, monthly, show_costs
from headgate.cli._deploy_request import Deployment, Request, answered, opened, progress_of, tell, write
from headgate.cli._deploy_screen import Terminal, follow, show_run, show_steps
from headgate.core.errors import ConfigurationError
from headgate.deploy.engine import (
    Check,
    Confirmation,
    ConfirmationNeededError,
    ExitCode,
    Graph,
    Health,
    Holder,
    Journal,
    MemoryStore,
    Operation,
    Plan,
    Risk,
    RunResult,
    Verdict,
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
from headgate.deploy.settings import connection_budget, default_file, forget, remember

_LABEL = 13
"""How wide the names of outputs are at least, in characters."""


@answered
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
    tell(request, f"{path} is written. Next: headgate deploy plan", {"file": str(path)})
    return ExitCode.DONE


@answered
def show_plan(request: Request, only: Sequence[str]) -> int:
    """Show what `up` would do; return the exit code."""
    deployment = opened(request)
    made = plan_up(deployment.target.graph(), only)
    budget = connection_budget(deployment.environment)
    costs = monthly(deployment.environment, deployment.target.store, datetime.now(UTC).date())
    if request.as_json:
        about = {"environment": deployment.environment.name, "warnings": list(deployment.settings.warnings)}
        connections = {"needed": budget.needed, "limit": budget.limit, "arithmetic": str(budget)}
        priced = {} if costs is None else {"monthly": costs_data(*costs)}
        write(request, {**about, **made.data(), "connections": connections, **priced})
        return ExitCode.DONE
    for warning in deployment.settings.warnings:
        request.say(f"warning: {warning}", err=True)
    show_steps(request, made)
    request.say(f"\nDatabase connections: {budget}")
    if costs is not None:
        show_costs(*costs)
    return ExitCode.DONE


@answered
def bring_up(request: Request, only: Sequence[str]) -> int:
    """Do what the plan says; return the exit code."""
    deployment = opened(request)
    run = _run(request, deployment, ("up", *only), lambda: plan_up(deployment.target.graph(), only))
    if run.result.exit_code == ExitCode.DONE:
        _remember(deployment)
    return _answer(request, deployment, run)


@answered
def take_down(request: Request, only: Sequence[str], *, delete_data: bool) -> int:
    """Take a deployment away, and look whether anything is left; return the exit code."""
    deployment = opened(request)
    target = deployment.target
    words = ("down", *only, *(["--delete-data"] if delete_data else []))

    def make() -> Plan:
        return plan_down(target.teardown(delete_data=delete_data), only)

    foundation = target.foundation
    if foundation is not None and foundation.describe().health is Health.ABSENT and not make().works:
        # There is no place for a lock, and nothing that needs one.
        foundation = None
        run = _done(request, deployment, words, make, Journal(MemoryStore(), time.time))
    else:
        run = _run(request, deployment, words, make)
    left: Sequence[Check] = ()
    if run.result.exit_code == ExitCode.DONE and not only:
        forget(target.store)
        if delete_data and foundation is not None:
            foundation.destroy(progress_of(request))
        left = target.leftovers()
    return _answer(request, deployment, run, left)


@answered
def lay_foundation(request: Request) -> int:
    """Create or change what lock and journal are kept in; return the exit code."""
    deployment = opened(request)
    foundation = deployment.target.foundation
    if foundation is None:
        platform = deployment.environment.platform
        tell(request, f"The platform {platform} keeps lock and journal on this machine: nothing to do.", {"steps": []})
        return ExitCode.DONE
    graph = Graph([foundation])
    run = _done(request, deployment, ("bootstrap",), lambda: plan_up(graph), Journal(MemoryStore(), time.time))
    return _answer(request, deployment, run)


@dataclass(frozen=True, slots=True)
class _Run:
    """What was planned, and how it ended."""

    plan: Plan
    result: RunResult


def _answer(request: Request, deployment: Deployment, run: _Run, left: Sequence[Check] = ()) -> int:
    """Tell how a run ended as JSON, where that is wanted, and what is left; return the exit code."""
    bad = [one for one in left if one.verdict is Verdict.FAILED]
    code = ExitCode.FAILED if bad else run.result.exit_code
    if request.as_json:
        about = {"environment": deployment.environment.name, "plan": run.plan.data(), **run.result.data()}
        write(request, {**about, "left": [one.data() for one in left], "exit_code": int(code)})
    elif left:
        request.say("\nWhat is left:")
        for one in left:
            request.say(f"  {one.message}", err=one in bad)
    return int(code)


def _run(request: Request, deployment: Deployment, words: Sequence[str], make: Callable[[], Plan]) -> _Run:
    """Plan, decide, confirm and execute while holding the lock."""
    store = deployment.target.store
    with locked(store, Holder.this_process(request.command(*words)), time.time):
        return _done(request, deployment, words, make, Journal(store, time.time))


def _done(
    request: Request, deployment: Deployment, words: Sequence[str], make: Callable[[], Plan], journal: Journal
) -> _Run:
    """Plan, decide, confirm and execute."""
    terminal = not request.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    mode = mode_from(os.environ, terminal=terminal, confirmed=request.confirmed)
    asker = Terminal(request)
    command = request.command(*words)
    if journal.stopped_at is not None and not request.as_json:
        request.say(f"The last run stopped at {journal.stopped_at}; this one goes on from what is there.\n")
    made = make()
    if not request.as_json:
        show_steps(request, made)
        request.say()
    made = decide(made, mode, asker)
    confirm_all(made.confirmations(), mode, asker)
    if mode.interactive and made.works and not asker.agrees("Do this?"):
        raise ConfirmationNeededError("Nothing was changed.")
    with follow(request, made, f"{words[0]} {deployment.environment.name}", live=terminal) as listen:
        result = execute(made, journal, command, listen, time.time)
    if not request.as_json:
        show_run(request, made, result, command)
    return _Run(made, result)


def _remember(deployment: Deployment) -> None:
    """Keep what a whole environment was brought up with."""
    wanted = {component.name for component in deployment.target.graph()}
    states = [one.describe().health for one in deployment.target.teardown() if one.name in wanted]
    if Health.ABSENT not in states:
        remember(deployment.target.store, deployment.environment)


@answered
def show_status(request: Request) -> int:
    """Show what there is; return 0 only when every component is healthy."""
    deployment = opened(request)
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
        write(request, {"components": states, "lock": held, "last_run": last or None, "exit_code": int(code)})
        return code
    width = max(len(step.name) for step in made.steps)
    for step in made.steps:
        reason = step.state.reason.replace("\n", f"\n{'':{width + 13}}")
        request.say(f"{step.name:<{width}}  {step.state.health.value:<9}  {reason}")
    if last:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last["started"]))
        request.say(f"\nLast run: {last['command']}, {started}")
    if lock is not None:
        request.say(f"Locked by {lock.describe(now)}")
    return code


@answered
def render_to(request: Request, directory: Path) -> int:
    """Write the artefacts to a directory; return the exit code."""
    written = list(opened(request).target.render(directory))
    if request.as_json:
        write(request, {"directory": str(directory), "files": written})
    else:
        for name in written:
            request.say(str(directory / name))
    return ExitCode.DONE


@answered
def show_components(request: Request) -> int:
    """List the components; return the exit code."""
    graph = opened(request).target.graph()
    if request.as_json:
        components = [
            {"component": one.name, "requires": list(one.requires), "trait": one.trait.value} for one in graph
        ]
        write(request, {"components": components})
        return ExitCode.DONE
    width = max(len(component.name) for component in graph)
    for component in graph:
        requires = f"requires {', '.join(component.requires)}" if component.requires else "requires nothing"
        request.say(f"{component.name:<{width}}  {component.trait.value:<10}  {requires}")
    request.say(
        "\n`headgate deploy up` brings all of them up, `headgate deploy up NAME...` some;"
        " `headgate deploy status` and `headgate deploy verify` look at what is there."
    )
    return ExitCode.DONE


@answered
def unlock_environment(request: Request) -> int:
    """Break the lock after a yes; return the exit code."""
    store = opened(request).target.store
    lock = held_lock(store)
    if lock is None:
        tell(request, "It is not locked.", {"unlocked": None})
        return ExitCode.DONE
    now = time.time()
    rule = safety_of(Risk("lock", Operation.UNLOCK))
    needed = Confirmation("lock", rule.safety, f"held by {lock.describe(now)}; {rule.reason}")
    terminal = not request.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    confirm_all([needed], mode_from(os.environ, terminal=terminal, confirmed=request.confirmed), Terminal(request))
    break_lock(store)
    tell(request, f"Unlocked. It was held by {lock.describe(now)}", {"unlocked": lock.data(now)})
    return ExitCode.DONE


@answered
def show_outputs(request: Request) -> int:
    """Show where things are; return the exit code."""
    found = opened(request).target.outputs()
    if request.as_json:
        write(request, found)
        return ExitCode.DONE
    for name, facts in found.items():
        request.say(name)
        width = max(_LABEL, *(len(fact) for fact in facts))
        for fact, value in facts.items():
            request.say(f"  {fact.replace('_', ' '):<{width}} {value}")
    return ExitCode.DONE


@answered
def show_logs(request: Request, component: str, lines: int) -> int:
    """Show what a component wrote last; return the exit code."""
    text = opened(request).target.logs(component, lines)
    if request.as_json:
        write(request, {"component": component, "lines": text.splitlines()})
    else:
        typer.echo(text, nl=False)
    return ExitCode.DONE
