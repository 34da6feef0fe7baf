"""Closed loops with wrk: the throughput frontier over the number of connections, and payload sizes at the headline."""

from collections.abc import Sequence

from bench import _wrk
from bench._behaviors import INSTANT, Behavior
from bench._plan import Plan
from bench._results import Closed, Skipped
from bench._rig import SMALL_BODY, Rig, Running

HEADLINE_CONNECTIONS = 32
"""The number of connections at which targets are compared in one figure."""


def frontier(rig: Rig, plan: Plan) -> list[Closed]:
    """Measure the throughput of every target at each number of connections, the targets one after the other.

    Raises `RuntimeError` when wrk is not installed.
    """
    steps = [(INSTANT, SMALL_BODY, connections) for connections in plan.frontier_connections]
    return _sweep(rig, "frontier", steps, plan.frontier_seconds)


def payloads(rig: Rig, plan: Plan) -> list[Closed]:
    """Measure every target with each size of question and answer.

    Raises `RuntimeError` when wrk is not installed.
    """
    steps = [(behavior, size, HEADLINE_CONNECTIONS) for size, behavior in plan.payloads]
    return _sweep(rig, "payloads", steps, plan.payload_seconds)


def _sweep(rig: Rig, scenario: str, steps: Sequence[tuple[Behavior, int, int]], seconds: float) -> list[Closed]:
    """Measure every target in every step; one that wrk cannot reach is noted and asked for no more."""
    if not _wrk.available():
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    rows = []
    lost: set[str] = set()
    for behavior, size, connections in steps:
        for running in rig.running:
            if running.name in lost:
                continue
            try:
                rows.append(_measure(rig, running, behavior, size, connections, seconds))
            except RuntimeError as error:
                lost.add(running.name)
                rig.skipped.append(
                    Skipped(f"{scenario} of {running.name} from {connections} connections on", str(error))
                )
    return rows


def _measure(rig: Rig, running: Running, behavior: Behavior, size: int, connections: int, seconds: float) -> Closed:
    running.settle()
    child = running.child
    before = child.cpu_seconds() if child else 0.0
    seen = _wrk.load(running.request(behavior, size), connections, seconds, rig.directory)
    spent = child.cpu_seconds() - before if child else None
    return Closed(
        target=running.name,
        connections=connections,
        request_bytes=size,
        answer_bytes=behavior.answer_bytes,
        seconds=round(seen.duration_us / 1e6, 3),
        requests=seen.requests,
        errors=seen.errors,
        requests_per_second=round(seen.requests_per_second, 1),
        p50_ms=round(seen.p50_us / 1e3, 3),
        p90_ms=round(seen.p90_us / 1e3, 3),
        p99_ms=round(seen.p99_us / 1e3, 3),
        max_ms=round(seen.max_us / 1e3, 3),
        cpu_us_per_request=round(spent * 1e6 / seen.requests, 1) if spent is not None and seen.requests else None,
    )
