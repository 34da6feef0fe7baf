"""Clients that misbehave: they leave, read slowly, send halves, pipeline, or only hold a connection open."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from headgate.transport.connection import Connection
from tests.doubles.gateway import RunningGateway
from tests.doubles.wire import WireServer
from tests.fault.support import Reply, ask, calling, chat, check, deployment, get, post, running
from tests.fault.upstream import STREAM, STREAMED, WHOLE, chunk, chunked, misbehave
from tests.support import read_head, read_request, read_response, run

SEEN_SECONDS = 0.1
"""Within which an upstream must see that the client it works for has gone."""


async def _settled(gateway: RunningGateway) -> None:
    """Wait until the gateway has counted what ended: it does so in its own thread."""
    async with asyncio.timeout(5):
        while gateway.gateway.counters.in_flight:  # noqa: ASYNC110 - the other thread has no event for it
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", ["whole", "before-the-first-event", "in-a-stream"])
def test_a_client_that_leaves_is_seen_upstream_at_once(tmp_path: Path, kind: str) -> None:
    async def main() -> None:
        asked, gone = asyncio.Event(), asyncio.Event()

        async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            if kind == "in-a-stream":
                writer.write(STREAM + chunked(chunk("a")))
            asked.set()
            try:
                await reader.read()
            finally:
                gone.set()

        async with (
            WireServer(waiting) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            calling(gateway.port) as caller,
        ):
            caller.writer.write(post(chat("x", stream=kind != "whole")))
            await asked.wait()
            if kind == "in-a-stream":
                await read_head(caller.reader)
            left = time.monotonic()
            caller.writer.transport.abort()
            await gone.wait()
            assert time.monotonic() - left < SEEN_SECONDS
            await _settled(gateway)
            assert gateway.gateway.counters.disconnects == 1

    run(main())


def test_a_client_that_leaves_does_not_disturb_the_next_on_the_same_upstream(tmp_path: Path) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            for number in range(20):
                async with calling(gateway.port) as leaving:
                    leaving.writer.write(post(chat(f"good left-{number}", stream=number % 2 == 0)))
                    if number % 3:
                        await asyncio.sleep(0)
                    leaving.writer.transport.abort()
                reply = await ask(gateway.port, chat(f"good stayed-{number}"))
                check(reply, WHOLE["good"], f"stayed-{number}", stream=False)
            await _settled(gateway)

    run(main())


PIECE = chunked(chunk("x" * 60_000))
PIECES = 3_500
"""Of 60 KB each: about 200 MB."""
BUFFERED = 30_000_000
"""Bytes that may be on their way at most: what the kernel holds for four ends of connections, and the gateway's own."""


