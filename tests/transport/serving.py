"""The server protocol on a real socket, without the gateway: what its tests share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn

from headgate.core.provider import Headers
from headgate.transport.exchange import Exchange, Refusal
from headgate.transport.server import Deadlines, ServerProtocol
from tests.support import read_response, run

Handler = Callable[[Exchange], Awaitable[None]]
QUICK = Deadlines(head=0.2, body_idle=0.2, body=0.5, keep_alive=0.3, reader=0.5)


class Plane:
    """A data plane that serves /data and refuses the key `bad`."""

    def __init__(self, handler: Handler) -> None:
        self.body_limit = 200_000
        self.draining = False
        self.cancelled = 0
        self._handler = handler

    def serves(self, method: bytes, path: bytes) -> bool:
        return method == b"POST" and path == b"/data"

    def admit(self, method: bytes, path: bytes, headers: Headers) -> object:
        """Give the trailer as the ticket, if one got this far."""
        if (b"authorization", b"Bearer bad") in headers:
            return self.refuse(path, 401, "no")
        return dict(headers).get(b"x-trailer", b"none")

    def refuse(self, path: bytes, status: int, message: str) -> Refusal:
        return Refusal(status, b"content-type: text/plain\r\n", message.encode())

    def handle(self, exchange: Exchange) -> None:
        exchange.spawn(self._serve(exchange))

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._handler(exchange)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def echo(exchange: Exchange) -> None:
    exchange.respond(200, b"content-type: text/plain\r\n", exchange.body)


Receive = Callable[[], Awaitable[dict[str, object]]]
Application = Callable[[dict[str, object], Receive, object], Awaitable[None]]


async def asgi(scope: dict[str, object], receive: Receive, send: object) -> None:
    """Answer as soon as anything of the request has come."""
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"asgi"})  # type: ignore[operator]


@asynccontextmanager
async def serving(
    handler: Handler = echo, deadlines: Deadlines | None = None, application: Application = asgi
) -> AsyncIterator["Served"]:
    plane = Plane(handler)
    protocol: Any = partial(ServerProtocol, plane=plane, deadlines=deadlines or Deadlines())
    config = uvicorn.Config(
        application,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}, loop), "127.0.0.1", 0)
    checker = asyncio.create_task(check(state))
    try:
        yield Served(plane, state, server.sockets[0].getsockname()[1])
    finally:
        checker.cancel()
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()


async def check(state: uvicorn.server.ServerState) -> None:
    while True:
        await asyncio.sleep(0.02)
        for connection in list(state.connections):
            assert isinstance(connection, ServerProtocol)
            connection.check(asyncio.get_running_loop().time())


class Served:
    def __init__(self, plane: Plane, state: uvicorn.server.ServerState, port: int) -> None:
        self.plane, self.state, self.port = plane, state, port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send pieces one after another on a new connection and return the first answer."""
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await read_response(reader)
        finally:
            writer.close()


def post(body: bytes = b"hello", extra: bytes = b"", path: bytes = b"/data") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path, extra, len(body), body)


def ask(
    *pieces: bytes, handler: Handler = echo, deadlines: Deadlines | None = None
) -> tuple[int, dict[str, str], bytes]:
    async def main() -> tuple[int, dict[str, str], bytes]:
        async with serving(handler, deadlines) as served:
            return await served.ask(*pieces)

    return run(main())
