"""The upstream client: a bounded pool of connections per origin, deadlines, and one safe retry of stale ones."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from headgate.core.provider import Origin, UpstreamRequest
from headgate.transport.connection import Connection, StaleConnectionError, Timeouts
from headgate.transport.dialer import Dialer
from headgate.transport.failures import busy, connection_failed
from headgate.transport.response import Notify, Response, settle

SWEEP_SECONDS = 0.05
"""How often deadlines are looked at: one timer for all connections instead of several per request."""

STALE_ATTEMPTS = 3
"""How often a request is sent when reused connections turn out to be dead; the last time over a new one."""


class ClientSettings(NamedTuple):
    """Bounds of the client. Sizes are bytes, times are seconds."""

    maximum_connections: int = 1_024
    """Connections per origin, at most; further requests wait for one."""
    remembered_origins: int = 1_024
    """Beyond so many, origins without a connection are forgotten: clients choose those of the files they name."""
    wait: float = 10.0
    """How long a request waits for a connection, at most."""
    keep_alive: float = 55.0
    """How long an idle connection is kept; below the 60 s after which load balancers commonly drop it."""
    response_limit: int = 128 * 1024 * 1024
    """Size of a response that is read whole, at most."""


class Client:
    """Sends requests to upstreams. Use within one running event loop, and `close` at the end."""

    def __init__(self, dialer: Dialer, settings: ClientSettings | None = None) -> None:
        self._dialer = dialer
        self._settings = settings or ClientSettings()
        self._pools: dict[Origin, Pool] = {}
        self._busy: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def start(self, request: UpstreamRequest, timeouts: Timeouts, notify: Notify) -> Response | None:
        """Send a request over an idle connection and return its response; None, with nothing sent, without one.

        `notify` is told once when the whole answer has arrived, or the `UpstreamError` or `StaleConnectionError` that
        ended it; never before this returns.
        """
        pool = self._pools.get(request.origin)
        connection = pool.take() if pool is not None else None
        if pool is None or connection is None:
            return None
        return self._start(connection, pool.message(request), timeouts, notify, whole=True)

    async def send(self, request: UpstreamRequest, timeouts: Timeouts, *, whole: bool) -> Response:
        """Send a request; return its response once the head, or with `whole` all of it, has arrived.

        Raises `UpstreamError`. Cancelling the call closes the connection.
        """
        for attempt in range(1, STALE_ATTEMPTS + 1):
            pool = self._pools.get(request.origin) or self._add_pool(request.origin)
            fresh = attempt == STALE_ATTEMPTS
            connection = None if fresh else pool.take()
            if connection is None:
                connection = await pool.wait(timeouts.connect, fresh=fresh)
            waiter = self._loop.create_future()
            message = pool.message(request)
            response = self._start(connection, message, timeouts, partial(settle, waiter), whole=whole)
            try:
                await waiter
            except StaleConnectionError:
                # What has been idle for longer is most likely stale too.
                pool.drop_idle()
                continue
            except asyncio.CancelledError:
                response.abort()
                raise
            return response
        raise connection_failed("The upstream closed the connection before it answered.")

    def _start(
        self, connection: Connection, data: bytes, timeouts: Timeouts, notify: Notify, *, whole: bool
    ) -> Response:
        self._busy.add(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        return connection.start(data, timeouts, notify, whole=whole, size_limit=self._settings.response_limit)

    async def close(self) -> None:
        """Close every connection and open no other one; requests under way fail, and so do later ones."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for pool in self._pools.values():
            pool.close()
        for connection in list(self._busy):
            connection.close()

    def statistics(self) -> dict[Origin, tuple[int, int]]:
        """Return open and idle connections per origin."""
        return {origin: (pool.open, len(pool.idle)) for origin, pool in self._pools.items()}

    def _add_pool(self, origin: Origin) -> "Pool":
        if len(self._pools) >= self._settings.remembered_origins:
            self._pools = {known: pool for known, pool in self._pools.items() if pool.open}
        pool = Pool(origin, self._dialer, self._settings, self._loop, self._busy.discard)
        if self._closed:
            pool.close()
        self._pools[origin] = pool
        return pool

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in [connection for connection in self._busy if connection.deadline < now]:
            connection.expire()
        idle = 0
        for pool in self._pools.values():
            idle += pool.expire(now)
        waiting = self._busy or idle
        self._sweeper = self._loop.call_later(SWEEP_SECONDS if self._busy else 1.0, self._sweep) if waiting else None