def test_a_slow_reader_makes_the_upstream_wait_and_costs_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        sent, waits = 0, asyncio.Event()
        loop, pause = asyncio.get_running_loop(), Connection.pause

        def note_pause(connection: Connection) -> None:
            pause(connection)
            loop.call_soon_threadsafe(waits.set)

        monkeypatch.setattr(Connection, "pause", note_pause)

        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            nonlocal sent
            await read_request(reader)
            writer.write(STREAM)
            for _ in range(PIECES):
                writer.write(PIECE)
                await writer.drain()
                sent += len(PIECE)
            writer.write(chunked(chunk("", "stop"), b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()

        async with (
            WireServer(flood) as upstream,
            running(tmp_path, deployment(upstream.port, timeout=1.0)) as gateway,
            calling(gateway.port, limit=65536) as caller,
        ):
            caller.writer.write(post(chat("x", stream=True)))
            await read_head(caller.reader)
            await waits.wait()
            # Longer than the upstream may be silent: that the client does not read is not the upstream's fault.
            await asyncio.sleep(1.5)
            assert sent < BUFFERED
            # Meanwhile others are served.
            assert (await get(gateway.port, "/health/liveliness")).status == 200
            received, tail = 0, b""
            while not tail.endswith(b"0\r\n\r\n"):
                data = await caller.reader.read(1_000_000)
                assert data, "the stream broke off"
                received += len(data)
                tail = (tail + data)[-100:]
                # What has not come out yet is the memory that it costs.
                assert sent - received < BUFFERED
            assert b"[DONE]" in tail
            assert received > PIECES * 60_000

    run(main())


def test_pipelined_requests_of_all_kinds_are_answered_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            WireServer(misbehave) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            calling(gateway.port) as caller,
        ):
            order = [(name, name == "good" and number % 2 == 0) for number, name in enumerate(["good", "empty"] * 3)]
            data = b"".join(
                post(chat(f"{name} token-{number}", stream=stream)) for number, (name, stream) in enumerate(order)
            )
            # Cut where it hurts: in the middle of heads and bodies.
            for start in range(0, len(data), 97):
                caller.writer.write(data[start : start + 97])
                await caller.writer.drain()
            for number, (name, stream) in enumerate(order):
                status, headers, body = await read_response(caller.reader)
                fault = (STREAMED if stream else WHOLE)[name]
                check(Reply(status, headers, body), fault, f"token-{number}", stream=stream)

    run(main())


def test_five_hundred_idle_connections_and_half_requests_cost_nobody_anything(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            WireServer(misbehave) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            AsyncExitStack() as held,
        ):
            half = post(chat("good never"))[:-10]
            for number in range(500):
                idle = await held.enter_async_context(calling(gateway.port))
                if number % 2:
                    idle.writer.write(half)
            for number in range(20):
                reply = await ask(gateway.port, chat(f"good token-{number}"))
                check(reply, WHOLE["good"], f"token-{number}", stream=False)
            assert upstream.connections == 1
            assert gateway.gateway.counters.in_flight == 0

    run(main())


def test_expect_continue_through_the_whole_gateway(tmp_path: Path) -> None:
    async def main() -> None:
        body = chat("good token")
        async with (
            WireServer(misbehave) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            calling(gateway.port) as caller,
        ):
            head = post(body, extra="Expect: 100-continue\r\n").removesuffix(body)
            caller.writer.write(head)
            assert await read_head(caller.reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
            caller.writer.write(body)
            check(Reply(*await read_response(caller.reader)), WHOLE["good"], "token", stream=False)

    run(main())


def test_an_expected_body_is_not_asked_for_without_a_key(tmp_path: Path) -> None:
    async def main() -> None:
        body = chat("good token")
        async with running(tmp_path, deployment(1)) as gateway, calling(gateway.port) as caller:
            caller.writer.write(post(body, extra="Expect: 100-continue\r\n", key="sk-wrong").removesuffix(body))
            status, headers, _ = await read_response(caller.reader)
            assert (status, headers["connection"]) == (401, "close")

    run(main())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_http_1_0_client(tmp_path: Path, stream: bool) -> None:
    async def main() -> None:
        async with (
            WireServer(misbehave) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            calling(gateway.port) as caller,
        ):
            request = post(chat("good token", stream=stream)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
            caller.writer.write(request)
            status, headers, body = await read_response(caller.reader)
            assert "transfer-encoding" not in headers
            fault = (STREAMED if stream else WHOLE)["good"]
            check(Reply(status, headers, body), fault, "token", stream=stream)
            assert await caller.reader.read() == b""

    run(main())


def test_a_client_that_closes_its_sending_side_counts_as_gone(tmp_path: Path) -> None:
    """Nothing tells a half-closed client from one that left; the answer of a client that left must not be paid for."""

    async def main() -> None:
        asked, gone = asyncio.Event(), asyncio.Event()

        async def waiting(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
            await read_request(reader)
            asked.set()
            try:
                await reader.read()
            finally:
                gone.set()

        async with (
            WireServer(waiting) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            calling(gateway.port) as caller,
        ):
            caller.writer.write(post(chat("x")))
            await asked.wait()
            caller.writer.write_eof()
            await gone.wait()

    run(main())


async def _churn(port: int, number: int) -> None:
    async with calling(port) as caller:
        stream = number % 2 == 0
        caller.writer.write(post(chat(f"good token-{number}", stream=stream)))
        if number % 3 == 0:
            caller.writer.transport.abort()
            return
        reply = Reply(*await read_response(caller.reader))
        check(reply, (STREAMED if stream else WHOLE)["good"], f"token-{number}", stream=stream)


def test_clients_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            for start in range(0, 300, 50):
                async with asyncio.TaskGroup() as group:
                    for number in range(start, start + 50):
                        group.create_task(_churn(gateway.port, number))
            await _settled(gateway)
            backlog = await get(gateway.port, "/health/backlog")
            assert backlog.body == b'{"in_flight_requests":0}'

    run(main())
