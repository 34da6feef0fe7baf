"""The server's HTTP protocol: uvicorn's, with data-plane requests taken out of the ASGI way.

A data-plane request occupies the connection's cycle like any other, so that uvicorn's shutdown, pipelining, keep-alive
and flow control see it. What uvicorn lacks is added for both kinds: deadlines for header, body, idle connection and
slow reader, a bound on header bytes that counts before parsing, exactly one Host, trailers dropped, and a bounded
pipeline.
"""

import asyncio
from typing import Any, Final, NamedTuple

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from headgate.core.clock import monotonic
from headgate.transport.direct import DirectExchange
from headgate.transport.exchange import DataPlane, Refusal, too_large
from headgate.transport.names import lower
from headgate.transport.outbox import Channel, outbox_of
from headgate.transport.upgrade import without_upgrade

HEAD_LIMIT = 64 * 1024
"""Bytes of a request line and its header fields, at most."""
PIPELINE_LIMIT = 8
"""Requests that may wait behind the one being answered; further ones are not read and the connection closes."""
LINGER_SECONDS = 2.0
"""How long a connection that was refused in the middle of a body is read on, so that the client sees the answer."""
OVERHEAD_LIMIT = 64 * 1024
"""Bytes in a row, at most, that are none of a body: trailers, chunk extensions, a pipelined request's header."""
DISCARD_LIMIT = 64 * 1024
"""A refused body of at most this many bytes is read and dropped, and the connection stays usable."""


class Deadlines(NamedTuple):
    """Seconds a client may take: to send the header, between two pieces of the body, to send all of the body, to send
    the next request on an open connection, and to read on when it has stopped reading.
    """

    head: float = 10.0
    body_idle: float = 30.0
    body: float = 300.0
    keep_alive: float = 75.0
    reader: float = 120.0


# What a connection waits for. Plain integers: looking up a member of an Enum costs more than comparing it.
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
ANSWER: Final = 3
LINGER: Final = 4


