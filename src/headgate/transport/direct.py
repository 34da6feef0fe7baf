"""A data-plane request on a connection of our own server protocol, and how its answer is written."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from headgate.transport.exchange import Pausable, Refusal

if TYPE_CHECKING:
    from headgate.transport.server import ServerProtocol


class _NoEvent:
    """Stands in for the event that uvicorn sets to wake an ASGI application."""

    def set(self) -> None:
        """Do nothing."""


_NO_EVENT = _NoEvent()


class DirectExchange:
    """A data-plane request on a connection of ours; also what uvicorn knows as the connection's cycle."""

    message_event = _NO_EVENT
    # Defaults live on the class: what most requests never change is then never set.
    body = b""
    size = 0
    http10 = False
    active = False
    complete = False
    refusal: Refusal | None = None
    ticket: object = None
    task: asyncio.Task[None] | None = None
    on_disconnect: Callable[[], None] | None = None
    source: Pausable | None = None
    started = False
    response_complete = False
    disconnected = False
    _headers_out = b""
    _chunked = True

    def __init__(self, protocol: "ServerProtocol", method: bytes, path: bytes, query: bytes, keep_alive: bool) -> None:
        self._protocol = protocol
        self.method, self.path, self.query = method, path, query
        self.headers = protocol.headers
        self.received_at = protocol.received_at
        self.expect_continue = protocol.expect_100_continue
        self.keep_alive = keep_alive
        self.pieces: list[bytes] = []

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Go on in a task, which is cancelled when the client goes away."""
        self.task = task = self._protocol.loop.create_task(coroutine)
        self._protocol.tasks.add(task)
        task.add_done_callback(self._protocol.tasks.discard)
        if self.disconnected:
            task.cancel()

    def disconnect(self) -> None:
        """Tell whatever answers that nobody waits for it any more."""
        self.disconnected = True
        self.source = None
        if self.response_complete:
            return
        if self.task is not None:
            self.task.cancel()
        # Told in any case: a task that is cancelled before its first step runs nothing of its own.
        if self.on_disconnect is not None:
            self.on_disconnect()

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer."""
        if self.disconnected:
            return
        self.started = True
        self._protocol.channel.write(self._head(status, headers, b"content-length: %d\r\n\r\n" % len(body)) + body)
        self._complete()

    def begin(self, status: int, headers: bytes, source: Pausable | None) -> None:
        """Begin a streamed answer; the head is held until there is something to send with it."""
        self.source = source
        self._chunked = not self.http10
        if not self._chunked:
            self.keep_alive = False
        framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        self._headers_out = self._head(status, headers, framing)
        if source is not None and self._protocol.flow.write_paused:
            source.pause()

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer."""
        if not data or self.disconnected:
            return
        self.started = True
        if self._chunked:
            data = b"%b%x\r\n%b\r\n" % (self._headers_out, len(data), data)
        elif self._headers_out:
            data = self._headers_out + data
        self._headers_out = b""
        self._protocol.channel.write(data)

    def finish(self) -> None:
        """End a streamed answer as it should end."""
        if self.disconnected:
            return
        self.started = True
        tail = b"0\r\n\r\n" if self._chunked else b""
        self._protocol.channel.write(self._headers_out + tail)
        self._headers_out = b""
        self._complete()

    def abort(self) -> None:
        """Close the connection in the middle of the answer."""
        self.response_complete = True
        self.source = None
        self._headers_out = b""
        self._protocol.close()

    def _head(self, status: int, headers: bytes, framing: bytes) -> bytes:
        protocol = self._protocol
        if protocol.plane.draining:
            self.keep_alive = False
        lines = STATUS_LINE[status] + protocol.default_header_lines() + headers
        return lines + framing if self.keep_alive else lines + b"connection: close\r\n" + framing

    def _complete(self) -> None:
        self.response_complete = True
        self.source = None
        protocol = self._protocol
        if not self.complete:
            protocol.linger()
        elif not self.keep_alive:
            protocol.close()
        protocol.on_response_complete()
