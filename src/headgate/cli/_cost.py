"""`headgate deploy cost`: the command's options; the group of `headgate deploy` registers `cost`."""

from pathlib import Path
from typing import Annotated

import typer


def cost(
    environment: Annotated[str | None, typer.Option("--env", help="Only this environment. [default: all]")] = None,
    platform: Annotated[
        str | None, typer.Option(help="Show the defaults of a platform, ecs or compose, and read no file.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="The deployment file. [default: headgate.deploy.yaml]")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Show the difference to this environment too.")] = None,
    prices: Annotated[Path | None, typer.Option(help="A price table of your own.")] = None,
    cpu: Annotated[
        float | None, typer.Option(help="Average CPU use of the tasks in percent; judges their size.", min=0, max=100)
    ] = None,
    memory: Annotated[
        float | None, typer.Option(help="Average memory use of the tasks in percent.", min=0, max=100)
    ] = None,
    guides: Annotated[bool, typer.Option("--guides", help="Work out the guides' published figures instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Tell what environments cost a month at list prices, before traffic. Needs no credentials."""
    from datetime import UTC, datetime
    from decimal import Decimal

    from headgate.cli._cost_report import report
    from headgate.deploy.costs import Utilization

    if (cpu is None) != (memory is None):
        raise typer.BadParameter("--cpu and --memory judge the size of a task together: give both.")
    used = Utilization(Decimal(str(cpu)), Decimal(str(memory))) if cpu is not None else None
    report(
        file,
        environment,
        platform,
        against=against,
        prices=prices,
        utilization=used,
        guides=guides,
        as_json=as_json,
        today=datetime.now(UTC).date(),
    )
