"""`headgate deploy`: the verbs that look at a deployment and tell what they found, and those that change one thing."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from headgate.cli._deploy_request import Deployment, Request, answered, opened, progress_of, tell, write
from headgate.cli._deploy_screen import Terminal
from headgate.deploy.engine import (
    Check,
    Confirmation,
    ExitCode,
    Holder,
    Operation,
    Progress,
    Risk,
    Verdict,
    confirm_all,
    locked,
    mode_from,
    safety_of,
)

_COLORS = {
    Verdict.PASSED: typer.colors.GREEN,
    Verdict.WARNING: typer.colors.YELLOW,
    Verdict.FAILED: typer.colors.RED,
    Verdict.UNKNOWN: typer.colors.BRIGHT_BLACK,
}


@answered
def validate(request: Request) -> int:
    """Check files; return 0 only when nothing is wrong with them."""
    deployment = opened(request)
    checks = [Check("deployment file", Verdict.PASSED, f"nothing is wrong with {request.path}")]
    warned = [Check("deployment file", Verdict.WARNING, warning) for warning in deployment.settings.warnings]
    return _report(request, [*(warned or checks), *deployment.target.validate()])


@answered
def verify(request: Request) -> int:
    """Look at a deployment from the outside; return 0 only when nothing failed and everything could be told."""
    checks = opened(request).target.verify()
    return _report(request, checks)


@answered
def show_differences(request: Request) -> int:
    """Show what somebody else changed; return 1 where there is something."""
    found = opened(request).target.differences()
    code = ExitCode.FAILED if found else ExitCode.DONE
    if request.as_json:
        write(request, {"differences": [one.data() for one in found], "exit_code": int(code)})
        return code
    for one in found:
        request.say(f"{one.component}  {one.resource}: {one.message}")
    if not found:
        request.say("Everything is as it was left.")
    else:
        request.say("\nHow to set it back: docs/verifying.md")
    return code


@answered
def scale(request: Request, tasks: int) -> int:
    """Have so many gateways run; return the exit code."""
    deployment = opened(request)
    with _working(request, deployment, "scale", str(tasks)) as progress:
        deployment.target.scale(tasks, progress)
    tell(request, f"{tasks} gateways run.", {"tasks": tasks})
    return ExitCode.DONE


@answered
def show_backups(request: Request) -> int:
    """List the backups; return the exit code."""
    found = opened(request).target.backups()
    if request.as_json:
        write(request, {"backups": [one.data() for one in found]})
        return ExitCode.DONE
    for one in found:
        request.say(f"{one.name}  {_time(one.made)}  {one.holds}{'' if one.complete else '  (not complete)'}")
    if not found:
        request.say("There are no backups.")
    return ExitCode.DONE


@answered
def back_up(request: Request, name: str | None) -> int:
    """Save what a deployment holds; return the exit code."""
    deployment = opened(request)
    chosen = name or time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    with _working(request, deployment, "backup", chosen) as progress:
        made = deployment.target.backup(chosen, progress)
    tell(request, f"{made.name} holds {made.holds}.", made.data())
    return ExitCode.DONE


@answered
def restore(request: Request, name: str) -> int:
    """Bring a backup back after two yeses; return the exit code."""
    deployment = opened(request)
    why = f"what {deployment.environment.name} holds now is replaced by {name}"
    rule = safety_of(Risk("restore", Operation.DELETE_DATA))
    with _working(request, deployment, "restore", name) as progress:
        _confirm(request, Confirmation("restore", rule.safety, why))
        deployment.target.restore(name, progress)
    tell(request, f"{name} is back and serves.", {"restored": name})
    return ExitCode.DONE


def _report(request: Request, checks: Sequence[Check]) -> int:
    bad = [one for one in checks if one.verdict in (Verdict.FAILED, Verdict.UNKNOWN)]
    code = ExitCode.FAILED if bad else ExitCode.DONE
    if request.as_json:
        write(request, {"checks": [one.data() for one in checks], "exit_code": int(code)})
        return code
    width = max((len(one.name) for one in checks), default=0)
    for one in checks:
        request.say(
            f"{typer.style(f'{one.verdict.value:<7}', fg=_COLORS[one.verdict])}  {one.name:<{width}}  {one.message}"
        )
    counts = {verdict: sum(one.verdict is verdict for one in checks) for verdict in Verdict}
    request.say("\n" + ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count))
    return code


@contextmanager
def _working(request: Request, deployment: Deployment, *words: str) -> Iterator[Progress]:
    """Hold the lock, and tell what goes on."""
    with locked(deployment.target.store, Holder.this_process(request.command(*words)), time.time):
        yield progress_of(request)


def _confirm(request: Request, needed: Confirmation) -> None:
    terminal = not request.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    confirm_all([needed], mode_from(os.environ, terminal=terminal, confirmed=request.confirmed), Terminal(request))


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))
