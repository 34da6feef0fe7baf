"""What an environment costs a month, from dated list prices and what it consists of."""

from headgate.deploy.costs._estimate import (
    MAXIMUM_AGE_DAYS,
    Change,
    Difference,
    Estimate,
    Line,
    MeteredPrice,
    difference,
    estimate,
    signed,
)
from headgate.deploy.costs._guides import GuideRow, compare_guides
from headgate.deploy.costs._hints import (
    Size,
    Utilization,
    commitment_hints,
    network_hints,
    right_size,
    scaling_hints,
    size_hints,
)
from headgate.deploy.costs._prices import Price, PriceTable, load_prices
from headgate.deploy.costs._quantities import HOURS, INTERFACE_ENDPOINTS, Usage

__all__ = [
    "HOURS",
    "INTERFACE_ENDPOINTS",
    "MAXIMUM_AGE_DAYS",
    "Change",
    "Difference",
    "Estimate",
    "GuideRow",
    "Line",
    "MeteredPrice",
    "Price",
    "PriceTable",
    "Size",
    "Usage",
    "Utilization",
    "commitment_hints",
    "compare_guides",
    "difference",
    "estimate",
    "load_prices",
    "network_hints",
    "right_size",
    "scaling_hints",
    "signed",
    "size_hints",
]
