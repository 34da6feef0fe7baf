"""Asyncio load: requests at a fixed rate, and streams whose deltas are counted and timed."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Self, cast

import httptools

from bench._behaviors import DELTA
from bench._client import Request

_DONE = b"[DONE]"


class Outcome:
    """What became of one request. Times are seconds of `time.perf_counter`; deltas count only when they are watched."""

    __slots__ = ("deltas", "done", "finished", "first_delta", "gaps", "sent", "status")

    def __init__(self, sent: float) -> None:
        self.sent = sent
        self.finished = 0.0
        self.status = 0
        self.deltas = 0
        self.first_delta = 0.0
        self.done = False
        self.gaps: list[float] = []


class LoadConnection(asyncio.Protocol):
    """A keep-alive connection that sends one request at a time.

    `finish` gets each outcome: `status` is 0 when the connection broke before the answer was complete. A delta's gap is
    the time since the delta before it, 0 for those that came in one piece.
    """

    def __init__(self, *, watch: bool) -> None:
        self._watch = watch
        self._parser = httptools.HttpResponseParser(self)
        self._outcome: Outcome | None = None
        self._finish: Callable[[LoadConnection, Outcome], None] | None = None
        self._now = 0.0
        self._last_delta = 0.0
        self._rest = b""
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and switch Nagle's algorithm off."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes, due: float, finish: "Callable[[LoadConnection, Outcome], None]") -> None:
        """Send a request whose latency counts from `due`."""
        self._outcome = Outcome(due)
        self._finish = finish
        self._rest = b""
        self._transport.write(request)

    def abort(self) -> None:
        """Close at once; a request under way ends with status 0."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; an answer that is no HTTP breaks the connection."""
        self._now = time.perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish a request that was under way as failed."""
        self.closed = True
        outcome = self._outcome
        if outcome is not None:
            outcome.status = 0
            self._complete(outcome)

    def on_body(self, body: bytes) -> None:
        """Count the deltas, also one that is split between two pieces."""
        outcome = self._outcome
        if outcome is None or not self._watch:
            return
        data = self._rest + body
        count = data.count(DELTA)
        if count:
            now = self._now
            if outcome.deltas:
                outcome.gaps.append(now - self._last_delta)
            else:
                outcome.first_delta = now
            outcome.gaps.extend([0.0] * (count - 1))
            outcome.deltas += count
            self._last_delta = now
        if _DONE in data:
            outcome.done = True
        # One byte less than the mark, so that none is counted twice.
        self._rest = data[1 - len(DELTA) :]

    def on_message_complete(self) -> None:
        """Finish the request, and let go of a connection that the server will close."""
        outcome = self._outcome
        if outcome is not None:
            outcome.status = self._parser.get_status_code()
            if not self._parser.should_keep_alive():
                self.closed = True
                self._transport.close()
            self._complete(outcome)

    def _complete(self, outcome: Outcome) -> None:
        outcome.finished = time.perf_counter()
        finish, self._finish, self._outcome = self._finish, None, None
        if finish is not None:
            finish(self, outcome)


class Pool:
    """Connections to one target, opened as they are needed, `maximum` at most. An async context manager."""

    def __init__(self, port: int, maximum: int, *, watch: bool) -> None:
        self._port = port
        self._watch = watch
        self._slots = asyncio.Semaphore(maximum)
        self._idle: list[LoadConnection] = []
        self._all: set[LoadConnection] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._all:
            connection.abort()
        await asyncio.sleep(0)

    async def exchange(self, request: bytes, due: float, timeout: float) -> Outcome:
        """Send one request and wait for its end, at most until `timeout` seconds after it was due.

        Raises `TimeoutError` (the connection is then closed) and `OSError` when no connection can be made.
        """
        async with asyncio.timeout(due + timeout - time.perf_counter()), self._slots:
            connection = await self._connection()
            future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

            def finish(_: LoadConnection, outcome: Outcome) -> None:
                if not future.done():
                    future.set_result(outcome)

            connection.send(request, due, finish)
            try:
                outcome = await future
            except asyncio.CancelledError:
                connection.abort()
                self._all.discard(connection)
                raise
            if connection.closed:
                self._all.discard(connection)
            else:
                self._idle.append(connection)
            return outcome

    async def _connection(self) -> LoadConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
            self._all.discard(connection)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: LoadConnection(watch=self._watch), "127.0.0.1", self._port)
        self._all.add(connection)
        return connection


async def at_fixed_rate(request: Request, rate: int, seconds: float, timeout: float) -> list[Outcome | None]:
    """Send `rate` requests a second for `seconds`, each at its moment whatever the ones before it do.

    Returns one entry for each request that was due, None for those that were not answered within `timeout` seconds.
    """
    encoded = request.encode()
    async with Pool(request.port, 1024, watch=False) as pool:

        async def one(due: float) -> Outcome | None:
            try:
                return await pool.exchange(encoded, due, timeout)
            except (TimeoutError, OSError):
                return None

        start = time.perf_counter() + 0.05
        tasks = []
        for index in range(round(rate * seconds)):
            due = start + index / rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(one(due)))
        return list(await asyncio.gather(*tasks))


async def streams(request: Request, concurrent: int, seconds: float, *, spread: float, grace: float) -> list[Outcome]:
    """Hold `concurrent` streams for `seconds`, on each connection one after the other.

    The connections start `spread` seconds apart from first to last. What is still under way `grace` seconds after the
    end is broken off and ends with status 0, as does a connection that cannot be made.
    """
    encoded = request.encode()
    outcomes: list[Outcome] = []
    start = time.perf_counter()
    end = start + spread + seconds
    async with Pool(request.port, concurrent, watch=True) as pool:

        async def hold(index: int) -> None:
            await asyncio.sleep(spread * index / concurrent)
            while (now := time.perf_counter()) < end:
                try:
                    outcome = await pool.exchange(encoded, now, end + grace - now)
                except (TimeoutError, OSError):
                    outcomes.append(Outcome(now))
                    return
                outcomes.append(outcome)
                if outcome.status == 0:
                    return

        await asyncio.gather(*[hold(index) for index in range(concurrent)])
    return outcomes
