"""Streams: how many in a second, and how many at the same time without losing a delta."""

from collections.abc import Sequence

import uvloop

from bench._behaviors import STREAM_FAST, STREAM_PACED, Behavior
from bench._load import Outcome, streams
from bench._plan import Plan
from bench._results import StreamHold, StreamRate
from bench._rig import Rig
from bench._statistics import percentile

RATE_CONNECTIONS = 32
GRACE_SECONDS = 3.0
"""How long a stream may still take when the time of its scenario is over."""


def rate(rig: Rig, plan: Plan) -> list[StreamRate]:
    """Measure how many streams of 100 deltas each target carries in a second, the mock writing as fast as it can."""
    rows = []
    for running in rig.running:
        running.settle()
        before = rig.mock_requests()
        outcomes = uvloop.run(
            streams(
                running.request(STREAM_FAST),
                RATE_CONNECTIONS,
                plan.stream_rate_seconds,
                spread=0.0,
                grace=GRACE_SECONDS,
            )
        )
        rows.append(summarize_rate(running.name, outcomes, rig.mock_requests() - before))
    return rows


def hold(rig: Rig, plan: Plan) -> list[StreamHold]:
    """Measure streams of 64 deltas, 20 ms apart, held by each target; one that lost a delta is asked for no more."""
    rows = []
    beaten: set[str] = set()
    length = STREAM_PACED.deltas * STREAM_PACED.interval_seconds
    for concurrent in plan.stream_concurrent:
        for running in rig.running:
            if running.name in beaten:
                continue
            running.settle()
            request = running.request(STREAM_PACED)
            # Spread over a stream's length, so that not all deltas come in the same millisecond.
            seconds = plan.stream_hold_seconds
            outcomes = uvloop.run(streams(request, concurrent, seconds, spread=length, grace=length + GRACE_SECONDS))
            row = summarize_hold(running.name, concurrent, seconds, outcomes)
            if row.failed or row.lost_deltas:
                beaten.add(running.name)
            rows.append(row)
    return rows


def summarize_rate(target: str, outcomes: Sequence[Outcome], upstream_requests: int) -> StreamRate:
    """Count the whole streams over the time from the first request to the last answer."""
    failed, lost = _losses(STREAM_FAST, outcomes)
    whole = len(outcomes) - failed
    elapsed = max((outcome.finished for outcome in outcomes), default=0.0) - min(outcome.sent for outcome in outcomes)
    return StreamRate(
        target=target,
        connections=RATE_CONNECTIONS,
        seconds=round(elapsed, 3),
        deltas=STREAM_FAST.deltas,
        streams=whole,
        failed=failed,
        lost_deltas=lost,
        upstream_requests=upstream_requests,
        streams_per_second=round(whole / elapsed, 1) if elapsed > 0 else 0.0,
    )


def summarize_hold(target: str, concurrent: int, seconds: float, outcomes: Sequence[Outcome]) -> StreamHold:
    """Count whole streams and lost deltas, and take the percentiles of first deltas and gaps."""
    failed, lost = _losses(STREAM_PACED, outcomes)
    first = [(outcome.first_delta - outcome.sent) * 1e3 for outcome in outcomes if outcome.deltas]
    gaps = [gap * 1e3 for outcome in outcomes for gap in outcome.gaps]
    return StreamHold(
        target=target,
        concurrent=concurrent,
        seconds=seconds,
        deltas=STREAM_PACED.deltas,
        streams=len(outcomes) - failed,
        failed=failed,
        lost_deltas=lost,
        first_token_p50_ms=round(percentile(first, 50), 3) if first else None,
        first_token_p99_ms=round(percentile(first, 99), 3) if first else None,
        gap_p50_ms=round(percentile(gaps, 50), 3) if gaps else None,
        gap_p99_ms=round(percentile(gaps, 99), 3) if gaps else None,
    )


def _losses(behavior: Behavior, outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """Return how many streams did not end as they should, and how many deltas are missing (or too many) in all."""
    failed = sum(outcome.status != 200 or not outcome.done for outcome in outcomes)
    lost = sum(abs(behavior.deltas - outcome.deltas) for outcome in outcomes)
    return failed, lost
