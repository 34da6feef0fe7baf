"""How samples become rows."""

import random

import pytest

from bench import _wrk
from bench._behaviors import STREAM_PACED
from bench._load import Outcome
from bench._plan import FULL, QUICK, SCENARIOS, estimated_seconds
from bench._targets import TARGETS
from bench.scenarios import footprint, open_loop, streaming, unloaded


def outcome(*, status: int = 200, deltas: int = 0, seconds: float = 0.1, gaps: tuple[float, ...] = ()) -> Outcome:
    made = Outcome(10.0)
    made.status, made.deltas, made.done = status, deltas, status == 200
    made.first_delta, made.finished, made.gaps = 10.02, 10.0 + seconds, list(gaps)
    return made


def test_every_iteration_asks_each_target_once() -> None:
    calls: list[str] = []

    def probe(name: str, value: float) -> float:
        calls.append(name)
        return value

    probes = {"direct": lambda: probe("direct", 1.0), "headgate": lambda: probe("headgate", 1.25)}
    iterations = unloaded.interleaved(probes, 20, random.Random(1))
    assert iterations == [{"direct": 1.0, "headgate": 1.25}] * 20
    pairs = [tuple(calls[index : index + 2]) for index in range(0, 40, 2)]
    assert set(pairs) == {("direct", "headgate"), ("headgate", "direct")}


def test_unloaded_is_summarized_against_direct() -> None:
    rounds = [[{"direct": 0.1, "headgate": 0.3}, {"direct": 0.2, "headgate": 0.3}, {"direct": 0.1, "headgate": 0.2}]]
    row = unloaded.summarize("headgate", rounds)
    assert (row.samples, row.p50_ms, row.p99_ms) == (3, 0.3, 0.3)
    assert (row.added_p50_ms, row.added_p99_ms) == (0.1, 0.2)


def test_open_loop_tells_errors_from_timeouts() -> None:
    row = open_loop.summarize("headgate", 100, 0.04, [outcome(), outcome(status=500), None, outcome(seconds=0.2)])
    assert (row.due, row.answered, row.errors, row.timeouts) == (4, 2, 1, 1)
    assert (row.p50_ms, row.p99_ms) == (100.0, 200.0)


def test_open_loop_without_an_answer_has_no_latency() -> None:
    row = open_loop.summarize("headgate", 100, 0.01, [None])
    assert (row.p50_ms, row.p99_ms) == (None, None)


def test_a_stream_that_lost_a_delta_is_seen_even_when_it_ended_well() -> None:
    whole = outcome(deltas=STREAM_PACED.deltas, gaps=(0.02, 0.03))
    short = outcome(deltas=STREAM_PACED.deltas - 2)
    cut = outcome(deltas=10, status=0)
    row = streaming.summarize_hold("headgate", 3, 1.0, [whole, short, cut])
    assert (row.streams, row.failed, row.lost_deltas) == (2, 1, 2 + 54)
    assert (row.first_token_p50_ms, row.gap_p99_ms) == (20.0, 30.0)


def test_stream_rate_is_whole_streams_over_the_time_they_took() -> None:
    row = streaming.summarize_rate("headgate", [outcome(deltas=100, seconds=0.5), outcome(deltas=100, seconds=2.0)], 2)
    assert (row.streams, row.seconds, row.streams_per_second) == (2, 2.0, 1.0)


def test_growth_is_the_line_through_the_medians() -> None:
    samples = [(second, 50 + second / 60) for second in range(600)]
    seen = _wrk.Load(requests=600, errors=0, duration_us=600_000_000, p50_us=1, p90_us=1, p99_us=1, max_us=1)
    row = footprint.summarize_growth("headgate", 10.0, seen, samples)
    assert len(row.medians_mib) == footprint.STRETCHES
    assert row.slope_mib_per_minute == pytest.approx(1.0, abs=0.001)
    assert row.requests_per_second == 1.0


def test_wrk_output_is_read_from_its_line() -> None:
    line = '{"requests":10,"errors":1,"duration_us":2000000,"p50_us":5,"p90_us":6,"p99_us":7,"max_us":8}'
    seen = _wrk.parse(f"Running 2s test\n  10 requests\nBENCH {line}\n")
    assert (seen.requests_per_second, seen.p99_us) == (4.5, 7)


def test_wrk_without_a_result_says_what_wrk_said() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        _wrk.parse("", "unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_quick_run_stays_under_three_minutes() -> None:
    assert estimated_seconds(QUICK, SCENARIOS, len(TARGETS)) < 180
    assert 600 < estimated_seconds(FULL, SCENARIOS, len(TARGETS)) < 2_400
    assert estimated_seconds(QUICK, ("unloaded",), 2) < estimated_seconds(QUICK, SCENARIOS, 2)
