"""One upstream connection, driven without a socket where the order of events matters more than bytes."""

import asyncio

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.transport.connection import Connection, StaleConnectionError, Timeouts
from tests.doubles.transport import MemoryTransport
from tests.support import run

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Opened:
    """A connection, what became of it, and what its requests were told."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.events: list[str] = []
        self.told: list[Exception | None] = []
        self.connection = Connection(loop, lambda _: self.events.append("idle"), lambda _: self.events.append("closed"))
        self.transport = MemoryTransport(loop)
        self.transport.attach(self.connection)

    def start(self) -> None:
        self.connection.start(b"request", Timeouts(), self.told.append, whole=True, size_limit=1_000)


def test_bytes_on_an_idle_connection_close_it() -> None:
    async def main() -> None:
        opened = Opened()
        opened.connection.data_received(OK)
        assert (opened.events, opened.transport.is_closing()) == (["closed"], True)

    run(main())


def test_an_answer_that_was_there_before_the_request_is_not_its_answer() -> None:
    """Whoever it was for, the next request must not get it; that one is sent again over another connection."""

    async def main() -> None:
        opened = Opened()
        opened.start()
        await asyncio.sleep(0)
        opened.connection.data_received(OK)
        opened.start()
        opened.connection.data_received(OK)
        assert opened.events == ["idle", "closed"]
        assert opened.told[0] is None
        assert isinstance(opened.told[1], StaleConnectionError)
        await asyncio.sleep(0)
        assert opened.transport.written == b"request"

    run(main())


def test_an_upstream_that_speaks_first_is_an_error() -> None:
    async def main() -> None:
        opened = Opened()
        opened.start()
        opened.connection.data_received(OK)
        (error,) = opened.told
        assert isinstance(error, UpstreamError)
        assert error.category is Category.PROTOCOL
        assert opened.events == ["closed"]

    run(main())


@pytest.mark.parametrize("unsent", [0, 1])
def test_a_connection_is_used_again_only_when_the_whole_request_was_sent(unsent: int) -> None:
    async def main() -> None:
        opened = Opened()
        opened.start()
        await asyncio.sleep(0)
        opened.transport.unsent = unsent
        opened.connection.data_received(OK)
        assert opened.events == (["closed"] if unsent else ["idle"])

    run(main())
