"""The upstream client against upstreams that behave well, badly, and not at all."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.core.provider import Origin, UpstreamRequest
from headgate.transport.client import Client, ClientSettings
from headgate.transport.connection import Timeouts
from headgate.transport.dialer import Dialer
from headgate.transport.response import Response
from tests.doubles.wire import WireServer
from tests.support import read_request, run

NO_LIMITS = Timeouts(connect=5.0, first_byte=10.0, between=10.0, total=10.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def request(origin: Origin, body: bytes = b"{}") -> UpstreamRequest:
    return UpstreamRequest(origin, b"/v1/x", b"Content-Type: application/json\r\n", body)


def answering(*answers: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]:
    """Answer each request of a connection with the next of these bytes, then close."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return behave


async def fetch(client: Client, origin: Origin, timeouts: Timeouts = NO_LIMITS) -> tuple[int, bytes]:
    response = await client.send(request(origin), timeouts, whole=True)
    return response.status, await response.read()


def exchange(*answers: bytes, requests: int = 1, settings: ClientSettings | None = None) -> tuple[list[bytes], int]:
    """Send requests one after another; return the bodies and the number of connections they took."""

    async def main() -> tuple[list[bytes], int]:
        async with WireServer(answering(*answers)) as server:
            client = Client(Dialer(), settings)
            try:
                return [(await fetch(client, server.origin))[1] for _ in range(requests)], server.connections
            finally:
                await client.close()

    return run(main())


def failure(*answers: bytes, settings: ClientSettings | None = None) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        exchange(*answers, settings=settings)
    return caught.value


def test_sends_a_complete_request() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        seen.append(await read_request(reader))
        writer.write(OK)

    async def main() -> None:
        async with WireServer(behave) as server:
            client = Client(Dialer())
            await client.send(request(server.origin, b'{"a":1}'), NO_LIMITS, whole=True)
            await client.close()
            head, body = seen[0]
            assert head.split(b"\r\n") == [
                b"POST /v1/x HTTP/1.1",
                b"Host: 127.0.0.1:%d" % server.port,
                b"Accept-Encoding: identity",
                b"Content-Type: application/json",
                b"Content-Length: 7",
                b"",
                b"",
            ]
            assert body == b'{"a":1}'

    run(main())


def test_reuses_a_connection_after_a_clean_answer() -> None:
    assert exchange(OK, OK, OK, requests=3) == ([b"ok"] * 3, 1)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", id="close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", id="http-1.0"),
        pytest.param(OK + b"surplus", id="surplus"),
        pytest.param(OK + OK, id="second-answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nok", id="ends-with-the-connection"),
    ],
)
def test_does_not_reuse_a_connection_after(answer: bytes) -> None:
    assert exchange(answer, requests=2) == ([b"ok"] * 2, 2)


def test_waits_past_interim_answers() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert exchange(interim + OK, OK, requests=2) == ([b"ok"] * 2, 1)


def test_reads_chunks_and_drops_trailers() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX-Late: 1\r\n\r\n"

    async def main() -> None:
        async with WireServer(answering(answer)) as server:
            client = Client(Dialer())
            response = await client.send(request(server.origin), NO_LIMITS, whole=True)
            assert await response.read() == b"ok"
            assert list(response.headers) == [(b"transfer-encoding", b"chunked")]
            await client.close()

    run(main())


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        pytest.param(b"", Category.CONNECTION, id="nothing"),
        pytest.param(b"garbage\r\n\r\n", Category.PROTOCOL, id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Category.CONNECTION, id="too-short"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", Category.CONNECTION, id="half-a-chunk"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok", Category.PROTOCOL, id="bad-chunk"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", Category.PROTOCOL, id="two-lengths"
        ),
        pytest.param(
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Category.PROTOCOL, id="101"
        ),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", Category.CONNECTION, id="only-interim"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, Category.PROTOCOL, id="endless-header"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
            Category.PROTOCOL,
            id="long-header-in-one-piece",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: " + b"a" * 1_000_000,
            Category.PROTOCOL,
            id="endless-trailer",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=" + b"a" * 1_000_000,
            Category.PROTOCOL,
            id="endless-chunk-extension",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok", Category.PROTOCOL, id="br"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
            Category.PROTOCOL,
            id="not-gzip",
        ),
    ],
)
def test_a_broken_answer_is_an_error(answer: bytes, category: Category) -> None:
    error = failure(answer)
    assert (error.category, error.status) == (category, 502)


