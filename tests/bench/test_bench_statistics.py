"""The arithmetic of the benchmark against values worked out by hand."""

import pytest

from bench._statistics import bucket_medians, fit_line, paired, percentile


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 5.0), (90, 9.0), (91, 10.0), (99, 10.0), (100, 10.0)])
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    values = [float(value) for value in (10, 1, 9, 2, 8, 3, 7, 4, 6, 5)]
    assert percentile(values, percent) == expected


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_one_disturbed_round_does_not_move_the_paired_median() -> None:
    quiet = [(1.0, 1.2), (2.0, 2.2), (3.0, 3.2)]
    disturbed = [(1.0, 9.0), (1.0, 9.0), (1.0, 9.0)]
    added = paired([quiet, disturbed, quiet])
    assert added.added_p50 == pytest.approx(0.2)
    assert added.added_p99 == pytest.approx(8.0)
    assert added.round_medians == pytest.approx([0.2, 8.0, 0.2])


def test_a_perfect_line_has_no_error() -> None:
    line = fit_line([(0, 1), (1, 3), (2, 5), (3, 7)])
    assert (line.slope, line.intercept) == pytest.approx((2, 1))
    assert line.slope_error == pytest.approx(0)


def test_the_error_of_a_slope() -> None:
    # y = x with residuals +1 -1 -1 +1: variance 4 / 2, spread of x 5, t(2) = 4.30.
    line = fit_line([(0, 1), (1, 0), (2, 1), (3, 4)])
    assert line.slope == pytest.approx(1)
    assert line.slope_error == pytest.approx(4.30 * (2 / 5) ** 0.5)


def test_a_line_needs_three_points() -> None:
    with pytest.raises(ValueError, match="three points"):
        fit_line([(0, 1), (1, 2)])


def test_bucket_medians_leave_empty_stretches_out() -> None:
    samples = [(0.1, 5.0), (0.2, 7.0), (0.9, 6.0), (2.5, 1.0)]
    assert bucket_medians(samples, 1.0) == [(0.5, 6.0), (2.5, 1.0)]
