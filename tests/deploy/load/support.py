"""What the tests of load tests share."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any

from headgate.deploy.load import Load, Measurement, Progress, Surroundings, Target, parse_endpoint, run_load
from tests.support import run


def surroundings() -> Surroundings:
    """Return real clocks, and chance that is the same in every run."""
    return Surroundings(
        clock=time.perf_counter,
        processor=time.process_time,
        sleep=asyncio.sleep,
        random=Random(1),
        environ={},
        run="0badcafe",
    )


def target(url: str, key: str | None = None) -> Target:
    """Return a target of a test."""
    return Target(parse_endpoint(url, "--target"), key)


def short(model: str = "mock", **changes: Any) -> Load:
    """Return a load of a moment: four users without pause."""
    values = {"users": 4, "spawn_rate": 1000.0, "think": (0.0, 0.0), "warm_up": 0.0, "duration": 0.3, "timeout": 10.0}
    return Load(model, **{**values, "prompt_bytes": 200, **changes})


def measure(
    load: Load,
    to: Target,
    direct: Target | None = None,
    *,
    interrupt_at: Callable[[Progress], bool] = lambda progress: False,
) -> Measurement:
    """Make a test; it is interrupted when a progress says so."""

    async def main() -> Measurement:
        interrupt = asyncio.Event()

        def watch(progress: Progress) -> None:
            if interrupt_at(progress):
                asyncio.get_running_loop().call_later(0.1, interrupt.set)

        return await run_load(load, to, direct, surroundings(), interrupt, watch)

    return run(main())
