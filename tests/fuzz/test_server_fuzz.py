"""The server protocol fed with anything, cut anywhere: it answers or closes, and never fails or waits for ever."""

import asyncio
from functools import partial
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headgate.core.provider import Headers
from headgate.transport.exchange import Exchange, Refusal
from headgate.transport.server import Deadlines, ServerProtocol
from tests.doubles.transport import MemoryTransport
from tests.fuzz.protocol import corpus, cut, cuts, deliver, mutated
from tests.support import run

FOREVER = 10_000.0
"""Seconds after which every deadline has passed."""

VALID = [
    b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX: y\r\n\r\n",
    b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"POST /data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /data HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    b"POST /data HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
    b"POST /data HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
    b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + b"b" * 300,
    b"POST /data HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"POST /data HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /asgi?x=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /asgi HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
]
ALPHABET = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\x00",
        b"\xff",
        b"0",
        b"-1",
        b"+5",
        b"%00",
        b"?",
        b"//",
        b"\r\n\r\n",
        b"0\r\n",
    ),
    *(
        b"Host: y\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"HTTP/2.0",
    ),
    *(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Expect: 100-continue\r\n", b"CONNECT ", b"OPTIONS * "),
]


class Plane:
    """Echoes /data, in a task or at once, as a stream or whole; refuses the key `bad`."""

    body_limit = 200
    draining = False

    def serves(self, method: bytes, path: bytes) -> bool:
        return method == b"POST" and path == b"/data"

    def admit(self, method: bytes, path: bytes, headers: Headers) -> object:
        return self.refuse(path, 401, "no") if (b"authorization", b"Bearer bad") in headers else None

    def refuse(self, path: bytes, status: int, message: str) -> Refusal:
        return Refusal(status, b"content-type: text/plain\r\n", message.encode())

    def handle(self, exchange: Exchange) -> None:
        if len(exchange.body) % 2:
            exchange.spawn(self._stream(exchange))
        else:
            exchange.respond(200, b"", exchange.body)

    async def _stream(self, exchange: Exchange) -> None:
        exchange.begin(200, b"", None)
        await asyncio.sleep(0)
        exchange.write(exchange.body)
        exchange.finish()


async def _asgi(scope: object, receive: object, send: object) -> None:
    while (message := await receive())["type"] == "http.request":  # type: ignore[operator]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"asgi"})  # type: ignore[operator]


PROTOCOL: Any = partial(ServerProtocol, plane=Plane(), deadlines=Deadlines())
CONFIG = uvicorn.Config(_asgi, http=PROTOCOL, ws="none", lifespan="off", log_config=None, access_log=False)
CONFIG.load()


async def serve(pieces: list[bytes]) -> bytes:
    """Deliver pieces to a new connection and let every deadline pass; return what it wrote."""
    loop = asyncio.get_running_loop()
    failures: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    state = uvicorn.server.ServerState()
    protocol = PROTOCOL(CONFIG, state, {}, loop)
    transport = MemoryTransport(loop)
    transport.attach(protocol)
    await deliver(transport, protocol, pieces)
    for _ in range(30):
        await asyncio.sleep(0)
    # What is left waits for bytes that never come; each check may end one wait and begin a shorter one.
    for _ in range(3):
        protocol.check(loop.time() + FOREVER)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert transport.is_closing(), "the connection is left open for ever"
    for _ in range(10):
        await asyncio.sleep(0)
    assert not state.connections
    assert not state.tasks, "a request is still being answered"
    assert not failures, failures
    return transport.written


def check(data: bytes, points: list[int]) -> None:
    """Check what holds for any input, and that the outcome does not depend on the cuts."""

    async def both() -> tuple[bytes, bytes]:
        return await serve([data] if data else []), await serve(cut(data, points))

    whole, pieces = run(both())
    for written in (whole, pieces):
        assert written == b"" or written.startswith(b"HTTP/1.1 ")
        assert b"HTTP/1.1 5" not in written
    shorter, longer = sorted((_answers(whole), _answers(pieces)), key=len)
    # What is no request is told so when nothing is being answered, and by closing after the answer otherwise.
    assert longer[: len(shorter)] == shorter
    assert longer[len(shorter) :] in ([], [b"400"])


def _answers(written: bytes) -> list[bytes]:
    """Return the statuses of the answers, but for how a request that never ended was given up."""
    statuses = [part[:3] for part in written.split(b"HTTP/1.1 ")[1:]]
    return [status for status in statuses if status not in (b"100", b"408")]


inputs = mutated(VALID, ALPHABET) | st.binary(max_size=200)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(inputs, cuts)
@example(b"", [])
def test_any_bytes_are_answered_or_closed(data: bytes, points: list[int]) -> None:
    check(data, points)


@pytest.mark.long
@settings(max_examples=30_000, suppress_health_check=[HealthCheck.too_slow])
@given(inputs, cuts)
def test_very_many_bytes_are_answered_or_closed(data: bytes, points: list[int]) -> None:
    check(data, points)


@pytest.mark.parametrize("data", corpus("server"))
def test_the_corpus_is_answered_or_closed(data: bytes) -> None:
    check(data, [])
    check(data, list(range(len(data))))
    for point in range(1, min(len(data), 200), 7):
        check(data, [point])


@pytest.mark.parametrize("data", VALID)
def test_valid_requests_are_answered_however_they_are_cut(data: bytes) -> None:
    for point in range(len(data)):
        check(data, [point])
