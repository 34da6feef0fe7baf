"""Fixed rates against an upstream that takes 60 ms: what users feel when requests come whether or not there is room.

A request's latency counts from the moment at which it was due, so that a gateway that falls behind cannot hide it
(coordinated omission).
"""

import uvloop

from bench._behaviors import DELAYED
from bench._load import Outcome, at_fixed_rate
from bench._plan import Plan
from bench._results import Open
from bench._rig import Rig
from bench._statistics import percentile

TIMEOUT_SECONDS = 1.0
"""As in TensorZero's load test (`vegeta -timeout 1s`)."""


def measure(rig: Rig, plan: Plan) -> list[Open]:
    """Measure every target at each rate; one that could not keep up with a rate is not asked for a higher one."""
    rows = []
    beaten: set[str] = set()
    for rate in plan.open_rates:
        for running in rig.running:
            if running.name in beaten:
                continue
            running.settle()
            request = running.request(DELAYED)
            outcomes = uvloop.run(at_fixed_rate(request, rate, plan.open_seconds, TIMEOUT_SECONDS))
            row = summarize(running.name, rate, plan.open_seconds, outcomes)
            if row.timeouts > row.due / 2:
                beaten.add(running.name)
            rows.append(row)
    return rows


def summarize(target: str, rate: int, seconds: float, outcomes: list[Outcome | None]) -> Open:
    """Count the outcomes; None is a request that was not answered in time."""
    answered = [outcome for outcome in outcomes if outcome is not None and outcome.status == 200]
    timeouts = sum(outcome is None for outcome in outcomes)
    latencies = [(outcome.finished - outcome.sent) * 1e3 for outcome in answered]
    return Open(
        target=target,
        rate=rate,
        seconds=seconds,
        due=len(outcomes),
        answered=len(answered),
        errors=len(outcomes) - len(answered) - timeouts,
        timeouts=timeouts,
        p50_ms=round(percentile(latencies, 50), 3) if latencies else None,
        p99_ms=round(percentile(latencies, 99), 3) if latencies else None,
    )