def test_inflates_what_was_compressed_unasked() -> None:
    body = gzip.compress(b"hello" * 1000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert exchange(head + body) == ([b"hello" * 1000], 1)


def test_a_bomb_is_not_inflated() -> None:
    body = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert failure(head + body, settings=ClientSettings(response_limit=1_000)).category is Category.PROTOCOL


def test_a_large_answer_is_refused() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
    assert failure(answer, settings=ClientSettings(response_limit=1_000)).category is Category.PROTOCOL


def test_a_refused_connection_is_an_error() -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        client = Client(Dialer())
        with pytest.raises(UpstreamError) as caught:
            await fetch(client, Origin("http", "127.0.0.1", port))
        assert caught.value.category is Category.CONNECTION
        assert str(port) not in caught.value.message
        await client.close()

    run(main())


def test_a_stale_connection_is_replaced_once_nothing_was_answered() -> None:
    served: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await read_request(reader)
        served.append(number)
        writer.write(OK)
        await writer.drain()
        if number == 0:
            # Accept the next request and close without a byte of an answer.
            await read_request(reader)
            return
        await read_request(reader)
        writer.write(OK)

    async def main() -> None:
        async with WireServer(behave) as server:
            client = Client(Dialer())
            for _ in range(3):
                assert await fetch(client, server.origin) == (200, b"ok")
            assert served == [0, 1]
            assert server.connections == 2
            await client.close()

    run(main())


def test_a_connection_that_died_in_the_middle_of_an_answer_is_not_retried() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(OK)
        await read_request(reader)
        writer.write(b"HTTP/1.1 200")

    async def main() -> None:
        async with WireServer(behave) as server:
            client = Client(Dialer())
            await fetch(client, server.origin)
            with pytest.raises(UpstreamError) as caught:
                await fetch(client, server.origin)
            assert caught.value.category is Category.CONNECTION
            assert server.connections == 1
            await client.close()

    run(main())


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    await read_request(reader)
    await reader.read()


async def _stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
    await reader.read()


@pytest.mark.parametrize(
    ("behave", "timeouts", "words"),
    [
        (_silent, Timeouts(first_byte=0.05), "begin"),
        (_silent, Timeouts(total=0.05), "finish"),
        (_stalling, Timeouts(first_byte=5.0, between=0.05), "middle"),
        (_stalling, Timeouts(first_byte=5.0, total=0.05), "finish"),
    ],
)
def test_deadlines(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]], timeouts: Timeouts, words: str
) -> None:
    async def main() -> None:
        async with WireServer(behave) as server:
            client = Client(Dialer())
            with pytest.raises(UpstreamError) as caught:
                await fetch(client, server.origin, timeouts)
            assert (caught.value.category, caught.value.status) == (Category.TIMEOUT, 504)
            assert words in caught.value.message
            assert client.statistics()[server.origin] == (0, 0)
            await client.close()

    run(main())


def test_cancelling_closes_the_connection() -> None:
    async def main() -> None:
        gone = asyncio.Event()
        asked = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            asked.set()
            await reader.read()
            gone.set()

        async with WireServer(behave) as server:
            client = Client(Dialer())
            task = asyncio.create_task(fetch(client, server.origin))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(1.0):
                await gone.wait()
            await client.close()

    run(main())


