"""From quantities and prices to dollars a month, and what lies between two environments."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from headgate.deploy.costs._prices import Price, PriceTable
from headgate.deploy.costs._quantities import Usage, items, meters
from headgate.deploy.settings import Environment

CENT = Decimal("0.01")
MAXIMUM_AGE_DAYS = 90
"""Prices older than this are warned about."""


@dataclass(frozen=True, slots=True)
class Line:
    """One resource in a month: `quantity` units at `price` make `monthly` dollars, rounded half up to a cent.

    `reckoning` says how the quantity comes about. `price` and `monthly` are None when nobody states the price.
    """

    resource: str
    quantity: Decimal
    reckoning: str
    price: Price | None
    monthly: Decimal | None


@dataclass(frozen=True, slots=True)
class MeteredPrice:
    """What a resource costs by use: dollars for a unit, and what is counted. Part of no total."""

    resource: str
    driver: str
    price: Price


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an environment costs a month before traffic; `total` is the sum of the lines that have a price."""

    environment: str
    platform: str
    region: str
    lines: tuple[Line, ...]
    metered: tuple[MeteredPrice, ...]
    total: Decimal
    warnings: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every line has a price, so that `total` is not a lower bound."""
        return all(line.monthly is not None for line in self.lines)


@dataclass(frozen=True, slots=True)
class Change:
    """A resource whose monthly dollars differ: from `before` to `after`, 0 where it does not exist."""

    resource: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two estimates: changed resources, largest first, and their sum, in dollars a month."""

    changes: tuple[Change, ...]
    monthly: Decimal


def estimate(environment: Environment, prices: PriceTable, *, today: date, usage: Usage | None = None) -> Estimate:
    """Estimate what `environment` costs a month, before traffic, at list prices.

    Warns about prices older than 90 days, prices taken from another region and resources without one.
    """
    lines = tuple(_line(environment.region, prices, *item) for item in items(environment, usage or Usage()))
    metered = tuple(
        MeteredPrice(resource, driver, price)
        for resource, name, driver in meters(environment)
        if (price := prices.find(environment.region, name)) is not None
    )
    return Estimate(
        environment=environment.name,
        platform=environment.platform,
        region=environment.region,
        lines=lines,
        metered=metered,
        total=sum((line.monthly for line in lines if line.monthly is not None), Decimal(0)),
        warnings=(
            *_missing(lines),
            *_foreign(environment.region, prices, lines),
            *_aged([line.price for line in lines if line.price is not None], today),
        ),
    )


def difference(before: Estimate | None, after: Estimate | None) -> Difference:
    """Compare two estimates; None stands for an environment that does not exist."""
    old, new = _by_resource(before), _by_resource(after)
    names = dict.fromkeys([*old, *new])
    changes = [Change(name, old.get(name, Decimal(0)), new.get(name, Decimal(0))) for name in names]
    changed = [change for change in changes if change.before != change.after]
    changed.sort(key=lambda change: abs(change.after - change.before), reverse=True)
    return Difference(tuple(changed), sum((change.after - change.before for change in changed), Decimal(0)))


def dollars(amount: Decimal) -> Decimal:
    """Round to a cent, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def signed(amount: Decimal) -> str:
    """Write a difference in dollars with its sign, such as `+$12.30`."""
    return f"{'-' if amount < 0 else '+'}${abs(dollars(amount)):,}"


def _line(region: str, prices: PriceTable, resource: str, name: str, quantity: Decimal, reckoning: str) -> Line:
    price = prices.find(region, name)
    return Line(resource, quantity, reckoning, price, None if price is None else dollars(quantity * price.dollars))


def _by_resource(known: Estimate | None) -> dict[str, Decimal]:
    return {} if known is None else {line.resource: line.monthly or Decimal(0) for line in known.lines}


def _missing(lines: tuple[Line, ...]) -> list[str]:
    unknown = [line.resource for line in lines if line.price is None]
    if not unknown:
        return []
    return [
        f"No price is known for {', '.join(unknown)}: the total is without it."
        " Add it to a price table of your own, and give that with --prices."
    ]


def _foreign(region: str, prices: PriceTable, lines: tuple[Line, ...]) -> list[str]:
    priced = [(line.resource, line.price.region) for line in lines if line.price is not None]
    other = [resource for resource, origin in priced if origin != region]
    if not other:
        return []
    which = "All prices are" if len(other) == len(priced) else f"The prices of {', '.join(other)} are"
    return [
        f"{which} those of {prices.complete_region}, because the table has none for {region}."
        " Other regions often ask 10 to 30 % more."
    ]


def _aged(used: list[Price], today: date) -> list[str]:
    old = [price for price in used if (today - price.date).days > MAXIMUM_AGE_DAYS]
    if not old:
        return []
    oldest = min(price.date for price in old)
    return [
        f"{len(old)} of {len(used)} prices are older than {MAXIMUM_AGE_DAYS} days, the oldest is of {oldest}"
        f" ({(today - oldest).days} days ago). Compare them with AWS' pricing pages before relying on the total."
    ]
