"""One connection, one request at a time: what a gateway adds when nothing else goes on.

In every iteration each target gets one request, in random order, and is compared with the direct request of the same
iteration, so that what disturbs the machine disturbs both. Method: cuihuan/llm-gateway-bench (7 rounds of 25 requests
after 15 for warming up).
"""

import contextlib
import random
from collections.abc import Callable, Sequence

from bench._behaviors import INSTANT
from bench._client import Connection, timed
from bench._plan import Plan
from bench._results import Unloaded
from bench._rig import Rig
from bench._statistics import paired, percentile

WARM_UP = 15

_Probe = Callable[[], float]
"""Makes one request and returns its milliseconds."""


def measure(rig: Rig, plan: Plan) -> list[Unloaded]:
    """Measure every running target.

    Raises `RuntimeError` when there is no direct target to compare with, and what the client raises when a target
    stops answering.
    """
    if not any(running.name == "direct" for running in rig.running):
        raise RuntimeError("the unloaded comparison needs the target 'direct'")
    with contextlib.ExitStack() as connections:
        probes = {
            running.name: _probe(running.request(INSTANT).port, running.request(INSTANT).encode(), connections)
            for running in rig.running
        }
        for _ in range(WARM_UP):
            for probe in probes.values():
                probe()
        rounds = [
            interleaved(probes, plan.unloaded_samples, random.Random(seed)) for seed in range(plan.unloaded_rounds)
        ]
    return [summarize(name, rounds) for name in probes]


def _probe(port: int, request: bytes, connections: contextlib.ExitStack) -> _Probe:
    connection = connections.enter_context(Connection(port))
    return lambda: timed(connection, request)


def interleaved(probes: dict[str, _Probe], samples: int, chance: random.Random) -> list[dict[str, float]]:
    """Probe every target `samples` times; one entry for each iteration, in which the order is random."""
    order = list(probes)
    iterations = []
    for _ in range(samples):
        chance.shuffle(order)
        iterations.append({name: probes[name]() for name in order})
    return iterations


def summarize(name: str, rounds: Sequence[Sequence[dict[str, float]]]) -> Unloaded:
    """Compare one target with the direct requests beside it."""
    own = [iteration[name] for one_round in rounds for iteration in one_round]
    pairs = [[(iteration["direct"], iteration[name]) for iteration in one_round] for one_round in rounds]
    added = paired(pairs)
    return Unloaded(
        target=name,
        samples=len(own),
        p50_ms=round(percentile(own, 50), 4),
        p99_ms=round(percentile(own, 99), 4),
        added_p50_ms=round(added.added_p50, 4),
        added_p99_ms=round(added.added_p99, 4),
        added_round_medians_ms=[round(median, 4) for median in added.round_medians],
    )