def test_the_pool_is_bounded_and_hands_connections_on() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            while True:
                await read_request(reader)
                await release.wait()
                writer.write(OK)

        async with WireServer(behave) as server:
            client = Client(Dialer(), ClientSettings(maximum_connections=2))
            tasks = [asyncio.create_task(fetch(client, server.origin)) for _ in range(20)]
            await asyncio.sleep(0)
            release.set()
            assert await asyncio.gather(*tasks) == [(200, b"ok")] * 20
            assert server.connections <= 2
            await client.close()

    run(main())


def test_nothing_is_dialed_after_the_end() -> None:
    """Neither for a request that waited for a connection, nor for one that comes now."""

    async def main() -> None:
        asked = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            asked.set()
            await reader.read()

        async with WireServer(hold) as server:
            client = Client(Dialer(), ClientSettings(maximum_connections=1))
            tasks = [asyncio.create_task(fetch(client, server.origin)) for _ in range(3)]
            await asked.wait()
            await client.close()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for elsewhere in (server.origin, server.origin._replace(host="localhost")):
                with pytest.raises(UpstreamError) as late:
                    await fetch(client, elsewhere)
                ended.append(late.value)
            assert [isinstance(end, UpstreamError) and end.category for end in ended] == [Category.CONNECTION] * 5
            assert server.connections == 1

    run(main())


def test_a_connection_that_opens_after_the_end_is_closed() -> None:
    dialing, go_on = asyncio.Event(), asyncio.Event()

    class HeldDialer(Dialer):
        async def dial(
            self, origin: Origin, factory: Callable[[], asyncio.Protocol], *, timeout: float
        ) -> asyncio.Protocol:
            dialing.set()
            await go_on.wait()
            return await super().dial(origin, factory, timeout=timeout)

    async def main() -> None:
        received: list[bytes] = []
        done = asyncio.Event()

        async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
            try:
                received.append(await reader.read())
            finally:
                done.set()

        async with WireServer(listen) as server:
            client = Client(HeldDialer(), ClientSettings(maximum_connections=1))
            task = asyncio.create_task(fetch(client, server.origin))
            waiting = asyncio.create_task(fetch(client, server.origin))
            await dialing.wait()
            await client.close()
            with pytest.raises(UpstreamError, match="are closed"):
                await waiting
            go_on.set()
            with pytest.raises(UpstreamError):
                await task
            await done.wait()
            assert b"".join(received) == b""
            assert client.statistics() == {server.origin: (0, 0)}

    run(main())


def test_a_connection_that_comes_as_the_wait_for_it_is_given_up_goes_to_the_next() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            while True:
                await read_request(reader)
                await release.wait()
                writer.write(OK)

        async with WireServer(behave) as server:
            client = Client(Dialer(), ClientSettings(maximum_connections=1))
            first, second, third = (asyncio.create_task(fetch(client, server.origin)) for _ in range(3))
            while not server.connections:  # noqa: ASYNC110 - counted by the double, which has no event
                await asyncio.sleep(0)
            # The first has its answer and hands the connection to the second, which is gone before it can take it.
            first.add_done_callback(lambda _: second.cancel())
            release.set()
            assert await third == (200, b"ok")
            assert await first == (200, b"ok")
            await asyncio.gather(second, return_exceptions=True)
            assert client.statistics()[server.origin] == (1, 1)
            assert await fetch(client, server.origin) == (200, b"ok")
            await client.close()

    run(main())


def test_origins_without_a_connection_are_forgotten_when_there_are_many() -> None:
    async def main() -> None:
        async with WireServer(answering(OK, OK)) as busy, WireServer(answering(OK)) as last:
            client = Client(Dialer(), ClientSettings(remembered_origins=3))
            await fetch(client, busy.origin)
            for port in (1, 2, 3, 4):
                with pytest.raises(UpstreamError):
                    await fetch(client, Origin("http", "127.0.0.1", port))
            await fetch(client, last.origin)
            assert len(client.statistics()) <= 3
            assert client.statistics()[busy.origin] == (1, 1)
            assert await fetch(client, busy.origin) == (200, b"ok")
            assert busy.connections == 1
            await client.close()

    run(main())


