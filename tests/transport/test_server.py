"""The server protocol on raw sockets: framing, limits, deadlines, and the end of a process."""

import asyncio
from functools import partial
from typing import Any

import pytest
import uvicorn

from headgate.transport.exchange import Exchange
from headgate.transport.server import HEAD_LIMIT, ServerProtocol
from tests.doubles.transport import MemoryTransport
from tests.support import read_response, run
from tests.transport.serving import QUICK, Plane, Receive, asgi, ask, echo, post, serving


def test_answers_data_and_control_plane_on_one_connection() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            for _ in range(3):
                writer.write(post())
                assert (await read_response(reader))[2] == b"hello"
                writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await read_response(reader))[2] == b"asgi"
            writer.close()

    run(main())


def test_a_request_in_single_bytes_is_served() -> None:
    data = post(b"hello")
    assert ask(*[data[index : index + 1] for index in range(len(data))])[2] == b"hello"


def test_a_chunked_request_is_served_and_its_trailer_is_dropped() -> None:
    async def show(exchange: Exchange) -> None:
        assert exchange.ticket == b"none"
        exchange.respond(200, b"", b"%b|%d" % (exchange.body, len(exchange.headers)))

    request = b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: evil\r\nAuthorization: Bearer bad\r\n\r\n"
    assert ask(request + chunks, handler=show)[2] == b"hello|2"


def test_expect_continue() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            writer.write(b"POST /data HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"hello")
            assert (await read_response(reader))[2] == b"hello"
            writer.close()

    run(main())


def test_a_refusal_comes_before_the_body_is_asked_for() -> None:
    head = b"POST /data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    status, fields, body = ask(head)
    assert (status, fields["connection"], body) == (401, "close", b"no")


def test_a_refused_small_body_leaves_the_connection_usable() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            writer.write(post(b"secret", b"Authorization: Bearer bad\r\n"))
            assert (await read_response(reader))[0] == 401
            writer.write(post())
            assert (await read_response(reader))[2] == b"hello"
            writer.close()

    run(main())


def test_a_refused_large_body_is_not_read() -> None:
    head = b"POST /data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\nContent-Length: 150000\r\n\r\n"
    status, fields, _ = ask(head, b"x" * 1000)
    assert (status, fields["connection"]) == (401, "close")


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n", id="announced"),
        pytest.param(
            b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"10000\r\n%b\r\n" % (b"x" * 65536) * 5,
            id="chunked",
        ),
    ],
)
def test_a_body_over_the_limit_is_413(request_bytes: bytes) -> None:
    assert ask(request_bytes)[0] == 413


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"POST /data HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400, id="no-host"),
        pytest.param(b"POST /data HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n", 400, id="two-hosts"),
        pytest.param(b"GET /x HTTP/1.1\r\n\r\n", 400, id="no-host-on-the-control-plane"),
        pytest.param(b"garbage\r\n\r\n", 400, id="garbage"),
        pytest.param(
            b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            400,
            id="two-lengths",
        ),
        pytest.param(
            b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="length-and-chunked",
        ),
        pytest.param(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, id="negative-length"),
        pytest.param(
            b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, id="bad-chunk-size"
        ),
        pytest.param(b"POST /data HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (HEAD_LIMIT + 10), 431, id="endless-header"),
        pytest.param(
            b"POST /data HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * (HEAD_LIMIT // 6 + 10), 431, id="header-bomb"
        ),
        pytest.param(b"POST /" + b"a" * (HEAD_LIMIT + 10), 431, id="endless-url"),
        pytest.param(
            b"POST /other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            id="bad-chunk-size-on-the-control-plane",
        ),
    ],
)
def test_what_is_not_a_usable_request_is_refused(request_bytes: bytes, status: int) -> None:
    answered, fields, _ = ask(request_bytes)
    assert (answered, fields.get("connection")) == (status, "close")


def test_a_large_body_right_behind_the_header_is_not_counted_as_header() -> None:
    assert len(ask(post(b"x" * 150_000))[2]) == 150_000


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"POST /da", id="in-the-request-line"),
        pytest.param(b"POST /data HTTP/1.1\r\nHost: x\r\n", id="in-the-header"),
        pytest.param(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf", id="in-the-body"),
    ],
)
def test_a_request_that_stops_arriving_is_408(start: bytes) -> None:
    status, fields, _ = ask(start, deadlines=QUICK)
    assert (status, fields["connection"]) == (408, "close")


