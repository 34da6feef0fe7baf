"""`headgate deploy`: the verbs that look at a deployment and tell what they found, and those that change one thing."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer

from headgate.cli._deploy_request import Deployment, Request, answered, opened, tell, write
from headgate.deploy.engine import Check, ExitCode, Holder, Progress, Verdict, locked

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
        write({"differences": [one.data() for one in found], "exit_code": int(code)})
        return code
    for one in found:
        typer.echo(f"{one.component}  {one.resource}: {one.message}")
    if not found:
        typer.echo("Everything is as it was left.")
    else:
        typer.echo(f"\n`{request.command('plan')}` shows what `up` would do about it.")
    return code


@answered
def scale(request: Request, tasks: int) -> int:
    """Have so many gateways run; return the exit code."""
    deployment = opened(request)
    with _working(request, deployment, f"scale {tasks}") as progress:
        deployment.target.scale(tasks, progress)
    tell(request, f"{tasks} gateways run.", {"tasks": tasks})
    return ExitCode.DONE


def _report(request: Request, checks: Sequence[Check]) -> int:
    bad = [one for one in checks if one.verdict in (Verdict.FAILED, Verdict.UNKNOWN)]
    code = ExitCode.FAILED if bad else ExitCode.DONE
    if request.as_json:
        write({"checks": [one.data() for one in checks], "exit_code": int(code)})
        return code
    width = max((len(one.name) for one in checks), default=0)
    for one in checks:
        typer.echo(
            f"{typer.style(f'{one.verdict.value:<7}', fg=_COLORS[one.verdict])}  {one.name:<{width}}  {one.message}"
        )
    counts = {verdict: sum(one.verdict is verdict for one in checks) for verdict in Verdict}
    typer.echo("\n" + ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count))
    return code


@contextmanager
def _working(request: Request, deployment: Deployment, verb: str) -> Iterator[Progress]:
    """Hold the lock, and tell what goes on."""
    with locked(deployment.target.store, Holder.this_process(request.command(verb)), time.time):
        yield _told(request)


def _told(request: Request) -> Callable[[str], None]:
    def progress(sentence: str) -> None:
        if not request.as_json:
            typer.echo(sentence)

    return progress
