"""Percentiles of what was measured."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a number of measurements come to, in milliseconds. Percentiles are by nearest rank: all were measured."""

    count: int
    mean: float
    median: float
    p95: float
    p99: float
    maximum: float


def distribution(seconds: Iterable[float]) -> Distribution | None:
    """Return the distribution of measurements that are given in seconds; None without any."""
    ordered = sorted(seconds)
    if not ordered:
        return None

    def percentile(percent: int) -> float:
        return ordered[max(math.ceil(percent * len(ordered) / 100), 1) - 1] * 1e3

    mean = math.fsum(ordered) / len(ordered) * 1e3
    return Distribution(len(ordered), mean, percentile(50), percentile(95), percentile(99), ordered[-1] * 1e3)