def test_a_body_that_trickles_has_a_deadline_too() -> None:
    async def main() -> None:
        async with serving(deadlines=QUICK) as served:
            reader, writer = await served.connect()
            writer.write(b"POST /data HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            answer = asyncio.create_task(read_response(reader))
            while not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
            assert (await answer)[0] == 408
            writer.close()

    run(main())


@pytest.mark.parametrize("first", [b"", post()], ids=["silent", "after-an-answer"])
def test_an_idle_connection_is_closed(first: bytes) -> None:
    async def main() -> None:
        async with serving(deadlines=QUICK) as served:
            reader, writer = await served.connect()
            if first:
                writer.write(first)
                await read_response(reader)
            assert await reader.read() == b""
            writer.close()

    run(main())


def test_a_control_plane_body_that_stops_arriving_is_closed() -> None:
    async def main() -> None:
        told: asyncio.Queue[dict[str, object]] = asyncio.Queue()

        async def wait_for_all(scope: dict[str, object], receive: Receive, send: object) -> None:
            for _ in range(2):
                told.put_nowait(await receive())

        async with serving(deadlines=QUICK, application=wait_for_all) as served:
            reader, writer = await served.connect()
            writer.write(b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
            assert await told.get() == {"type": "http.request", "body": b"half", "more_body": True}
            assert await reader.read() == b""
            assert await told.get() == {"type": "http.disconnect"}
            assert not served.state.connections
            writer.close()

    run(main())


def test_a_client_that_goes_away_cancels_its_request() -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with serving(handler) as served:
            _, writer = await served.connect()
            writer.write(post())
            await begun.wait()
            writer.close()
            async with asyncio.timeout(0.1):
                await ended.wait()
            assert served.plane.cancelled == 1
            assert not served.state.connections

    run(main())


def test_a_client_that_leaves_before_its_task_has_begun_is_noticed() -> None:
    """A task that is cancelled before its first step runs nothing, so it can not notice by itself."""

    async def main() -> None:
        left: list[bool] = []

        class Leaving(Plane):
            def handle(self, exchange: Exchange) -> None:
                exchange.on_disconnect = lambda: left.append(True)
                super().handle(exchange)

        protocol_type: Any = partial(ServerProtocol, plane=Leaving(echo))
        config = uvicorn.Config(asgi, http=protocol_type, ws="none", lifespan="off", log_config=None)
        config.load()
        loop = asyncio.get_running_loop()
        protocol = protocol_type(config, uvicorn.server.ServerState(), {}, loop)
        transport = MemoryTransport(loop)
        transport.attach(protocol)
        protocol.data_received(post())
        protocol.connection_lost(None)
        assert left == [True]
        await asyncio.sleep(0)
        assert transport.written == b""

    run(main())


class Tap:
    """A source that remembers whether it was told to wait."""

    def __init__(self) -> None:
        self.paused, self.resumed = asyncio.Event(), asyncio.Event()

    def pause(self) -> None:
        self.paused.set()

    def resume(self) -> None:
        self.resumed.set()


def test_streams_chunk_by_chunk_and_keeps_the_connection() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.begin(200, b"content-type: text/event-stream\r\n", Tap())
        for piece in (b"one", b"", b"two"):
            exchange.write(piece)
        exchange.finish()

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            for _ in range(2):
                writer.write(post())
                status, fields, body = await read_response(reader)
                assert (status, fields["transfer-encoding"], body) == (200, "chunked", b"onetwo")
            writer.close()

    run(main())


def test_an_http_1_0_client_gets_a_stream_without_chunks() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.begin(200, b"", Tap())
        exchange.write(b"one")
        exchange.finish()

    status, fields, body = ask(b"POST /data HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n", handler=handler)
    assert (status, body) == (200, b"one")
    assert "transfer-encoding" not in fields


def test_an_aborted_stream_is_visibly_not_whole() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.begin(200, b"", Tap())
        exchange.write(b"one")
        exchange.abort()

    with pytest.raises(asyncio.IncompleteReadError):
        ask(post(), handler=handler)


def test_a_slow_reader_makes_the_source_wait_and_go_on() -> None:
    async def main() -> None:
        tap = Tap()

        async def handler(exchange: Exchange) -> None:
            exchange.begin(200, b"", tap)
            while not tap.paused.is_set():
                exchange.write(b"x" * 65536)
                await asyncio.sleep(0)
            await tap.resumed.wait()
            exchange.finish()

        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(post())
            await tap.paused.wait()
            assert (await read_response(reader))[0] == 200
            writer.close()

    run(main())


def test_a_reader_that_stops_for_good_is_cut_off() -> None:
    async def main() -> None:
        tap, ended = Tap(), asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            exchange.begin(200, b"", tap)
            try:
                while not tap.paused.is_set():
                    exchange.write(b"x" * 65536)
                    await asyncio.sleep(0)
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with serving(handler, QUICK) as served:
            _, writer = await served.connect()
            writer.write(post())
            await ended.wait()
            assert not served.state.connections
            writer.close()

    run(main())


def test_shutdown_closes_idle_connections_and_finishes_the_others() -> None:
    async def main() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            begun.set()
            await go.wait()
            exchange.respond(200, b"", b"done")

        async with serving(handler) as served:
            idle_reader, idle_writer = await served.connect()
            reader, writer = await served.connect()
            writer.write(post())
            await begun.wait()
            for connection in list(served.state.connections):
                connection.shutdown()
            assert await idle_reader.read() == b""
            go.set()
            status, fields, body = await read_response(reader)
            assert (status, fields["connection"], body) == (200, "close", b"done")
            assert await reader.read() == b""
            idle_writer.close()
            writer.close()

    run(main())


def test_draining_asks_clients_to_connect_anew() -> None:
    async def main() -> None:
        async with serving() as served:
            served.plane.draining = True
            _, fields, _ = await served.ask(post())
            assert fields["connection"] == "close"

    run(main())
