"""What a plan would change about the monthly bill."""

from datetime import date
from decimal import Decimal
from typing import Any

import typer

from headgate.deploy.costs import Difference, Estimate, difference, estimate, load_prices, signed
from headgate.deploy.engine import DeployError, StateStore
from headgate.deploy.settings import Environment, remembered

_SHOWN = 5
"""Changes that are told one by one, the largest."""


def monthly(environment: Environment, store: StateStore, today: date) -> tuple[Estimate, Difference] | None:
    """Return what the environment would cost a month, and the difference to what was brought up last.

    None where it costs nothing: on a machine of one's own. Where the store can not be read, everything counts as new.
    """
    if environment.platform == "compose":
        return None
    prices = load_prices()
    try:
        before = remembered(store)
    except DeployError:
        before = None
    after = estimate(environment, prices, today=today)
    old = None if before is None else estimate(before, prices, today=today)
    return after, difference(old, after)


def costs_data(after: Estimate, change: Difference) -> dict[str, Any]:
    """Return the costs for JSON, in dollars a month."""
    return {
        "after": str(after.total),
        "difference": str(change.monthly),
        "changes": [
            {"resource": one.resource, "before": str(one.before), "after": str(one.after)} for one in change.changes
        ],
        "warnings": list(after.warnings),
    }


def show_costs(after: Estimate, change: Difference) -> None:
    """Show the costs, and what changes most."""
    typer.echo(f"\nMonthly cost at list prices, before traffic: ${after.total:,} ({signed(change.monthly)})")
    for one in change.changes[:_SHOWN]:
        typer.echo(f"  {signed(one.after - one.before):>12}  {one.resource}")
    if len(change.changes) > _SHOWN:
        rest = sum((one.after - one.before for one in change.changes[_SHOWN:]), Decimal(0))
        typer.echo(f"  {signed(rest):>12}  the rest")
    for warning in after.warnings:
        typer.echo(f"  {warning}")
