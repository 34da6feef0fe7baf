"""What the gateway's own time is told as."""

from itertools import pairwise

import pytest

from headgate.telemetry import Counters, OverheadReport
from headgate.telemetry._counters import OVERHEAD_BOUNDS
from headgate.telemetry._overhead import percentile


def test_bounds_rise_by_less_than_a_factor_of_1_6() -> None:
    assert OVERHEAD_BOUNDS[0] == 0.00001
    assert OVERHEAD_BOUNDS[-1] == 6.8
    ratios = [upper / lower for lower, upper in pairwise(OVERHEAD_BOUNDS)]
    assert min(ratios) > 1.4
    assert max(ratios) < 1.6


@pytest.mark.parametrize("seconds", [0.00002, 0.0003, 0.0012, 0.05, 2.0])
def test_a_percentile_is_right_within_its_bucket(seconds: float) -> None:
    counters = Counters()
    for number in range(1000):
        counters.observe(seconds * (0.5 + number / 1000))
    found = percentile(counters.overhead_buckets, 0.95)
    assert 1 / 1.6 < found / (1.45 * seconds) < 1.6


def test_a_percentile_lies_where_its_share_of_the_bucket_does() -> None:
    counted = [0] * (len(OVERHEAD_BOUNDS) + 1)
    counted[0], counted[1] = 50, 50
    lower, upper = OVERHEAD_BOUNDS[:2]
    assert percentile(counted, 0.5) == lower
    assert percentile(counted, 0.75) == pytest.approx((lower + upper) / 2)
    assert percentile(counted, 1.0) == pytest.approx(upper)


def test_what_is_beyond_the_last_bound_counts_as_that() -> None:
    counters = Counters()
    counters.observe(3600.0)
    assert percentile(counters.overhead_buckets, 0.95) == OVERHEAD_BOUNDS[-1]


def test_a_report_is_about_the_time_since_the_last_one() -> None:
    counters = Counters()
    counters.observe(5.0)
    report = OverheadReport(counters)
    assert report.fields() == {}
    for _ in range(99):
        counters.observe(0.001)
    counters.observe(0.101)
    fields = report.fields()
    assert (fields["answers"], fields["overhead_mean_ms"]) == (100, 2.0)
    assert 0.68 < fields["overhead_p95_ms"] <= 1.0
    assert report.fields() == {}
    counters.observe(0.002)
    assert report.fields()["answers"] == 1
