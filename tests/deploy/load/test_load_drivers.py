"""Who asks when, on a clock that stands still unless somebody sleeps."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from headgate.deploy.load import _drivers
from headgate.deploy.load._drivers import closed_loop, open_loop
from tests.support import run


class Time:
    """A clock that sleeping moves on. `stalls` are moments at which a sleep takes so many seconds longer."""

    def __init__(self, until: float, stalls: dict[float, float] | None = None) -> None:
        self.now = 0.0
        self.ended = asyncio.Event()
        self._until = until
        self._stalls = stalls or {}

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        # Whoever was started before does its part before time goes on.
        await asyncio.sleep(0)
        self.now += seconds
        for moment in [moment for moment in self._stalls if moment <= self.now]:
            self.now += self._stalls.pop(moment)
        if self.now >= self._until - 1e-9:
            self.ended.set()


def _open(
    time: Time,
    rate: float,
    exchange: Callable[[float], object] | None = None,
    *,
    limit: int = 10,
    refuse: Callable[[float], None] = lambda begun: None,
) -> tuple[list[tuple[float, float]], int]:
    """Return the intended and the actual start of every request, and how many were not sent."""
    sent: list[tuple[float, float]] = []

    async def record(begun: float) -> None:
        sent.append((begun, time.now))
        if exchange is not None:
            result = exchange(begun)
            if asyncio.isfuture(result):
                await result

    async def main() -> int:
        return await open_loop(record, rate, limit, refuse=refuse, clock=time.clock, sleep=time.sleep, ended=time.ended)

    unsent = run(main())
    return sent, unsent


def test_requests_leave_at_a_fixed_rate() -> None:
    sent, unsent = _open(Time(until=1.0), rate=100)
    assert [begun for begun, _ in sent] == pytest.approx([number / 100 for number in range(100)])
    assert unsent == 0


def test_a_stall_is_charged_to_every_request_that_was_due_in_it() -> None:
    # Half a second in which nobody gets a turn: fifty requests leave late, and their time runs from when they were due.
    sent, _ = _open(Time(until=2.0, stalls={0.5: 0.5}), rate=100)
    assert [begun for begun, _ in sent] == pytest.approx([number / 100 for number in range(200)])
    late = [left - begun for begun, left in sent if left - begun > 0.005]
    assert len(late) == 50
    assert max(late) == pytest.approx(0.5, abs=0.02)
    assert sum(late) == pytest.approx(50 * 0.25, rel=0.05)


def test_a_timer_that_is_a_little_late_is_not_the_target_s_fault() -> None:
    sent, _ = _open(Time(until=0.1, stalls={0.05: 0.001}), rate=100)
    assert all(begun == left for begun, left in sent)


def test_requests_do_not_wait_for_those_before() -> None:
    time = Time(until=1.0)
    answers: list[asyncio.Future[None]] = []

    def hold(begun: float) -> asyncio.Future[None]:
        answers.append(asyncio.get_running_loop().create_future())
        if len(answers) == 20:
            asyncio.get_running_loop().call_soon(_settle, answers)
        return answers[-1]

    sent, _ = _open(time, rate=20, exchange=hold)
    assert [left for _, left in sent] == pytest.approx([number / 20 for number in range(20)])


def test_no_more_wait_than_can_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drivers, "QUEUE_LIMIT", 5)
    time = Time(until=1.0)
    refused: list[float] = []
    released: list[asyncio.Future[None]] = []

    def hold(begun: float) -> asyncio.Future[None]:
        released.append(asyncio.get_running_loop().create_future())
        return released[-1]

    def refuse(begun: float) -> None:
        refused.append(begun)
        if len(refused) == 13:
            _settle(released)

    sent, unsent = _open(time, rate=20, exchange=hold, limit=2, refuse=refuse)
    assert (len(sent), len(refused), unsent) == (7, 13, 0)


def test_what_was_due_at_the_end_and_not_sent_is_counted() -> None:
    _, unsent = _open(Time(until=1.0, stalls={0.5: 0.5}), rate=100)
    # What the generator is late with by less than a slice may still be on its way.
    assert unsent == 45


def _settle(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


def _broken(begun: float) -> None:
    raise ZeroDivisionError


def test_what_breaks_in_a_request_ends_the_test() -> None:
    with pytest.raises(ZeroDivisionError):
        _open(Time(until=1000.0), rate=100, exchange=_broken)


def _closed(time: Time, users: int, exchange: Callable[[float], object], think: tuple[float, float]) -> None:
    async def ask(begun: float) -> None:
        result = exchange(begun)
        if asyncio.isfuture(result):
            await result

    async def main() -> None:
        await closed_loop(
            ask, users, 500.0, think, random=Random(1), clock=time.clock, sleep=time.sleep, ended=time.ended
        )

    run(main())


def test_users_come_one_after_the_other_and_each_waits_for_its_answer() -> None:
    time = Time(until=1000.0)
    begun: list[float] = []
    answers: list[asyncio.Future[None]] = []

    def hold(at: float) -> asyncio.Future[None]:
        begun.append(at)
        answers.append(asyncio.get_running_loop().create_future())
        if len(begun) == 10:
            # Nobody asked twice while the first question was open.
            time.ended.set()
            asyncio.get_running_loop().call_soon(_settle, answers)
        return answers[-1]

    _closed(time, 10, hold, (0.0, 0.0))
    assert begun == pytest.approx([number / 500 for number in range(10)])


def test_a_user_thinks_between_two_questions() -> None:
    time = Time(until=100.0)
    begun: list[float] = []
    _closed(time, 1, begun.append, (0.5, 1.0))
    waits = [later - earlier for earlier, later in pairwise(begun)]
    assert len(waits) > 100
    assert all(0.5 <= wait <= 1.0 for wait in waits)
    assert max(waits) - min(waits) > 0.4


def test_who_thinks_at_the_end_is_not_waited_for() -> None:
    async def main() -> int:
        ended = asyncio.Event()
        asked = 0

        async def ask(begun: float) -> None:
            nonlocal asked
            asked += 1
            if asked == 3:
                ended.set()

        loop = asyncio.get_running_loop()
        await closed_loop(
            ask, 3, 20_000.0, (600, 600), random=Random(1), clock=loop.time, sleep=asyncio.sleep, ended=ended
        )
        return asked

    assert run(main()) == 3


def test_what_breaks_with_a_user_ends_the_test() -> None:
    with pytest.raises(ZeroDivisionError):
        _closed(Time(until=1000.0), 3, _broken, (0.5, 1.0))
