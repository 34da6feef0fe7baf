"""Who asks when: users who wait for their answers, or requests at a fixed rate."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from random import Random

from headgate.core.clock import Clock

Exchange = Callable[[float], Awaitable[None]]
"""Makes one request, whose time runs from the given moment."""
Sleep = Callable[[float], Awaitable[None]]

TIMER_SECONDS = 0.002
"""How late a timer may be by itself: the event loop counts milliseconds. Time then runs from when a request left."""
SLICE_SECONDS = 0.05
"""How long the end goes unnoticed, at most; a generator that is later than this with a request is behind."""
QUEUE_LIMIT = 10_000
"""Requests that wait for a connection, at most; those that come on top are not sent."""


async def closed_loop(
    exchange: Exchange,
    users: int,
    spawn_rate: float,
    think: tuple[float, float],
    *,
    random: Random,
    clock: Clock,
    sleep: Sleep,
    ended: asyncio.Event,
) -> None:
    """Let `users` ask one request after the other until the end, then wait for the answers under way."""
    resting: set[asyncio.Task[None]] = set()

    async def user() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in one
        while not ended.is_set():
            await exchange(clock())
            seconds = random.uniform(*think)
            if seconds and not ended.is_set():
                resting.add(task)
                await sleep(seconds)
                resting.discard(task)

    tasks: list[asyncio.Task[None]] = []
    begun = clock()
    try:
        for number in range(users):
            await _until(begun + number / spawn_rate, clock, sleep, ended)
            if ended.is_set():
                break
            tasks.append(asyncio.create_task(user()))
            tasks[-1].add_done_callback(lambda task: _end_at_failure(task, ended))
        await ended.wait()
        for task in resting:
            task.cancel()
        await _finish(tasks)
    finally:
        await _cancel(tasks)


async def open_loop(
    exchange: Exchange,
    rate: float,
    limit: int,
    *,
    refuse: Callable[[float], None],
    clock: Clock,
    sleep: Sleep,
    ended: asyncio.Event,
) -> int:
    """Send `rate` requests a second until the end, then wait for the answers under way.

    Each leaves at its moment whatever the ones before it do, and its time runs from then: a target that stops for a
    while is charged with all that should have been sent meanwhile. `limit` requests are under way at most; `refuse` is
    told of any more. Returns how many were due before the end and not sent, because this machine was too slow.
    """
    under_way: set[asyncio.Task[None]] = set()
    failed: list[asyncio.Task[None]] = []

    def over(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if _end_at_failure(task, ended):
            failed.append(task)

    begun = clock()
    number = 0
    try:
        while True:
            due = begun + number / rate
            await _until(due, clock, sleep, ended)
            now = clock()
            if ended.is_set():
                break
            intended = now if now - due <= TIMER_SECONDS else due
            number += 1
            if len(under_way) >= limit + QUEUE_LIMIT:
                refuse(intended)
                continue
            task = asyncio.ensure_future(exchange(intended))
            under_way.add(task)
            task.add_done_callback(over)
        await _finish([*under_way, *failed])
    finally:
        await _cancel(under_way)
    return max(0, math.ceil((now - SLICE_SECONDS - begun) * rate) - number)


async def _until(moment: float, clock: Clock, sleep: Sleep, ended: asyncio.Event) -> None:
    """Wait until a moment or the end; let others run in any case."""
    left = moment - clock()
    while left > 0 and not ended.is_set():
        await sleep(min(left, SLICE_SECONDS))
        left = moment - clock()
    await asyncio.sleep(0)


def _end_at_failure(task: asyncio.Task[None], ended: asyncio.Event) -> bool:
    """End everything where a task broke, which no answer of a target can make it do."""
    broken = not task.cancelled() and task.exception() is not None
    if broken:
        ended.set()
    return broken


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _finish(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for tasks to end; raise what went wrong in any of them but their being cancelled."""
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
