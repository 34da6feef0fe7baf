"""When a goal counts as met, missed or not measured."""

from pathlib import Path

import pytest

from bench import _results
from bench._goals import best_within, goals, headline, ratios
from bench._results import Growth, Results

RESULT = Path(__file__).with_name("result.json")


@pytest.fixture
def results() -> Results:
    return _results.read(RESULT)


def verdict(results: Results, subject: str) -> bool | None:
    (found,) = [goal for goal in goals(results) if subject in goal.subject]
    return found.met


def test_ratios_are_headgate_over_the_other(results: Results) -> None:
    found = ratios(results)
    assert found["unary/nginx"] == pytest.approx(0.5)
    assert found["unary/litellm"] == pytest.approx(129.9)
    assert found["streams/direct"] == pytest.approx(0.5)


def test_a_bound_that_is_just_reached_is_met_and_one_just_not_is_missed(results: Results) -> None:
    assert verdict(results, "over nginx") is True
    assert verdict(results, "over LiteLLM") is False


def test_a_row_with_errors_does_not_count(results: Results) -> None:
    row = headline(results)["headgate"]
    row.errors = 1
    assert "headgate" not in headline(results)
    assert verdict(results, "over nginx") is None


def test_streams_count_only_when_the_upstream_saw_them(results: Results) -> None:
    row = next(row for row in results.stream_rate if row.target == "headgate")
    row.upstream_requests = row.streams - 1
    assert verdict(results, "100 deltas") is None


def test_a_lost_delta_misses_the_goal(results: Results) -> None:
    assert verdict(results, "concurrent streams") is True
    for row in results.stream_hold:
        row.lost_deltas = 1
    assert verdict(results, "concurrent streams") is False


@pytest.mark.parametrize(
    ("slope", "error", "minutes", "errors", "expected"),
    [
        (0.5, 0.1, 10.0, 0, False),
        (0.5, 0.6, 10.0, 0, True),  # not certain
        (0.05, 0.01, 10.0, 0, True),  # certain, and half a MiB in all
        (-0.5, 0.1, 10.0, 0, True),
        (0.5, 0.1, 1.0, 0, None),  # too short
        (0.0, 0.1, 10.0, 5, None),  # not the load it should have been
    ],
)
def test_growth(
    results: Results, slope: float, error: float, minutes: float, errors: int, *, expected: bool | None
) -> None:
    results.growth = [Growth("headgate", minutes, 1000.0, errors, [], slope, error)]
    assert verdict(results, "growth") is expected


def test_what_is_not_there_is_not_measured() -> None:
    results = _results.read(RESULT)
    empty = Results(results.schema, results.started, results.profile, results.machine)
    assert {goal.met for goal in goals(empty)} == {None}
    assert {goal.measured for goal in goals(empty)} == {None}


def test_the_best_throughput_within_a_bound(results: Results) -> None:
    assert best_within(results.frontier, "headgate", 1.0) == 8_000
    assert best_within(results.frontier, "headgate", 5.0) == 20_000
    assert best_within(results.frontier, "litellm", 10.0) is None
