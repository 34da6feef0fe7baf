"""One upstream connection: sends a request, parses the answer strictly, and tells whether it may be used again."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import httptools

from headgate.core.errors import UpstreamError
from headgate.transport.failures import connection_failed, protocol_broken, timed_out
from headgate.transport.names import lower
from headgate.transport.outbox import Channel, outbox_of
from headgate.transport.response import Notify, Response

HEAD_LIMIT = 64 * 1024
"""Bytes of an upstream's status line and header fields, at most."""
OVERHEAD_LIMIT = 64 * 1024
"""Bytes in a row, at most, that are none of a body: trailers and chunk extensions."""

HASTE_SECONDS = 1.0
"""How long an answer may still go on after the part of it that matters."""


class Timeouts(NamedTuple):
    """Seconds, each None for no limit: to connect, to the first byte of the answer, between two pieces, in all."""

    connect: float = 10.0
    first_byte: float | None = None
    between: float | None = None
    total: float | None = None


class StaleConnectionError(Exception):
    """A reused connection died before any byte of an answer: the request can be sent again on another one."""


class Connection(asyncio.Protocol):
    """An HTTP/1.1 client connection for one request at a time.

    `on_idle(connection)` is called when it may be used again, `on_closed(connection)` once when it is gone.
    It is reusable only after the whole request was sent and a final response ended exactly at the end of the data.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[["Connection"], None],
        on_closed: Callable[["Connection"], None],
    ) -> None:
        self._loop = loop
        self._on_idle, self._on_closed = on_idle, on_closed
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._channel: Channel
        self._response: Response | None = None
        self._paused = False
        self.closed = False
        self.used = False
        self.idle_since = 0.0
        self.deadline = 0.0
        """When the current wait is over, on the loop's clock; infinity for never."""

    # -- use -----------------------------------------------------------------------------------------------------

    def start(self, data: bytes, timeouts: Timeouts, notify: Notify, *, whole: bool, size_limit: int) -> Response:
        """Send a request. `notify` is told when the head, or with `whole` the body, has arrived.

        It is told an `UpstreamError` when that fails, or a `StaleConnectionError` when sending the request again on a
        new connection is safe; never before this returns.
        """
        self._response = response = Response(self, notify, whole=whole, size_limit=size_limit)
        self._head: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._encoding = b""
        self._head_bytes = 0
        self._framed = self._done = self._surplus = self._data_seen = self._keep_alive = False
        now = self._loop.time()
        never = math.inf
        self._between = timeouts.between
        self._expires = now + timeouts.total if timeouts.total is not None else never
        first = now + timeouts.first_byte if timeouts.first_byte is not None else never
        self.deadline = min(first, self._expires)
        self._channel.write(data)
        return response

    @property
    def usable(self) -> bool:
        """False once the connection is closed or closing."""
        return self._transport is not None and not self._transport.is_closing()

    def expire(self) -> None:
        """Fail the request: its deadline has passed."""
        if self.deadline >= self._expires:
            error = timed_out("The upstream did not finish its answer in time.")
        elif self._data_seen:
            error = timed_out("The upstream stopped in the middle of its answer.")
        else:
            error = timed_out("The upstream did not begin to answer in time.")
        self._fail(error)

    def close(self) -> None:
        """Close; a request under way fails."""
        self._fail(connection_failed("The connection to the upstream was closed."))

    def pause(self) -> None:
        """Stop reading: the consumer of the response is behind. The upstream's silence is then not its fault."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self.deadline = self._expires
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._touch()
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the request under way and the connection with it."""
        self._response = None
        self._drop()

    def hasten(self) -> None:
        """Give the answer a moment to end."""
        self._between = HASTE_SECONDS
        self._expires = min(self._expires, self._loop.time() + HASTE_SECONDS)
        self._touch()

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = transport  # type: ignore[assignment]
        self._channel = Channel(outbox_of(self._loop), self._transport)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; bytes that nobody asked for close the connection."""
        asked = self._response
        if asked is None or self._channel.waiting:
            self._discredit()
            return
        try:
            self._head_bytes += len(data)
            if self._data_seen or self._head_bytes <= HEAD_LIMIT:
                self._parser.feed_data(data)
            else:
                self._feed_long_head(data)
            if self._data_seen and self._head_bytes > OVERHEAD_LIMIT and not self._done:
                raise protocol_broken("The upstream's answer has too large a trailer.")
            self._deliver()
        except httptools.HttpParserUpgrade:
            self._fail(protocol_broken("The upstream wanted to switch protocols."))
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            failure = cause if isinstance(cause, UpstreamError) else protocol_broken("The upstream's answer is broken.")
            self._fail(failure)
        except httptools.HttpParserError as error:
            self._surplus = True
            self._deliver_quietly()
            if not self._done:
                failure = protocol_broken("The upstream's answer is not valid HTTP.")
                failure.__cause__ = error
                self._fail(failure)
        except UpstreamError as error:
            self._fail(error)
        if self._response is not None:
            if self._done:
                self._finish()
            elif self._data_seen and not self._paused:
                self._touch()

    def eof_received(self) -> bool:
        """Close our side as well."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the response where the end of the connection is its end, and fail it otherwise."""
        self._transport = None
        if not self.closed:
            self.closed = True
            self._on_closed(self)
        response, self._response = self._response, None
        if response is None:
            return
        if self._data_seen and not self._framed and exc is None:
            response.put_end()
        elif self.used and not self._data_seen and not self._head_bytes:
            response.reject(StaleConnectionError())
        else:
            what = "while it answered" if self._data_seen else "before it answered"
            failure = connection_failed(f"The upstream closed the connection {what}.")
            failure.__cause__ = exc
            response.put_end(failure)

    # -- parser callbacks ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Note that a message after the final one is surplus: it belongs to nobody."""
        if self._done:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header field; trailers are dropped."""
        if self._data_seen:
            return
        name = lower(name)
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif name == b"content-encoding":
            self._encoding = value.strip().lower()
        self._head.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the head over, unless it is an interim one (1xx)."""
        if self._done:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise protocol_broken("The upstream wanted to switch protocols.")
            return
        self._data_seen = True
        self._head_bytes = 0
        assert self._response is not None  # noqa: S101 - data without a request never reaches the parser
        self._response.put_head(status, self._head, self._encoding)

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body."""
        self._head_bytes = 0
        if not self._done:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Mark the end; an interim response (1xx) is complete too, but not the answer."""
        if self._data_seen:
            self._done = True
            # Asked for now: once the parser has gone on, it has forgotten.
            self._keep_alive = self._parser.should_keep_alive()
        else:
            self._head = []
            self._framed = False
            self._encoding = b""

    # -- inside --------------------------------------------------------------------------------------------------

    def _discredit(self) -> None:
        """Close after bytes that answer no request: one that is not even on its way yet goes to another connection."""
        response, self._response = self._response, None
        self._drop()
        if response is None:
            return
        if self.used:
            response.reject(StaleConnectionError())
        else:
            response.put_end(protocol_broken("The upstream answered before it was asked."))

    def _feed_long_head(self, data: bytes) -> None:
        """Parse no more of a head than the limit; what follows it may be as long as it likes."""
        room = HEAD_LIMIT - (self._head_bytes - len(data))
        self._parser.feed_data(data[:room])
        if not self._data_seen:
            raise protocol_broken("The upstream's answer has too large a header.")
        self._parser.feed_data(data[room:])

    def _touch(self) -> None:
        if self._between is None:
            self.deadline = self._expires
        else:
            self.deadline = min(self._loop.time() + self._between, self._expires)

    def _deliver(self) -> None:
        pieces = self._pieces
        if pieces and self._response is not None:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._response.put_data(data)

    def _deliver_quietly(self) -> None:
        """Deliver what came before bytes that broke the parser."""
        try:
            self._deliver()
        except UpstreamError as error:
            self._fail(error)

    def _finish(self) -> None:
        response, self._response = self._response, None
        transport = self._transport
        reusable = (
            transport is not None
            and not self._surplus
            and not transport.is_closing()
            and self._keep_alive
            and transport.get_write_buffer_size() == 0
        )
        if self._paused and transport is not None:
            self._paused = False
            transport.resume_reading()
        if reusable:
            self.used = True
            self._on_idle(self)
        else:
            self._drop()
        if response is not None:
            response.put_end()

    def _fail(self, error: UpstreamError) -> None:
        response, self._response = self._response, None
        self._drop()
        if response is not None:
            response.put_end(error)

    def _drop(self) -> None:
        if not self.closed:
            self.closed = True
            self._on_closed(self)
        if self._transport is not None:
            self._transport.abort()
