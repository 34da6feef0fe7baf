"""The arithmetic of the benchmark. Latencies are in the unit they are given in."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""Student's t, two-sided 95 %, for 1 to 10 degrees of freedom (standard tables); 2.0 is close enough above."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile by nearest rank: a value that was measured, never one in between.

    Raises `ValueError` for no values.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


class Paired(NamedTuple):
    """What a target added to the direct request made beside it."""

    added_p50: float
    added_p99: float
    round_medians: list[float]


def paired(rounds: Iterable[Sequence[tuple[float, float]]]) -> Paired:
    """Compare `(direct, target)` pairs, grouped in rounds.

    The median added is the median of the rounds' medians, so that one disturbed round cannot move it; the 99th
    percentile is that of all differences.
    """
    differences = [[target - direct for direct, target in one_round] for one_round in rounds]
    medians = [statistics.median(one_round) for one_round in differences]
    every = [difference for one_round in differences for difference in one_round]
    return Paired(statistics.median(medians), percentile(every, 99), medians)


class Line(NamedTuple):
    """A least-squares line; `slope_error` is the half width of the slope's 95 % confidence interval."""

    slope: float
    intercept: float
    slope_error: float


def fit_line(points: Sequence[tuple[float, float]]) -> Line:
    """Fit a straight line to `(x, y)` points.

    Raises `ValueError` for fewer than three points or when all have the same x.
    """
    if len(points) < 3:
        raise ValueError("a line with an error needs at least three points")
    slope, intercept = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    mean_x = statistics.fmean(x for x, _ in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    residual = sum((y - intercept - slope * x) ** 2 for x, y in points)
    freedom = len(points) - 2
    factor = T_95[freedom - 1] if freedom <= len(T_95) else 2.0
    return Line(slope, intercept, factor * math.sqrt(residual / freedom / spread))


def bucket_medians(samples: Sequence[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """Return the median y of each stretch of `width` in x, at the middle of the stretch; empty ones are left out."""
    buckets: dict[int, list[float]] = {}
    for x, y in samples:
        buckets.setdefault(int(x // width), []).append(y)
    return [((index + 0.5) * width, statistics.median(values)) for index, values in sorted(buckets.items())]