class Pool:
    """The connections to one origin. The one used last is used next, so that the surplus grows old and is closed."""

    def __init__(
        self,
        origin: Origin,
        dialer: Dialer,
        settings: ClientSettings,
        loop: asyncio.AbstractEventLoop,
        on_free: Callable[[Connection], None],
    ) -> None:
        self._origin, self._dialer, self._settings, self._loop = origin, dialer, settings, loop
        self._on_free = on_free
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self.idle: list[Connection] = []
        self._closed = False
        self._connections: set[Connection] = set()
        self._dialing = 0
        self._prefix, self._suffix = _frame(origin, dialer)

    @property
    def open(self) -> int:
        """How many connections there are, those being opened included."""
        return len(self._connections) + self._dialing

    def message(self, request: UpstreamRequest) -> bytes:
        """Return a request as it goes over the wire."""
        body = request.body
        return b"%b %b%b%b%bContent-Length: %d\r\n\r\n%b" % (
            request.method,
            self._prefix,
            request.target,
            self._suffix,
            request.headers,
            len(body),
            body,
        )

    def take(self) -> Connection | None:
        """Return an idle connection, or None."""
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                return connection
        return None

    async def wait(self, timeout: float, *, fresh: bool) -> Connection:
        """Open a connection, or wait for one where no more may be opened; with `fresh` never take a used one.

        `timeout` bounds the wait and then the opening. Raises `UpstreamError`.
        """
        try:
            async with asyncio.timeout(min(self._settings.wait, timeout)):
                while self.open >= self._settings.maximum_connections and not self._closed:
                    connection = await self._wait_for_turn()
                    if connection is not None and connection.usable:
                        if not fresh:
                            return connection
                        connection.close()
        except TimeoutError as error:
            raise busy("All connections to the upstream are in use.") from error
        if self._closed:
            raise connection_failed("The connections to the upstream are closed.")
        return await self._open(timeout)

    async def _wait_for_turn(self) -> Connection | None:
        """Return the connection that has become free, or None when one may be opened instead."""
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            # What came at the very moment that the wait was given up goes to the next.
            if waiter.done() and not waiter.cancelled():
                self._hand_on(waiter.result())
            raise

    def drop_idle(self) -> None:
        """Close the connections that nobody uses."""
        for connection in list(self.idle):
            connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses and open no other one; whoever waits for one fails."""
        self._closed = True
        self.drop_idle()
        while self._waiters:
            self._hand_on(None)

    def expire(self, now: float) -> int:
        """Close what has been idle for too long; return how many stay idle."""
        limit = now - self._settings.keep_alive
        while self.idle and self.idle[0].idle_since < limit:
            self.idle[0].close()
        return len(self.idle)

    async def _open(self, timeout: float) -> Connection:
        self._dialing += 1
        try:
            connection = await self._dialer.dial(self._origin, self._new, timeout=timeout)
        except BaseException:
            self._dialing -= 1
            self._pass_slot_on()
            raise
        self._dialing -= 1
        assert isinstance(connection, Connection)  # noqa: S101 - it is what the factory made
        if self._closed:
            connection.close()
        if connection.closed:
            self._pass_slot_on()
            raise connection_failed("The upstream closed the connection before it answered.")
        self._connections.add(connection)
        return connection

    def _new(self) -> Connection:
        return Connection(self._loop, self._on_idle, self._on_closed)

    def _on_idle(self, connection: Connection) -> None:
        self._on_free(connection)
        self._hand_on(connection)

    def _hand_on(self, connection: Connection | None) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is not None and connection.usable:
            connection.idle_since = self._loop.time()
            self.idle.append(connection)

    def _on_closed(self, connection: Connection) -> None:
        self._on_free(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self._connections.discard(connection)
        self._pass_slot_on()

    def _pass_slot_on(self) -> None:
        if self._waiters and self.open < self._settings.maximum_connections:
            self._hand_on(None)


def _frame(origin: Origin, dialer: Dialer) -> tuple[bytes, bytes]:
    """Return what stands before the target in the request line, and what follows it up to the provider's headers."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    default = {"https": 443, "http": 80}[origin.scheme]
    authority = (host if origin.port == default else f"{host}:{origin.port}").encode(
        "idna" if not host.isascii() else "ascii"
    )
    suffix = b" HTTP/1.1\r\nHost: %b\r\nAccept-Encoding: identity\r\n" % authority
    proxy = dialer.proxy(origin) if origin.scheme == "http" else None
    if proxy is None:
        return b"", suffix
    return b"http://" + authority, suffix + proxy.authorization
