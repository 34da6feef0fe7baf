"""How much is measured: a quick look or the whole comparison. Both end by themselves."""

from typing import NamedTuple

from bench._behaviors import ANSWER_1K, ANSWER_10K, Behavior

KIB = 1_024


class Plan(NamedTuple):
    """The sizes of every scenario. `seconds` are per target and step."""

    profile: str
    unloaded_rounds: int
    unloaded_samples: int
    frontier_connections: tuple[int, ...]
    frontier_seconds: float
    open_rates: tuple[int, ...]
    open_seconds: float
    payloads: tuple[tuple[int, Behavior], ...]
    payload_seconds: float
    stream_rate_seconds: float
    stream_concurrent: tuple[int, ...]
    stream_hold_seconds: float
    footprint_seconds: float
    soak_minutes: float = 0.0


QUICK = Plan(
    profile="quick",
    unloaded_rounds=7,
    unloaded_samples=25,
    frontier_connections=(1, 32),
    frontier_seconds=2,
    open_rates=(100, 500),
    open_seconds=2,
    payloads=((50 * KIB, ANSWER_1K), (200, ANSWER_10K)),
    payload_seconds=1,
    stream_rate_seconds=2,
    stream_concurrent=(1_000,),
    stream_hold_seconds=2,
    footprint_seconds=2,
)

FULL = Plan(
    profile="full",
    unloaded_rounds=7,
    unloaded_samples=286,
    frontier_connections=(1, 2, 4, 8, 16, 32, 64, 128),
    frontier_seconds=10,
    open_rates=(100, 300, 500, 1_000),
    open_seconds=10,
    payloads=tuple((size, out) for out in (ANSWER_1K, ANSWER_10K) for size in (200, 10 * KIB, 50 * KIB, 400 * KIB)),
    payload_seconds=5,
    stream_rate_seconds=10,
    stream_concurrent=(1, 32, 128, 512, 1_000),
    stream_hold_seconds=5,
    footprint_seconds=10,
)

SCENARIOS = ("unloaded", "frontier", "payloads", "footprint", "open_loop", "streaming")
"""Their names, in the order in which they run: the quiet one first, those that overload slow targets last."""


def estimated_seconds(plan: Plan, scenarios: tuple[str, ...], targets: int) -> float:
    """Return about how long a run takes: the measured time, and what starting, settling and slow targets add."""
    each = {
        "unloaded": plan.unloaded_rounds * plan.unloaded_samples * 0.002,
        "frontier": len(plan.frontier_connections) * (plan.frontier_seconds + 0.3),
        "payloads": len(plan.payloads) * (plan.payload_seconds + 0.3),
        "open_loop": len(plan.open_rates) * (plan.open_seconds + 1.0),
        "streaming": plan.stream_rate_seconds + len(plan.stream_concurrent) * (plan.stream_hold_seconds + 3.5),
        "footprint": plan.footprint_seconds + 2.0,
    }
    soak = plan.soak_minutes * 60 * 1.1
    return targets * (2.0 + sum(each[name] for name in scenarios)) + soak
