"""What `headgate deploy cost` prints: the monthly cost of environments, for eyes or as JSON."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from headgate.deploy.costs import (
    Difference,
    Estimate,
    GuideRow,
    PriceTable,
    Utilization,
    commitment_hints,
    compare_guides,
    difference,
    estimate,
    load_prices,
    network_hints,
    scaling_hints,
    signed,
    size_hints,
)
from headgate.deploy.settings import FILE_NAME, DeploySettings, Environment, default_file, load_settings


@dataclass(frozen=True, slots=True)
class _Priced:
    estimate: Estimate
    hints: tuple[str, ...]


def report(
    file: Path | None,
    environment: str | None,
    platform: str | None,
    *,
    against: str | None = None,
    prices: Path | None = None,
    utilization: Utilization | None = None,
    guides: bool = False,
    as_json: bool = False,
    today: date,
) -> None:
    """Print what environments cost a month.

    `platform` asks for what `headgate deploy init` would write for it, and reads no file; without a `FILE_NAME` that is
    what happens for `ecs`.
    `environment` chooses one environment, `against` one that it is compared with, `prices` another price table.
    `guides` shows instead how the guides' published figures work out. Raises `ConfigurationError` for a deployment file
    or price table with something wrong, and for an environment that is not in it.
    """
    table = load_prices(prices)
    if guides:
        rows = compare_guides(table, today=today)
        typer.echo(json.dumps({"guides": [_guide_data(row) for row in rows]}, indent=2) if as_json else _guides(rows))
        return
    settings = _settings(file, platform)
    chosen = list(settings.environments.values()) if environment is None else [settings.environment(environment)]
    priced = [_price(one, table, utilization, today) for one in chosen]
    known = [one.estimate for one in priced]
    differences = []
    if against is not None:
        base = estimate(settings.environment(against), table, today=today)
        differences = [(against, one.environment, difference(base, one)) for one in known if one.environment != against]
    if as_json:
        typer.echo(json.dumps(_data(priced, differences), indent=2))
        return
    typer.echo("\n\n".join([*map(_text, priced), *(_difference_text(*one) for one in differences)]))
    label = typer.style("warning", fg=typer.colors.YELLOW, bold=True)
    for warning in [*settings.warnings, *(f"{one.environment}: {text}" for one in known for text in one.warnings)]:
        typer.echo(f"{label}: {warning}", err=True)


def _settings(file: Path | None, platform: str | None) -> DeploySettings:
    path = file or Path(FILE_NAME)
    if platform is None and (file is not None or path.is_file()):
        return load_settings(path, os.environ)
    with TemporaryDirectory() as folder:
        defaults = Path(folder) / FILE_NAME
        defaults.write_text(default_file(platform or "ecs"))
        return load_settings(defaults, os.environ)


def _price(environment: Environment, table: PriceTable, utilization: Utilization | None, today: date) -> _Priced:
    known = estimate(environment, table, today=today)
    hints = (
        *scaling_hints(environment, known),
        *(size_hints(environment, table, utilization) if utilization is not None else ()),
        *network_hints(environment, known, table),
        *commitment_hints(known),
    )
    return _Priced(known, hints)


def _text(priced: _Priced) -> str:
    known = priced.estimate
    title = typer.style(f"{known.environment} ({known.platform}, {known.region})", bold=True)
    if not known.lines:
        return (
            f"{title}\n  Nothing here is billed by AWS: the machine is yours, and its price is not known to Headgate."
        )
    rows = [
        (
            line.resource,
            "no price" if line.monthly is None else f"${line.monthly:,}",
            "" if line.price is None else f"{line.quantity:,.2f} x ${line.price.dollars} a {line.price.unit}",
            line.reckoning,
        )
        for line in known.lines
    ]
    total = ("Total before traffic", f"{'' if known.complete else 'at least '}${known.total:,}", "a month", "")
    metered = [(one.resource, "", f"${one.price.dollars} a {one.price.unit}", one.driver) for one in known.metered]
    table = _aligned([*rows, total, ("By use, not in the total:", "", "", ""), *metered])
    return "\n".join([title, *table, *(f"  hint: {hint}" for hint in priced.hints)])


def _aligned(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"  {name:<{widths[0]}}  {amount:>{widths[1]}}  {price:<{widths[2]}}  {note}".rstrip()
        for name, amount, price, note in rows
    ]


def _difference_text(before: str, after: str, found: Difference) -> str:
    title = typer.style(f"{after} against {before}: {signed(found.monthly)} a month", bold=True)
    rows = [
        (change.resource, signed(change.after - change.before), f"${change.before:,} to ${change.after:,}", "")
        for change in found.changes
    ]
    return "\n".join([title, *(_aligned(rows) if rows else ["  no difference"])])


def _guides(rows: Sequence[GuideRow]) -> str:
    lines: list[str] = []
    for table in dict.fromkeys(row.table for row in rows):
        lines += [typer.style(table, bold=True)] if not lines else ["", typer.style(table, bold=True)]
        chosen = [row for row in rows if row.table == table]
        lines += _aligned([(row.resource, f"${row.computed:,}", _published(row), row.correction) for row in chosen])
    return "\n".join(lines)


def _published(row: GuideRow) -> str:
    if row.low is None or row.high is None:
        return "not published"
    return f"published ${row.low:,}" + (f" to ${row.high:,}" if row.high != row.low else "")


def _data(priced: Sequence[_Priced], differences: Sequence[tuple[str, str, Difference]]) -> dict[str, object]:
    return {
        "currency": "USD",
        "environments": [_estimate_data(one) for one in priced],
        "differences": [
            {
                "before": before,
                "after": after,
                "monthly": str(found.monthly),
                "changes": [
                    {"resource": change.resource, "before": str(change.before), "after": str(change.after)}
                    for change in found.changes
                ],
            }
            for before, after, found in differences
        ],
    }


def _estimate_data(priced: _Priced) -> dict[str, object]:
    known = priced.estimate
    return {
        "environment": known.environment,
        "platform": known.platform,
        "region": known.region,
        "monthly": str(known.total),
        "complete": known.complete,
        "lines": [
            {
                "resource": line.resource,
                "quantity": f"{line.quantity:.4f}",
                "unit": None if line.price is None else line.price.unit,
                "unit_price": None if line.price is None else str(line.price.dollars),
                "monthly": _written(line.monthly),
                "reckoning": line.reckoning,
                "region": None if line.price is None else line.price.region,
                "date": None if line.price is None else line.price.date.isoformat(),
                "source": None if line.price is None else line.price.source,
            }
            for line in known.lines
        ],
        "by_use": [
            {"resource": one.resource, "unit": one.price.unit, "unit_price": str(one.price.dollars)}
            for one in known.metered
        ],
        "hints": list(priced.hints),
        "warnings": list(known.warnings),
    }


def _guide_data(row: GuideRow) -> dict[str, object]:
    return {
        "table": row.table,
        "resource": row.resource,
        "published_low": _written(row.low),
        "published_high": _written(row.high),
        "monthly": str(row.computed),
        "correction": row.correction,
    }


def _written(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
