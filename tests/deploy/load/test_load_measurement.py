"""What counts of what comes in, and what it is compared with."""

import pytest

from headgate.deploy.load import GOALS, Goal, Measurement, distribution, goal_for, judge
from headgate.deploy.load._measurement import Samples
from headgate.deploy.load._sender import Outcome


def _measured(samples: Samples, processor: float = 0.0, unsent: int = 0) -> Measurement:
    return samples.measurement(0, unsent, "duration", processor)


def test_only_what_began_while_it_was_measured_has_a_latency() -> None:
    samples = Samples()
    samples.add(0.0, 0.5, Outcome(0.5))
    samples.begin(1.0)
    samples.add(0.9, 1.1, Outcome(0.2))
    samples.add(1.0, 1.3, Outcome(0.3))
    samples.end(3.0)
    samples.add(2.9, 3.4, Outcome(0.5))
    samples.add(3.0, 3.1, Outcome(0.1))
    measured = _measured(samples)
    assert measured.latency is not None
    assert (measured.requests, measured.latency.median, measured.latency.maximum) == (2, 300, 500)
    # The rate counts what arrived in time, also of what began before, and not what arrived after.
    assert (measured.seconds, measured.answered, measured.requests_per_second) == (2, 2, 1)


def test_errors_are_counted_by_kind_with_what_the_first_said() -> None:
    samples = Samples()
    samples.begin(0.0)
    for error, sentence in (("500", "first"), ("429", "slow down"), ("500", "second")):
        samples.add(0.1, 0.2, Outcome(0.1, error=error, sentence=sentence))
    samples.add(0.1, 0.2, Outcome(0.1))
    samples.end(1.0)
    measured = _measured(samples)
    assert [(one.error, one.count, one.sentence) for one in measured.errors] == [
        ("500", 2, "first"),
        ("429", 1, "slow down"),
    ]
    assert measured.error_share == 0.75
    assert measured.latency is not None
    assert measured.latency.count == 1


def test_what_is_added_is_the_difference_to_the_double() -> None:
    samples = Samples()
    samples.begin(0.0)
    samples.add(0.1, 0.2, Outcome(0.030), Outcome(0.020))
    samples.add(0.1, 0.2, Outcome(0.050), Outcome(0.020))
    samples.add(0.1, 0.2, Outcome(0.050), Outcome(0.010, error="500", sentence="no"))
    samples.add(0.1, 0.2, Outcome(0.050, error="500", sentence="no"), Outcome(0.040))
    samples.end(1.0)
    measured = _measured(samples)
    assert measured.added is not None
    assert measured.direct is not None
    assert (measured.added.count, measured.direct.count) == (2, 3)
    assert (measured.added.median, measured.added.maximum) == pytest.approx((10, 30))
    assert [(one.error, one.count) for one in measured.direct_errors] == [("500", 1)]


def test_a_test_that_never_began_measured_nothing() -> None:
    samples = Samples()
    samples.add(0.0, 0.5, Outcome(0.5))
    measured = _measured(samples)
    assert (measured.seconds, measured.requests, measured.requests_per_second, measured.error_share) == (0, 0, 0, 0)


def test_a_generator_at_its_limit_says_so() -> None:
    samples = Samples()
    samples.begin(0.0)
    samples.end(10.0)
    assert not _measured(samples, processor=8.9).generator_was_busy
    assert _measured(samples, processor=9.1).generator_was_busy
    assert _measured(samples, unsent=1).generator_was_busy


def _result(rate: float, latency: float, overhead: float | None = None) -> Measurement:
    found = None if overhead is None else distribution([overhead / 1000])
    return Measurement(
        seconds=1.0,
        requests=int(rate),
        answered=int(rate),
        errors=(),
        latency=distribution([latency / 1000]),
        first_token=None,
        overhead=found,
        added=None,
        direct=None,
        direct_errors=(),
        unfinished=0,
        unsent=0,
        ended_by="duration",
        processor_share=0.1,
    )


def test_goals_are_the_guide_s_table() -> None:
    table = [(goal.tasks, goal.workers, goal.requests_per_second, goal.median) for goal in GOALS]
    assert table == [(2, 8, 1035, 200), (4, 16, 1170, 100), (8, 32, 2000, 75)]
    # Users who think for 0.75 s and wait for the median make at least that many requests.
    for goal in GOALS:
        assert goal.users / (0.75 + goal.median / 1000) >= goal.requests_per_second
    assert [goal.tasks for goal in (goal_for(4), goal_for(8)) if goal] == [4, 8]
    assert goal_for(3) is None
    assert goal_for(None) is None


@pytest.mark.parametrize(
    ("measured", "failed"),
    [
        (_result(1170, 100, 2), []),
        (_result(1169, 100, 2), ["requests/s"]),
        (_result(1170, 101, 2), ["median ms"]),
        (_result(1170, 240, 2), ["median ms", "p95 ms"]),
        (
            _result(1170, 241, 14),
            ["median ms", "p95 ms", "p99 ms", *(f"overhead {of} ms" for of in ("median", "p95", "p99"))],
        ),
        (_result(1170, 100), [f"overhead {of} ms" for of in ("median", "p95", "p99")]),
    ],
)
def test_each_figure_is_compared_with_its_goal(measured: Measurement, failed: list[str]) -> None:
    goal = goal_for(4)
    assert goal is not None
    verdicts = judge(measured, goal)
    assert len(verdicts) == 7
    assert [verdict.name for verdict in verdicts if not verdict.passed] == failed


def test_figures_that_the_guide_does_not_name_are_not_compared() -> None:
    goal = goal_for(8)
    assert isinstance(goal, Goal)
    assert [verdict.name for verdict in judge(_result(2000, 75), goal)] == ["requests/s", "median ms"]
