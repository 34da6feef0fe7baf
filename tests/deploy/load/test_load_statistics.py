"""Percentiles of known data."""

import random

import pytest

from headgate.deploy.load import distribution


def test_percentiles_are_by_nearest_rank() -> None:
    values = [number / 1000 for number in range(1, 101)]
    random.Random(1).shuffle(values)
    found = distribution(values)
    assert found is not None
    assert (found.count, found.median, found.p95, found.p99, found.maximum) == (100, 50, 95, 99, 100)
    assert found.mean == pytest.approx(50.5)


@pytest.mark.parametrize(
    ("milliseconds", "median", "p95", "p99"),
    [
        ([7], 7, 7, 7),
        ([1, 2], 1, 2, 2),
        ([1, 2, 3], 2, 3, 3),
        ([1] * 19 + [100], 1, 1, 100),
        ([1] * 95 + [100] * 5, 1, 1, 100),
        ([-2, -1, 5], -1, 5, 5),
    ],
)
def test_every_percentile_was_measured(milliseconds: list[float], median: float, p95: float, p99: float) -> None:
    found = distribution(value / 1000 for value in milliseconds)
    assert found is not None
    assert (found.median, found.p95, found.p99) == pytest.approx((median, p95, p99))


def test_nothing_has_no_percentiles() -> None:
    assert distribution([]) is None