class _DefaultLines:
    """Header fields that uvicorn adds to every answer, and as lines; kept until it makes others."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.lines = b""


_default: Final = _DefaultLines()


class ServerProtocol(HttpToolsProtocol):
    """One client connection. Give uvicorn a `functools.partial` of it with `plane` and `deadlines` set."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        plane: DataPlane,
        deadlines: Deadlines | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.plane = plane
        self.deadlines = deadlines or Deadlines()
        self.channel: Channel
        """What data-plane answers are written to."""
        self.headers = []
        self.url = b""
        self.parsed: DirectExchange | None = None
        """The exchange whose body is being read, None while it is an ASGI request's."""
        self.answering: DirectExchange | None = None
        """The exchange that is being answered, None while it is an ASGI request."""
        self._asgi: RequestResponseCycle | None = None
        """The ASGI request that is being answered while `answering` is None."""
        self.state = IDLE
        self.received_at = 0.0
        self.deadline = self.loop.time() + self.deadlines.head
        self._head_bytes = 0
        self._hosts = 0
        self._length = 0
        self._body_deadline = 0.0
        self._paused_at: float | None = None
        self._overhead = 0
        self._half_head = False
        self._ignoring = False
        self._plain_head = b""
        """The head of a request that asks for another protocol and has a body, as it would be if it did not ask."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the transport."""
        super().connection_made(transport)
        self.channel = Channel(outbox_of(self.loop), transport)

    # -- reading -------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Parse what arrived."""
        before = self.state
        if self._ignoring:
            return
        if before == IDLE:
            self.received_at = monotonic()
            self._head_bytes = 0
        try:
            if before <= HEAD:
                self._head_bytes += len(data)
                if self._head_bytes > HEAD_LIMIT:
                    self._feed_long_head(data)
                else:
                    self.parser.feed_data(data)
            else:
                self._overhead += len(data)
                self.parser.feed_data(data)
                if self._overhead > OVERHEAD_LIMIT:
                    self._reject(431, "The request's header or trailer is too large.")
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._reject(400, "Invalid HTTP request received.")
        after = self.state
        if HEAD <= after <= BODY:
            self._set_read_deadline(before, after)

    def _feed_long_head(self, data: bytes) -> None:
        """Parse no more of a header than the limit; what follows it may be as long as it likes."""
        room = HEAD_LIMIT - (self._head_bytes - len(data))
        self.parser.feed_data(data[:room])
        # uvicorn drops it when the connection is lost.
        parser: Any = self.parser
        if self.state <= HEAD:
            self._reject(431, "The request header is too large.")
        elif self.state != LINGER and parser is not None:
            try:
                parser.feed_data(data[room:])
            except httptools.HttpParserUpgrade as upgrade:
                raise httptools.HttpParserUpgrade(room + upgrade.args[0]) from None

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Answer in this protocol, as RFC 9110, section 7.8 allows; what follows the request may be another one.

        `rest` begins with the request's body, if it has one: the parser has stopped before it.
        """
        if self._plain_head:
            head, self._plain_head = self._plain_head, b""
            self._ignoring = False
            # As strict as it comes, unlike uvicorn's: nothing follows the last request of a connection.
            self.parser = httptools.HttpRequestParser(self)
            try:
                self.parser.feed_data(head)
                self.parser.feed_data(rest)
            except httptools.HttpParserError:
                self._reject(400, "Invalid HTTP request received.")
            return
        if self._ignoring:
            return
        self._ignoring = True
        self.cycle.keep_alive = False
        if self.cycle.response_complete:
            self.close()

    def _set_read_deadline(self, before: int, after: int) -> None:
        now = self.loop.time()
        if after == BODY:
            if before != BODY:
                self._body_deadline = now + self.deadlines.body
            self.deadline = min(now + self.deadlines.body_idle, self._body_deadline)
        elif before != HEAD:
            self.deadline = now + self.deadlines.head

    def on_message_begin(self) -> None:
        """Begin a request."""
        # A list of its own even when it is ignored: the one before belongs to a request that may still be answered.
        self.headers = []
        if self._ignoring:
            return
        self.url = b""
        self.expect_100_continue = False
        self._hosts = 0
        self._length = 0
        if self.state != ANSWER:
            self.state = HEAD
            return
        self._half_head = True
        if self.received_at == 0.0 or self.pipeline:
            self.received_at = monotonic()

    def on_url(self, url: bytes) -> None:
        """Collect the request's target."""
        self.url = self.url + url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header field. Trailers arrive here as well, after the body has begun, and are dropped."""
        if self.state >= BODY and self.state != ANSWER:
            return
        name = lower(name)
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._length = int(value) if value.isdigit() else 0
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start an exchange for a data-plane request, and uvicorn's own cycle for every other."""
        self._half_head = False
        if self._ignoring:
            return
        if self._hosts != 1:
            self._reject(400, "A request needs exactly one Host header field.")
            return
        if self.parser.should_upgrade() and self._has_body():
            self._begin_without_upgrade()
            return
        if len(self.pipeline) >= PIPELINE_LIMIT:
            self._ignoring = True
            self.pipeline[0][0].keep_alive = False
            return
        path, _, query = self.url.partition(b"?")
        method = self.parser.get_method()
        if path.startswith(b"/") and self.plane.serves(method, path):
            self._begin_exchange(method, path, query)
            return
        self.state = BODY
        self.parsed = None
        headers, url, expects = self.headers, self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _begin_without_upgrade(self) -> None:
        """Have the request parsed again: the parser takes its body for the other protocol's first bytes."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._reject(400, "This server is no proxy.")
            return
        # Until the parser says where the body begins.
        self._ignoring = True
        self._plain_head = without_upgrade(method, self.url, self.parser.get_http_version(), self.headers)

    def _has_body(self) -> bool:
        return self._length > 0 or any(name == b"transfer-encoding" for name, _ in self.headers)

    def _begin_exchange(self, method: bytes, path: bytes, query: bytes) -> None:
        http10 = self.parser.get_http_version() != "1.1"
        exchange = DirectExchange(self, method, path, query, not http10 and self.parser.should_keep_alive())
        exchange.http10 = http10
        if self._length > self.plane.body_limit:
            exchange.refusal = too_large(self.plane, path)
        else:
            ticket = self.plane.admit(method, path, self.headers)
            if isinstance(ticket, Refusal):
                exchange.refusal = ticket
            else:
                exchange.ticket = ticket
        previous: Any = self.cycle
        self.cycle = exchange  # type: ignore[assignment]
        self.parsed = exchange
        self.state = BODY
        if previous is None or previous.response_complete:
            self._activate(exchange)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]

    def _activate(self, exchange: DirectExchange) -> None:
        """Make an exchange the one that is answered, now that everything before it has been."""
        exchange.active = True
        self.answering = exchange
        if exchange.complete:
            self._dispatch(exchange)
        elif exchange.refusal is not None and (exchange.expect_continue or self._length > DISCARD_LIMIT):
            self._refuse(exchange)
        elif exchange.expect_continue:
            self.channel.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body, up to the limit."""
        self._overhead = 0
        if self._ignoring:
            return
        exchange = self.parsed
        if exchange is None:
            super().on_body(body)
            return
        if exchange.response_complete:
            return
        exchange.size += len(body)
        if exchange.refusal is None:
            exchange.pieces.append(body)
            if exchange.size > self.plane.body_limit:
                exchange.refusal = too_large(self.plane, exchange.path)
                exchange.pieces.clear()
        if exchange.refusal is not None and exchange.active and exchange.size > DISCARD_LIMIT:
            self._refuse(exchange)

    def on_message_complete(self) -> None:
        """Answer a request that has arrived completely."""
        if self._ignoring:
            return
        self.state = ANSWER
        self._overhead = 0
        exchange = self.parsed
        if exchange is None:
            super().on_message_complete()
            if self.cycle.response_complete:
                self._rest()
            return
        if exchange.response_complete:
            return
        pieces = exchange.pieces
        exchange.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        exchange.pieces = []
        exchange.complete = True
        if exchange.active:
            self._dispatch(exchange)

    # -- answering -----------------------------------------------------------------------------------------------

    def _dispatch(self, exchange: DirectExchange) -> None:
        if exchange.refusal is not None:
            self._refuse(exchange)
            return
        self.plane.handle(exchange)

    def _refuse(self, exchange: DirectExchange) -> None:
        refusal = exchange.refusal
        assert refusal is not None  # noqa: S101 - asked for refused exchanges only
        if not exchange.complete:
            exchange.keep_alive = False
        exchange.respond(refusal.status, refusal.headers, refusal.body)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if isinstance(cycle, DirectExchange):
            self._activate(cycle)
        else:
            self.answering = None
            self._asgi = cycle
            super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self.state == LINGER:
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self.state == ANSWER:
            self._rest()

    def _rest(self) -> None:
        self._head_bytes = self._overhead
        self.state = HEAD if self._half_head else IDLE
        self.deadline = self.loop.time() + (self.deadlines.head if self._half_head else self.deadlines.keep_alive)

    def _reject(self, status: int, message: str) -> None:
        """Answer what is not a usable request, and close."""
        if self._ignoring or self.transport.is_closing():
            return
        current: Any = self.cycle
        answering = self.answering
        if current is not None and not self.pipeline and not _arrived(current):
            # Its body broke off. Before anything was answered this is its answer; a second one there must not be.
            if _started(current):
                self.close()
                return
            self._give_up(current)
        if current is None or current.response_complete:
            path = self.url.partition(b"?")[0]
            refusal = self.plane.refuse(path, status, message)
            head = b"%b%b%bconnection: close\r\n" % (STATUS_LINE[status], self.default_header_lines(), refusal.headers)
            body = refusal.body
            self.channel.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
            self.linger()
            return
        # Answers are under way: what has arrived completely is still answered, and nothing after it is read.
        self._ignoring = True
        if not _arrived(current):
            self.pipeline.popleft()
            current = self.pipeline[0][0] if self.pipeline else (answering or self._asgi)
        current.keep_alive = False

    def _give_up(self, cycle: DirectExchange | RequestResponseCycle) -> None:
        """Let nothing else answer a request."""
        cycle.response_complete = True
        if not isinstance(cycle, DirectExchange):
            cycle.disconnected = True
            cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._reject(400, msg)

    def close(self) -> None:
        """Close after what has been written; requests that were sent behind are not looked at."""
        self._ignoring = True
        self.channel.flush()
        self.transport.close()

    def linger(self) -> None:
        """Read on for a moment without looking, so that closing does not destroy the answer on its way."""
        self.state = LINGER
        self._ignoring = True
        self.deadline = self.loop.time() + LINGER_SECONDS
        self.flow.resume_reading()
        self.channel.flush()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def default_header_lines(self) -> bytes:
        """Return uvicorn's default header fields, which change once a second, as lines."""
        headers = self.server_state.default_headers
        if headers is not _default.headers:
            _default.headers = headers
            _default.lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        return _default.lines

    # -- life ----------------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Close the connection when its deadline has passed. Called about twice a second."""
        if self._paused_at is not None and now - self._paused_at > self.deadlines.reader:
            self.transport.abort()
        elif now < self.deadline or self.state == ANSWER:
            return
        elif self.state == BODY and self.parsed is None:
            self.transport.close()
        elif self.state in (HEAD, BODY) and not self._ignoring:
            self._reject(408, "The request did not arrive in time.")
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Close when idle, after the answer otherwise; a request that has only begun to arrive gets little time."""
        self.channel.flush()
        super().shutdown()
        if self.state in (HEAD, BODY):
            self.deadline = min(self.deadline, self.loop.time() + LINGER_SECONDS)

    def pause_writing(self) -> None:
        """Make what feeds the answer wait: the client does not read."""
        self.flow.pause_writing()
        self._paused_at = self.loop.time()
        if self.answering is not None and self.answering.source is not None:
            self.answering.source.pause()

    def resume_writing(self) -> None:
        """Let the answer go on."""
        self.flow.resume_writing()
        self._paused_at = None
        if self.answering is not None and self.answering.source is not None:
            self.answering.source.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel what was being answered: nobody waits for it any more."""
        for exchange in (self.parsed, self.answering):
            if exchange is not None and not exchange.disconnected:
                exchange.disconnect()
        self.pipeline.clear()
        super().connection_lost(exc)


def _arrived(cycle: DirectExchange | RequestResponseCycle) -> bool:
    """Tell whether a request has arrived completely."""
    return cycle.complete if isinstance(cycle, DirectExchange) else not cycle.more_body


def _started(cycle: DirectExchange | RequestResponseCycle) -> bool:
    """Tell whether anything of the answer was sent."""
    return cycle.started if isinstance(cycle, DirectExchange) else cycle.response_started
