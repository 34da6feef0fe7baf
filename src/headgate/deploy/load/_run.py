"""One load test from its first request to what was measured."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from headgate.core.clock import Clock
from headgate.deploy.load._drivers import Sleep, closed_loop, open_loop
from headgate.deploy.load._endpoint import Endpoint
from headgate.deploy.load._errors import TargetError
from headgate.deploy.load._load import Load
from headgate.deploy.load._measurement import Measurement, Samples
from headgate.deploy.load._prompts import Prompts
from headgate.deploy.load._sender import Outcome, Sender

Reason = Literal["duration", "requests", "interrupt"]


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint, and the key that is sent to it."""

    endpoint: Endpoint
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a test is: `phase` is `warm-up` or `measuring`, of which `elapsed` of `seconds` are over."""

    phase: Literal["warm-up", "measuring"]
    elapsed: float
    seconds: float
    answered: int
    errors: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a test takes from outside: clocks in seconds, chance, the environment's proxies, and a name for the run.

    `clock` tells what the requests' times are measured with, `processor` the processor time of this process.
    """

    clock: Clock
    processor: Clock
    sleep: Sleep
    random: Random
    environ: Mapping[str, str]
    run: str


async def run_load(
    load: Load,
    target: Target,
    direct: Target | None,
    surroundings: Surroundings,
    interrupt: asyncio.Event,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Measurement:
    """Put a load on `target` and return what was measured, also when `interrupt` is set in the middle of it.

    `direct` gets a double of every request at the same moment, to tell what the target adds. `on_progress` is called
    about once a second. Raises `TargetError` when a first request to either is not answered as it should be.
    """
    test = _Test(load, target, direct, surroundings, interrupt)
    try:
        await test.probe()
        return await test.run(on_progress)
    finally:
        await test.close()


class _Test:
    def __init__(
        self, load: Load, target: Target, direct: Target | None, surroundings: Surroundings, interrupt: asyncio.Event
    ) -> None:
        self._load = load
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._interrupt = interrupt
        prompts = Prompts(load, surroundings.run)
        self._targets = [target] if direct is None else [target, direct]
        self._senders = [
            Sender(one.endpoint, load, prompts, one.key, surroundings.environ, self._clock) for one in self._targets
        ]
        self._samples = Samples()
        self._ended = asyncio.Event()
        self._left = load.requests
        self._number = 0
        self._under_way = 0
        self._unfinished = 0
        self._unsent = 0
        self._reason: Reason = "duration"

    async def probe(self) -> None:
        """Ask once, before a thousand users do."""
        for target, sender in zip(self._targets, self._senders, strict=True):
            self._left -= 1
            outcome = await sender.ask(self._next(), self._clock())
            if outcome.error:
                hint = " Give a key with --key-env or --key-file." if outcome.error == "401" and not target.key else ""
                status = f" answers {outcome.error}" if outcome.error.isdigit() else ""
                raise TargetError(f"{target.endpoint}{status}: {outcome.sentence}{hint}")

    async def run(self, on_progress: Callable[[Progress], None]) -> Measurement:
        """Make the load."""
        load, processor = self._load, self._surroundings.processor
        driver = asyncio.ensure_future(self._driver())
        driver.add_done_callback(lambda _: self._ended.set())
        try:
            await self._pass("warm-up", load.uncounted, on_progress)
            used = processor()
            if not self._over:
                self._samples.begin(self._clock())
                await self._pass("measuring", load.duration, on_progress)
                self._samples.end(self._clock())
            used = processor() - used
            if self._interrupt.is_set():
                self._reason = "interrupt"
            self._ended.set()
            await self._drain(driver)
        finally:
            driver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await driver
        return self._samples.measurement(self._unfinished, self._unsent, self._reason, used)

    async def close(self) -> None:
        """Close every connection."""
        for sender in self._senders:
            await sender.close()

    async def _driver(self) -> int:
        load, around = self._load, self._surroundings
        if load.rate is None:
            await closed_loop(
                self._exchange,
                load.users,
                load.spawn_rate,
                load.think,
                random=around.random,
                clock=self._clock,
                sleep=around.sleep,
                ended=self._ended,
            )
            return 0
        return await open_loop(
            self._exchange,
            load.rate,
            load.users,
            refuse=self._refuse,
            clock=self._clock,
            sleep=around.sleep,
            ended=self._ended,
        )

    async def _exchange(self, begun: float) -> None:
        if self._left < len(self._senders):
            self._reason = "requests"
            self._ended.set()
            return
        self._left -= len(self._senders)
        number = self._next()
        self._under_way += 1
        try:
            outcomes = await self._ask(number, begun)
        finally:
            self._under_way -= 1
        self._samples.add(begun, self._clock(), *outcomes)

    async def _ask(self, number: int, begun: float) -> list[Outcome]:
        if len(self._senders) == 1:
            return [await self._senders[0].ask(number, begun)]
        # Whoever goes first has a little advantage: each does so every other time.
        order = self._senders if number % 2 else self._senders[::-1]
        outcomes = await asyncio.gather(*[sender.ask(number, begun) for sender in order])
        return outcomes if number % 2 else outcomes[::-1]

    def _refuse(self, begun: float) -> None:
        sentence = "More requests were waiting than a generator can hold: the target is far slower than the rate."
        self._samples.add(begun, self._clock(), Outcome(0.0, error="not sent", sentence=sentence))

    async def _pass(
        self, phase: Literal["warm-up", "measuring"], seconds: float, on_progress: Callable[[Progress], None]
    ) -> None:
        """Let a phase pass, or end it early where everything ends."""
        begun = self._clock()
        while not self._over and (elapsed := self._clock() - begun) < seconds:
            on_progress(Progress(phase, elapsed, seconds, self._samples.answered, len(self._samples.errors)))
            await self._wait(self._ended.wait(), min(1.0, seconds - elapsed))

    @property
    def _over(self) -> bool:
        return self._interrupt.is_set() or self._ended.is_set()

    async def _wait(self, awaited: Awaitable[Any], timeout: float | None = None) -> None:
        """Wait for something, no longer than `timeout` seconds, and not once told to stop."""
        futures = [asyncio.ensure_future(awaited), asyncio.ensure_future(self._interrupt.wait())]
        await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for future in futures:
            future.cancel()

    async def _drain(self, driver: asyncio.Future[int]) -> None:
        """Wait for the answers under way, which takes no longer than a timeout, unless told to stop."""
        await self._wait(asyncio.wait([driver]))
        if driver.done():
            self._unsent = driver.result()
        else:
            self._unfinished = self._under_way

    def _next(self) -> int:
        self._number += 1
        return self._number
