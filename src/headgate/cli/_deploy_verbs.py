"""`headgate deploy`: the verbs that look at a deployment, and tell what they found."""

from collections.abc import Sequence

import typer

from headgate.cli._deploy_request import Request, answered, opened, write
from headgate.deploy.engine import Check, ExitCode, Verdict

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