def test_connections_that_close_as_they_are_handed_on_are_replaced() -> None:
    async def main() -> None:
        async with WireServer(answering(OK)) as server:
            client = Client(Dialer(), ClientSettings(maximum_connections=2))
            tasks = [asyncio.create_task(fetch(client, server.origin)) for _ in range(40)]
            assert await asyncio.gather(*tasks) == [(200, b"ok")] * 40
            await client.close()
            assert client.statistics()[server.origin] == (0, 0)

    run(main())


@pytest.mark.parametrize(
    ("settings", "timeouts"),
    [
        (ClientSettings(maximum_connections=1, wait=0.05), NO_LIMITS),
        (ClientSettings(maximum_connections=1), Timeouts(connect=0.05, first_byte=10.0)),
    ],
    ids=["by-the-setting", "by-the-request"],
)
def test_waiting_for_a_connection_has_an_end(settings: ClientSettings, timeouts: Timeouts) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            asked.set()
            await reader.read()

        async with WireServer(behave) as server:
            client = Client(Dialer(), settings)
            first = asyncio.create_task(fetch(client, server.origin))
            await asked.wait()
            with pytest.raises(UpstreamError) as caught:
                await fetch(client, server.origin, timeouts)
            assert caught.value.status == 503
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await client.close()

    run(main())


def test_relays_a_stream_piece_by_piece_and_stops_when_told() -> None:
    async def main() -> None:
        more = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            await more.wait()
            writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
            await read_request(reader)
            writer.write(OK)

        async with WireServer(behave) as server:
            client = Client(Dialer())
            response = await client.send(request(server.origin), NO_LIMITS, whole=False)
            pieces: list[bytes] = []
            ended = asyncio.get_running_loop().create_future()
            response.relay(_then(pieces.append, more.set), ended.set_result)
            assert await ended is None
            assert pieces == [b"one", b"two"]
            assert await fetch(client, server.origin) == (200, b"ok")
            assert server.connections == 1
            await client.close()

    run(main())


def _then(first: Callable[[bytes], None], second: Callable[[], None]) -> Callable[[bytes], None]:
    def both(data: bytes) -> None:
        first(data)
        second()

    return both


def test_a_stream_that_nobody_reads_makes_the_upstream_wait() -> None:
    """What the upstream can send ahead is bounded by our buffer and the kernel's, far below what it wants to."""

    async def main() -> None:
        sent = 0
        piece = b"%x\r\n%b\r\n" % (65536, b"x" * 65536)
        stuck = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            nonlocal sent
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(2_000):
                writer.write(piece)
                try:
                    async with asyncio.timeout(0.3):
                        await writer.drain()
                except TimeoutError:
                    stuck.set()
                    await writer.drain()
                sent += 65536
            writer.write(b"0\r\n\r\n")

        async with WireServer(behave) as server:
            client = Client(Dialer(), ClientSettings(response_limit=2**40))
            response = await client.send(request(server.origin), NO_LIMITS, whole=False)
            await stuck.wait()
            assert sent < 32 * 1024 * 1024
            assert len(await _drain(response)) == 2_000 * 65536
            await client.close()

    run(main())


async def _drain(response: Response) -> bytes:
    pieces: list[bytes] = []
    ended = asyncio.get_running_loop().create_future()
    response.relay(pieces.append, ended.set_result)
    assert await ended is None
    return b"".join(pieces)


def test_the_fields_are_those_of_the_final_answer_however_it_is_cut() -> None:
    answer = (
        b"HTTP/1.1 100 Continue\r\nX-First: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Second: 2\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nX-Third: 3\r\nContent-Length: 2\r\n\r\nok"
    )

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await read_request(reader)
        writer.write(answer[: number * 7])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(answer[number * 7 :])
        await writer.drain()

    async def main() -> None:
        async with WireServer(behave) as server:
            client = Client(Dialer())
            for _ in range(len(answer) // 7):
                response = await client.send(request(server.origin), NO_LIMITS, whole=True)
                assert list(response.headers) == [(b"x-third", b"3"), (b"content-length", b"2")]
            await client.close()

    run(main())
