"""What Headgate must reach, and whether a result reaches it. Every bound holds for one worker, within one run."""

import math
from typing import NamedTuple

from bench._results import Closed, Results
from bench.scenarios.closed import HEADLINE_CONNECTIONS

SOAK_MINUTES = 10.0
"""A shorter load says nothing about growth."""

VISIBLE_RISE_MIB = 1.0
"""A line whose slope is certain counts as growth when it rises by more than this over the load: less is the allocator's
own unrest."""

_OWN = "headgate"


class Goal(NamedTuple):
    """One line. `measured` and `met` are None where the result does not hold what the line needs."""

    subject: str
    bound: str
    measured: str | None
    met: bool | None


def headline(results: Results) -> dict[str, Closed]:
    """Return each target's row of the headline: unary, 32 connections, instant mock. Rows with errors do not count."""
    return {row.target: row for row in results.frontier if row.connections == HEADLINE_CONNECTIONS and not row.errors}


def ratios(results: Results) -> dict[str, float]:
    """Return what is comparable between machines: Headgate's throughput over each other target's."""
    unary = {name: row.requests_per_second for name, row in headline(results).items()}
    streams = {
        row.target: row.streams_per_second
        for row in results.stream_rate
        if not row.failed and not row.lost_deltas and row.upstream_requests >= row.streams
    }
    found = {}
    for kind, rates in (("unary", unary), ("streams", streams)):
        own = rates.get(_OWN)
        for name, rate in rates.items():
            if own is not None and name != _OWN and rate > 0:
                found[f"{kind}/{name}"] = round(own / rate, 3)
    return found


def goals(results: Results) -> list[Goal]:
    """Judge every line of the table."""
    return [*_throughput(results), *_latency(results), *_streaming(results), *_footprint(results), _growth(results)]


def _at_least(subject: str, bound: float, value: float | None, unit: str = "x") -> Goal:
    if value is None:
        return Goal(subject, f"at least {bound:g} {unit}", None, None)
    return Goal(subject, f"at least {bound:g} {unit}", f"{_floor(value):g} {unit}", value >= bound)


def _at_most(subject: str, bound: float, value: float | None, unit: str) -> Goal:
    if value is None:
        return Goal(subject, f"at most {bound:g} {unit}", None, None)
    return Goal(subject, f"at most {bound:g} {unit}", f"{value:g} {unit}", value <= bound)


def _floor(value: float) -> float:
    """Cut to two decimals, so that no figure is rounded up to its bound."""
    return math.floor(value * 100) / 100


def _throughput(results: Results) -> list[Goal]:
    found = ratios(results)
    lines = [("nginx as reverse proxy", "nginx", 0.5), ("LiteLLM 1.80.5", "litellm", 130.0)]
    table = [
        _at_least(f"unary, 32 connections, over {label}", bound, found.get(f"unary/{name}"))
        for label, name, bound in lines
    ]
    for label, name in (("TensorZero", "tensorzero"), ("Portkey", "portkey")):
        ratio = found.get(f"unary/{name}")
        measured = None if ratio is None else f"{_floor(ratio):g} x"
        met = None if ratio is None else ratio > 1
        table.append(Goal(f"unary, 32 connections, over {label}", "more than 1 x", measured, met))
    return table


def _latency(results: Results) -> list[Goal]:
    row = next((row for row in results.unloaded if row.target == _OWN), None)
    return [
        _at_most("added at one connection, p50", 0.25, row.added_p50_ms if row else None, "ms"),
        _at_most("added at one connection, p99", 1.0, row.added_p99_ms if row else None, "ms"),
    ]


def _streaming(results: Results) -> list[Goal]:
    over_direct = ratios(results).get("streams/direct")
    rows = [row for row in results.stream_hold if row.target == _OWN]
    whole = [row.concurrent for row in rows if not row.failed and not row.lost_deltas]
    held = max(whole, default=0) if rows else None
    return [
        _at_least("streams of 100 deltas a second, over direct", 0.4, over_direct),
        _at_least("concurrent streams of 64 deltas x 20 ms, no lost delta", 1_000, held, "streams"),
    ]


def _footprint(results: Results) -> list[Goal]:
    row = next((row for row in results.footprint if row.target == _OWN), None)
    return [
        _at_most("idle RSS", 90, row.idle_rss_mib if row else None, "MiB"),
        _at_most("cold start to first answer", 1.5, row.cold_start_seconds if row else None, "s"),
        _at_most("base install size", 160, row.install_mib if row else None, "MiB"),
    ]


def _growth(results: Results) -> Goal:
    subject, bound = "RSS growth over ten minutes of load", "none that a straight line can see"
    row = next((row for row in results.growth if row.target == _OWN), None)
    if row is None or row.minutes < SOAK_MINUTES or row.errors:
        return Goal(subject, bound, None, None)
    rise = row.slope_mib_per_minute * row.minutes
    seen = row.slope_mib_per_minute > row.slope_error and rise > VISIBLE_RISE_MIB
    measured = f"{row.slope_mib_per_minute:+.3f} ± {row.slope_error:.3f} MiB/min"
    return Goal(subject, bound, measured, not seen)


P99_BOUNDS_MS = (1.0, 5.0, 10.0, 50.0, 100.0)


def best_within(rows: list[Closed], target: str, p99_ms: float = math.inf) -> float | None:
    """Return a target's highest throughput with a 99th percentile within the bound, or None."""
    fitting = [row for row in rows if row.target == target and not row.errors and row.p99_ms <= p99_ms]
    return max((row.requests_per_second for row in fitting), default=None)
