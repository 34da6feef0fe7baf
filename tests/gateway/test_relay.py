"""A stream on its way through: over a connection that is driven by hand, to an exchange that keeps what it is given."""

import asyncio

import pytest

from headgate.core.errors import UpstreamError
from headgate.core.usage import Usage
from headgate.gateway._relay import Relay
from headgate.transport.connection import Connection, Timeouts
from headgate.transport.exchange import Pausable
from headgate.transport.response import Response
from tests.doubles.transport import MemoryTransport
from tests.support import run

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Upper:
    """Translates to upper case; is complete after a full stop, and trips over a question mark or over no full stop."""

    usage: Usage | None = None
    failure: UpstreamError | None = None
    output_characters = 0
    complete = False

    def feed(self, data: bytes) -> bytes:
        if b"?" in data:
            raise LookupError("a bug in feed")
        self.complete = b"." in data
        return data.upper()

    def finish(self) -> bytes:
        if not self.complete:
            raise LookupError("a bug in finish")
        return b"!"


class Kept:
    """An exchange, as far as a relay uses one."""

    def __init__(self) -> None:
        self.sent = b""

    def begin(self, status: int, headers: bytes, source: Pausable | None) -> None:
        self.sent += headers

    def write(self, data: bytes) -> None:
        self.sent += data


class Wire:
    """A connection to an upstream with a request under way, and the relay of its answer."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.idle: list[Connection] = []
        self.closed: list[Connection] = []
        self.connection = Connection(loop, self.idle.append, self.closed.append)
        MemoryTransport(loop).attach(self.connection)
        self.exchange = Kept()
        self.response: Response

    async def open(self) -> Relay:
        """Send the request and let the head of its answer arrive."""
        self.response = self.connection.start(
            b"GET / HTTP/1.1\r\n\r\n", Timeouts(), lambda error: None, whole=False, size_limit=1_000
        )
        await asyncio.sleep(0)
        self.arrive(HEAD)
        return Relay(self.exchange, self.response, Upper())  # type: ignore[arg-type]

    def arrive(self, data: bytes) -> None:
        self.connection.data_received(data)


async def relayed(relay: Relay) -> None:
    await relay.wait_for_first(5)
    await relay.run(200, b"head:")


def test_a_body_that_ends_after_its_last_event_leaves_the_connection_usable() -> None:
    async def main() -> None:
        wire = Wire()
        relay = await wire.open()
        wire.arrive(chunk(b"hello."))
        await relayed(relay)
        wire.response.abort()
        assert (wire.exchange.sent, relay.failure) == (b"head:HELLO.!", None)
        assert wire.closed == []
        wire.arrive(LAST)
        assert wire.idle == [wire.connection]

    run(main())


@pytest.mark.parametrize("last", [b"what?", None], ids=["feed", "finish"])
@pytest.mark.parametrize("before", [b"", b"so "], ids=["first", "later"])
def test_a_bug_in_a_translator_is_raised_to_whoever_waits(before: bytes, last: bytes | None) -> None:
    async def main() -> None:
        wire = Wire()
        relay = await wire.open()
        waiting = asyncio.create_task(relayed(relay))
        await asyncio.sleep(0)
        if before:
            wire.arrive(chunk(before))
            # One turn for the future that the first event settles, one for the task that awaits it.
            for _ in range(2):
                await asyncio.sleep(0)
            assert wire.exchange.sent == b"head:SO "
        wire.arrive(LAST if last is None else chunk(last))
        with pytest.raises(LookupError, match="a bug in"):
            await waiting
        assert b"?" not in wire.exchange.sent

    run(main())


def test_a_bug_between_the_first_event_and_the_next_is_not_taken_for_the_end() -> None:
    async def main() -> None:
        wire = Wire()
        relay = await wire.open()
        waiting = asyncio.create_task(relayed(relay))
        await asyncio.sleep(0)
        wire.arrive(chunk(b"so "))
        wire.arrive(chunk(b"what?"))
        with pytest.raises(LookupError, match="a bug in feed"):
            await waiting
        assert wire.closed == [wire.connection]

    run(main())
