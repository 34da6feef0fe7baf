"""Credentials are fetched once for all who wait; what is wrong with one is of no consequence for another."""

import asyncio
import logging
import threading

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.gateway._credentials import Refresher
from headgate.transport.client import Client
from headgate.transport.dialer import Dialer
from tests.support import run


class Kept:
    """Credentials that count how often they were refreshed."""

    available = True

    def __init__(self, *, due: bool = True, error: Exception | None = None) -> None:
        self.refresh_due = due
        self.refreshed = 0
        self._error = error

    def refresh(self) -> None:
        self.refreshed += 1
        if self._error is not None:
            raise self._error


class Held(Kept):
    """Credentials that come when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()

    def refresh(self) -> None:
        self.asked.set()
        assert self.go_on.wait(10)
        super().refresh()


def refusal() -> UpstreamError:
    return UpstreamError("No role.", category=Category.AUTHENTICATION, status=401)


def test_only_what_is_due_is_refreshed() -> None:
    due, fresh = Kept(), Kept(due=False)

    async def main() -> None:
        await Refresher(Client(Dialer())).refresh_due([due, fresh])

    run(main())
    assert (due.refreshed, fresh.refreshed) == (1, 0)


@pytest.mark.parametrize("error", [refusal(), TypeError("a bug in a library")], ids=["expected", "unexpected"])
def test_a_failure_is_logged_and_the_others_follow(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    second = Kept()

    async def main() -> None:
        await Refresher(Client(Dialer())).refresh_due([Kept(error=error), second])

    with caplog.at_level(logging.WARNING, "headgate.gateway"):
        run(main())
    assert second.refreshed == 1
    assert "credentials could not be refreshed" in caplog.text


def test_all_who_wait_get_what_was_fetched_once() -> None:
    async def main() -> None:
        refresher, held = Refresher(Client(Dialer())), Held()
        waiting = [asyncio.create_task(refresher.refresh(held)) for _ in range(50)]
        await asyncio.to_thread(held.asked.wait)
        held.go_on.set()
        await asyncio.gather(*waiting)
        assert held.refreshed == 1
        await refresher.refresh(held)
        assert held.refreshed == 2

    run(main())


def test_who_stops_waiting_does_not_stop_the_others() -> None:
    async def main() -> None:
        refresher, held = Refresher(Client(Dialer())), Held()
        first, second = (asyncio.create_task(refresher.refresh(held)) for _ in range(2))
        await asyncio.to_thread(held.asked.wait)
        first.cancel()
        held.go_on.set()
        await second
        assert first.cancelled()

    run(main())


def test_all_who_wait_hear_of_a_failure() -> None:
    async def main() -> None:
        refresher, refused = Refresher(Client(Dialer())), Kept(error=refusal())
        outcomes = await asyncio.gather(*[refresher.refresh(refused) for _ in range(3)], return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["No role."] * 3
        assert refused.refreshed == 1

    run(main())


def test_the_end_ends_every_wait() -> None:
    async def main() -> None:
        refresher, held = Refresher(Client(Dialer())), Held()
        waiting = asyncio.create_task(refresher.refresh(held))
        await asyncio.to_thread(held.asked.wait)
        await refresher.close()
        held.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(main())
