"""What stands behind a request on its connection: further requests, halves of them, garbage, another protocol."""

import asyncio

import pytest

from headgate.transport.exchange import Exchange
from headgate.transport.server import HEAD_LIMIT, OVERHEAD_LIMIT, PIPELINE_LIMIT, ServerProtocol
from tests.support import read_response, run
from tests.transport.serving import QUICK, ask, post, serving


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        turn = asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            if exchange.body == b"first":
                await turn.wait()
            else:
                turn.set()
            exchange.respond(200, b"", exchange.body)

        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(post(b"first") + post(b"second") + b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" + post(b"third"))
            turn.set()
            answers = [(await read_response(reader))[2] for _ in range(4)]
            assert answers == [b"first", b"second", b"asgi", b"third"]
            writer.close()

    run(main())


def test_the_pipeline_is_bounded() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            writer.write(post() * (PIPELINE_LIMIT * 4))
            answered = 0
            try:
                while True:
                    await read_response(reader)
                    answered += 1
            except asyncio.IncompleteReadError:
                pass
            assert 1 <= answered <= PIPELINE_LIMIT + 1
            writer.close()

    run(main())


def _half_behind(first: bytes) -> bytes:
    """Return a request with half a header of the next one behind it."""
    return first + b"POST /data HTTP/1.1\r\nHost: x\r\nX: "


def test_a_header_that_never_ends_behind_a_request_is_bounded_while_that_is_answered() -> None:
    async def main() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def handler(exchange: Exchange) -> None:
            begun.set()
            await go.wait()
            exchange.respond(200, b"", b"first")

        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(_half_behind(post()))
            await begun.wait()
            for _ in range(16):
                writer.write(b"a" * (OVERHEAD_LIMIT // 8))
                await writer.drain()
            connection = next(iter(served.state.connections))
            assert isinstance(connection, ServerProtocol)
            while not connection._ignoring:  # noqa: ASYNC110 - seen from inside only
                await asyncio.sleep(0)
            go.set()
            status, fields, body = await read_response(reader)
            assert (status, fields["connection"], body) == (200, "close", b"first")
            assert await reader.read() == b""
            writer.close()

    run(main())


def test_a_header_that_trickles_in_behind_an_answered_request_has_a_deadline() -> None:
    async def main() -> None:
        async with serving(deadlines=QUICK) as served:
            reader, writer = await served.connect()
            writer.write(_half_behind(post()))
            assert (await read_response(reader))[2] == b"hello"
            answer = asyncio.create_task(read_response(reader))
            while not answer.done():
                writer.write(b"a")
                await asyncio.sleep(0.05)
            assert (await answer)[0] == 408
            writer.close()

    run(main())


def test_a_header_half_sent_behind_a_request_can_be_completed() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            writer.write(_half_behind(post()))
            assert (await read_response(reader))[2] == b"hello"
            writer.write(b"a\r\nContent-Length: 4\r\n\r\nnext")
            assert (await read_response(reader))[2] == b"next"
            writer.close()

    run(main())


@pytest.mark.parametrize("key", [b"", b"Authorization: Bearer bad\r\n"], ids=["admitted", "refused"])
@pytest.mark.parametrize("endless", [b"X: ", b"0;x="], ids=["trailer", "chunk-extension"])
def test_what_never_ends_beside_a_body_is_refused(endless: bytes, key: bytes) -> None:
    start = b"0\r\n" if endless == b"X: " else b""
    head = b"POST /data HTTP/1.1\r\nHost: x\r\n%bTransfer-Encoding: chunked\r\n\r\n" % key
    pieces = [b"a" * OVERHEAD_LIMIT] * 16
    status, fields, _ = ask(head, start + endless, *pieces)
    assert (status, fields["connection"]) == (431, "close")


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_an_upgrade_is_ignored_and_the_request_answered(method: bytes) -> None:
    head = b"%b /data HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method, UPGRADE)
    status, fields, body = ask(head + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert (status, fields["connection"]) == (200, "close")
    assert body == (b"" if method == b"POST" else b"asgi")


LENGTH = b"Content-Length: 5\r\n\r\nhello"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1_000], ids=["in-single-bytes", "in-pieces", "at-once"])
@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("path", [b"/data", b"/other"], ids=["data-plane", "control-plane"])
def test_an_upgrade_with_a_body_is_ignored_and_the_body_read(path: bytes, framing: bytes, step: int) -> None:
    served: list[tuple[list[bytes], bytes]] = []

    async def keep(exchange: Exchange) -> None:
        served.append(([name for name, _ in exchange.headers], exchange.body))
        exchange.respond(200, b"", exchange.body)

    async def main() -> None:
        async with serving(keep) as gateway:
            reader, writer = await gateway.connect()
            data = b"POST %b HTTP/1.1\r\nHost: x\r\n%bX-Own: y\r\n%b" % (path, UPGRADE, framing)
            # What a client that did not wait sends in the other protocol, made to look like a request.
            data += post(b"smuggled")
            for start in range(0, len(data), step):
                writer.write(data[start : start + step])
            status, fields, body = await read_response(reader)
            assert (status, fields["connection"]) == (200, "close")
            assert body == (b"hello" if path == b"/data" else b"asgi")
            assert await reader.read() == b""
            writer.close()

    run(main())
    fields = [b"host", b"x-own", framing.partition(b":")[0].lower(), b"connection"]
    assert served == ([(fields, b"hello")] if path == b"/data" else [])


def test_an_upgrade_behind_another_request_is_answered_in_its_turn() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            asking = b"POST /data HTTP/1.1\r\nHost: x\r\n%b%b" % (UPGRADE, LENGTH)
            writer.write(post(b"first") + asking + post(b"smuggled"))
            assert (await read_response(reader))[2] == b"first"
            assert (await read_response(reader))[2] == b"hello"
            assert await reader.read() == b""
            writer.close()

    run(main())


@pytest.mark.parametrize("size", [HEAD_LIMIT - 400, 2 * HEAD_LIMIT])
def test_an_upgrade_with_a_large_body_right_behind_its_header(size: int) -> None:
    head = b"POST /data HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (UPGRADE, size)
    assert ask(head + b"x" * size)[2] == b"x" * size


def test_an_upgrade_behind_a_large_body() -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            body = b"x" * (HEAD_LIMIT + 5)
            writer.write(post(body) + b"POST /data HTTP/1.1\r\nHost: x\r\n%b%b" % (UPGRADE, LENGTH))
            assert (await read_response(reader))[2] == body
            assert (await read_response(reader))[2] == b"hello"
            writer.close()

    run(main())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n" + LENGTH, 400),
        (b"POST /data HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"Content-Length: 5\r\n" + CHUNKED, 400),
        (b"POST /data HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\n" + UPGRADE + LENGTH, 401),
        (b"POST /data HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"Content-Length: 9\r\n\r\nhalf", 408),
    ],
    ids=["connect", "two-framings", "bad-chunk", "bad-key", "half-a-body"],
)
def test_an_upgrade_is_no_way_around_the_rules(request_bytes: bytes, status: int) -> None:
    answered, fields, _ = ask(request_bytes, deadlines=QUICK)
    assert (answered, fields["connection"]) == (status, "close")


def test_an_upgrade_without_a_host_is_refused() -> None:
    assert ask(b"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")[0] == 400


def test_what_is_sent_behind_the_last_request_of_a_connection_is_not_served() -> None:
    served_bodies: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        served_bodies.append(exchange.body)
        exchange.respond(200, b"", exchange.body)

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            bad = b"Connection: close\r\nAuthorization: Bearer bad\r\n"
            writer.write(post(b"refused", bad) + post(b"behind"))
            assert (await read_response(reader))[0] == 401
            assert await reader.read() == b""
            writer.close()
        assert served_bodies == []

    run(main())


def test_a_control_plane_answer_is_finished_when_garbage_follows_its_request() -> None:
    status, fields, body = ask(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\ngarbage\r\n\r\n")
    assert (status, fields["connection"], body) == (200, "close", b"asgi")


@pytest.mark.parametrize("behind", [post(b"behind"), b"garbage\r\n\r\n"], ids=["request", "garbage"])
def test_a_refused_request_is_the_last_of_its_connection(behind: bytes) -> None:
    served_bodies: list[bytes] = []

    async def handler(exchange: Exchange) -> None:
        served_bodies.append(exchange.body)
        exchange.respond(200, b"", exchange.body)

    async def main() -> None:
        async with serving(handler) as served:
            reader, writer = await served.connect()
            writer.write(b"POST /data HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + behind)
            assert (await read_response(reader))[0] == 400
            assert await reader.read() == b""
            writer.close()
        assert served_bodies == []

    run(main())


def test_a_body_that_breaks_behind_its_answer_gets_no_second_one() -> None:
    """The control plane may answer before it has read all of a body."""

    async def main() -> None:
        async with serving() as served:
            reader, writer = await served.connect()
            writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            assert (await read_response(reader))[2] == b"asgi"
            writer.write(b"zz\r\n")
            assert await reader.read() == b""
            writer.close()

    run(main())
