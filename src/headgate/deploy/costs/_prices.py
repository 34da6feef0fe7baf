"""List prices as data: what a unit costs in a region, where that was read, and for which day it was true."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from headgate.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for one `unit`, as asked in `region` on the day `date`; `source` is the page that says so."""

    dollars: Decimal
    unit: str
    region: str
    source: str
    date: date


class PriceTable:
    """The prices of every region that is known, on top of one region for which all are known."""

    def __init__(self, complete: str, prices: dict[str, dict[str, Price]]) -> None:
        self._complete = complete
        self._prices = prices

    @property
    def complete_region(self) -> str:
        """The region whose prices stand in for those that another region does not state."""
        return self._complete

    def find(self, region: str, name: str) -> Price | None:
        """Return the price called `name` in `region`, else in the complete region; None when nobody states it.

        `Price.region` tells which of the two it is.
        """
        return self._prices.get(region, {}).get(name) or self._prices[self._complete].get(name)


def load_prices(path: Path | None = None) -> PriceTable:
    """Load a price table: that of `path`, else the one that comes with Headgate.

    Raises `ConfigurationError` with every problem when it can not be read or is not a price table.
    """
    name = str(path) if path is not None else "prices.yaml"
    try:
        text = (path or files(__package__).joinpath("prices.yaml")).read_text(encoding="utf-8")
        document = _Document.model_validate(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError([f"The price table {name} can not be read: {reason}."]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError([f"The price table {name}{line} is not YAML."]) from error
    except ValidationError as error:
        raise ConfigurationError(
            [f"{name}: {'.'.join(map(str, one['loc'])) or 'the table'}: {one['msg']}." for one in error.errors()]
        ) from error
    return document.table()


def _exact(value: object) -> object:
    """Refuse numbers that YAML has already made a binary fraction of."""
    if isinstance(value, str | Decimal):
        return value
    raise ValueError('a price is dollars in quotes, such as "0.045"')


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Source(_Part):
    page: str
    date: date


class _Row(_Part):
    price: Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, allow_inf_nan=False)]
    unit: str
    source: str


class _Document(_Part):
    complete: str
    sources: dict[str, _Source]
    regions: dict[str, dict[str, _Row]]

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> "_Document":
        if self.complete not in self.regions:
            raise ValueError(f"`complete` names {self.complete}, which `regions` does not have")
        unknown = {row.source for rows in self.regions.values() for row in rows.values()} - set(self.sources)
        if unknown:
            raise ValueError(f"`sources` does not have {', '.join(sorted(unknown))}")
        return self

    def table(self) -> PriceTable:
        return PriceTable(
            self.complete,
            {
                region: {name: self._price(region, row) for name, row in rows.items()}
                for region, rows in self.regions.items()
            },
        )

    def _price(self, region: str, row: _Row) -> Price:
        source = self.sources[row.source]
        return Price(row.price, row.unit, region, source.page, source.date)
