"""The ASGI application: the control plane's routes, and the data plane for servers other than our own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate.core.clock import monotonic
from headgate.core.errors import GatewayError, MethodNotAllowedError, NotFoundError
from headgate.core.provider import Headers
from headgate.dialects import OPENAI, dialect_of
from headgate.gateway import _health, _models
from headgate.gateway._gateway import Gateway
from headgate.transport.exchange import Pausable, Refusal, too_large

QUEUE_LIMIT = 64
"""Pieces of a streamed answer that wait to be sent, before what feeds it is made to wait."""


class AsgiExchange:
    """A data-plane request that came through an ASGI server. What is to be sent is queued and sent by `pump`."""

    def __init__(self, scope: Scope, body: bytes, ticket: object) -> None:
        self.method: bytes = scope["method"].encode("latin-1")
        self.path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.query: bytes = scope.get("query_string", b"")
        self.headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.body = body
        self.ticket = ticket
        self.received_at = monotonic()
        self.started = False
        self.disconnected = False
        self.over = False
        """True once everything was sent, or nothing more will be."""
        self.on_disconnect: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._source: Pausable | None = None
        self._paused = False
        self._head: Message | None = None
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Go on in a task, which is cancelled when the client goes away."""
        self._task = asyncio.create_task(coroutine)
        if self.disconnected:
            self._task.cancel()

    def disconnect(self) -> None:
        """Tell whatever answers that nobody waits for it any more."""
        self.disconnected = True
        if self._task is not None:
            self._task.cancel()
        # Told in any case: a task that is cancelled before its first step runs nothing of its own.
        if self.on_disconnect is not None:
            self.on_disconnect()
        self.abort()

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer."""
        self.started = True
        fields = [*_fields(headers), (b"content-length", str(len(body)).encode())]
        self._queue.put_nowait({"type": "http.response.start", "status": status, "headers": fields})
        self._queue.put_nowait({"type": "http.response.body", "body": body, "more_body": False})

    def begin(self, status: int, headers: bytes, source: Pausable | None) -> None:
        """Begin a streamed answer; the head goes out with the first data."""
        self._source = source
        self._head = {"type": "http.response.start", "status": status, "headers": _fields(headers)}

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer."""
        if not data:
            return
        self._put_head()
        self._queue.put_nowait({"type": "http.response.body", "body": data, "more_body": True})
        if self._queue.qsize() > QUEUE_LIMIT and self._source is not None and not self._paused:
            self._paused = True
            self._source.pause()

    def finish(self) -> None:
        """End a streamed answer as it should end."""
        self._put_head()
        self._source = None
        self._queue.put_nowait({"type": "http.response.body", "body": b"", "more_body": False})

    def abort(self) -> None:
        """Leave the answer unfinished: the server closes the connection."""
        self._source = None
        self._queue.put_nowait(None)

    async def pump(self, send: Send) -> None:
        """Send what is queued until the answer is over."""
        while (message := await self._queue.get()) is not None:
            await send(message)
            if self._paused and self._queue.qsize() <= QUEUE_LIMIT // 2 and self._source is not None:
                self._paused = False
                self._source.resume()
            if message["type"] == "http.response.body" and not message["more_body"]:
                self.over = True
                return
        self.over = True
        if not self.disconnected:
            raise RuntimeError("the answer was aborted")

    def _put_head(self) -> None:
        self.started = True
        if self._head is not None:
            self._queue.put_nowait(self._head)
            self._head = None


def _fields(lines: bytes) -> list[tuple[bytes, bytes]]:
    pairs = [line.partition(b": ") for line in lines.split(b"\r\n") if line]
    return [(name.lower(), value) for name, _, value in pairs]


class Application:
    """The gateway as an ASGI application. Its lifespan starts and stops the gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._control: ASGIApp = _control_plane(gateway)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request or the lifespan."""
        gateway = self._gateway
        if scope["type"] == "http":
            path = scope.get("raw_path") or scope["path"].encode()
            if gateway.serves(scope["method"].encode("latin-1"), path):
                await self._serve(scope, path, receive, send)
                return
        await self._control(scope, receive, send)

    async def _serve(self, scope: Scope, path: bytes, receive: Receive, send: Send) -> None:
        headers: Headers = scope["headers"]
        ticket = self._gateway.admit(scope["method"].encode("latin-1"), path, headers)
        try:
            body = b"" if isinstance(ticket, Refusal) else await self._read(receive)
        except ClientDisconnect:
            return
        if body is None:
            ticket = too_large(self._gateway, path)
        exchange = AsgiExchange(scope, body or b"", ticket)
        if isinstance(ticket, Refusal):
            exchange.respond(ticket.status, ticket.headers, ticket.body)
            await exchange.pump(send)
            return
        self._gateway.handle(exchange)
        leaving = asyncio.create_task(_wait_for_disconnect(receive, exchange))
        try:
            await exchange.pump(send)
        finally:
            leaving.cancel()
            if not exchange.over:
                exchange.disconnect()

    async def _read(self, receive: Receive) -> bytes | None:
        """Return the body, or None when it is larger than the limit. Raises `ClientDisconnect`."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._gateway.body_limit:
                return None
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)


async def _wait_for_disconnect(receive: Receive, exchange: AsgiExchange) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if not exchange.over:
        exchange.disconnect()


def _control_plane(gateway: Gateway) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        try:
            yield
        finally:
            await gateway.stop()

    async def never(_: Request) -> Response:
        raise HTTPException(405)

    root = gateway.routes.root
    routes: list[BaseRoute] = [
        # Only for their method: a POST never arrives here.
        Route(path, never, methods=["POST"])
        for path in [*gateway.routes.paths, *gateway.routes.templates]
    ]
    routes += _health.routes(gateway, root)
    routes += _models.routes(gateway, root)

    async def http_error(request: Request, error: HTTPException) -> Response:
        match = gateway.routes.match(request.scope.get("raw_path") or request.url.path.encode())
        dialect = OPENAI if match is None else dialect_of(match.operation)
        body = dialect.error(_named(error, request.method))
        return Response(body, error.status_code, error.headers, "application/json")

    handlers = {GatewayError: _gateway_error, HTTPException: http_error}
    application = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)  # type: ignore[arg-type]
    # A redirect to the path without its slash would name whatever host the client has sent.
    application.router.redirect_slashes = False
    return application


async def _gateway_error(_: Request, error: GatewayError) -> Response:
    return Response(OPENAI.error(error), error.status, dict(error.headers), "application/json")


def _named(error: HTTPException, method: str) -> GatewayError:
    """Word what the router of the control plane refuses; it knows no other errors."""
    if error.status_code == 404:
        return NotFoundError("There is no such route.")
    return MethodNotAllowedError(f"This route can not be asked with {method}.")
