"""The end of a process: SIGTERM under load loses no request, and a killed worker is replaced."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.doubles.wire import WireServer
from tests.fault.process import ServedProcess, wait_until
from tests.fault.support import Reply, ask, calling, chat, check, configuration, deployment, get, post
from tests.fault.upstream import STREAM, STREAMED, WHOLE, chunk, chunked, misbehave
from tests.support import read_head, read_request, read_response, run

DRAIN = 1.5
DRAIN_SETTINGS = {"HEADGATE_DRAIN_SECONDS": str(DRAIN), "HEADGATE_SHUTDOWN_TIMEOUT": "10"}


async def _load(port: int, name: str, stop: asyncio.Event, done: list[str]) -> None:
    """Ask one request after another, as a client behind a load balancer: it keeps its connection while it may, and
    opens no other one once the balancer has taken the gateway out.
    """
    number = 0
    while not stop.is_set():
        async with calling(port) as caller:
            while True:
                token, stream = f"token-{name}-{number}", number % 4 == 3
                reply = await caller.ask(chat(f"good {token}", stream=stream))
                check(reply, (STREAMED if stream else WHOLE)["good"], token, stream=stream)
                done.append(token)
                number += 1
                if reply.headers.get("connection") == "close" or stop.is_set():
                    break


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_fails_no_request(tmp_path: Path, workers: int) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream:
            served = ServedProcess(
                tmp_path, configuration(deployment(upstream.port)), workers=workers, environ=DRAIN_SETTINGS
            )
            with served:
                stop, done = asyncio.Event(), list[str]()
                async with asyncio.TaskGroup() as group:
                    for number in range(16):
                        group.create_task(_load(served.port, str(number), stop, done))
                    await asyncio.sleep(0.5)
                    served.terminate()
                    signaled, before = time.monotonic(), len(done)
                    await asyncio.sleep(0.3)
                    # Taken out of the balancer first, while whoever still comes is served.
                    readiness = await get(served.port, "/health/readiness")
                    assert readiness.status == 503
                    assert b"shutting down" in readiness.body
                    check(await ask(served.port, chat("good late")), WHOLE["good"], "late", stream=False)
                    await asyncio.sleep(DRAIN * 0.4)
                    stop.set()
                assert len(done) > before
                assert await served.exit_code(10) == 0
                assert time.monotonic() - signaled < 10
                assert "Traceback" not in served.log

    run(main())


def test_streams_in_flight_finish_after_sigterm(tmp_path: Path) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            writer.write(STREAM + chunked(chunk("one ")))
            await ended.wait()
            writer.write(chunked(chunk("two"), chunk("", "stop"), b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()

        async with WireServer(slowly) as upstream:
            served = ServedProcess(
                tmp_path,
                configuration(deployment(upstream.port)),
                environ={"HEADGATE_DRAIN_SECONDS": "0.1", "HEADGATE_SHUTDOWN_TIMEOUT": "10"},
            )
            with served:
                async with calling(served.port) as caller, calling(served.port) as idle:
                    caller.writer.write(post(chat("x", stream=True)))
                    answer = asyncio.create_task(read_response(caller.reader))
                    while upstream.connections == 0:  # noqa: ASYNC110 - counted by the double, which has no event
                        await asyncio.sleep(0.01)
                    served.terminate()
                    assert await idle.reader.read() == b""
                    # The listener is closed by now: nobody new is accepted while the stream goes on.
                    with pytest.raises(ConnectionRefusedError):
                        await asyncio.open_connection("127.0.0.1", served.port)
                    ended.set()
                    check(Reply(*await answer), STREAMED["good"], "one two", stream=True)
                assert await served.exit_code(5) == 0

    run(main())


def test_what_outlasts_the_grace_period_is_cut_visibly(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(STREAM + chunked(chunk("one ")))
        await reader.read()

    async def main() -> None:
        async with WireServer(hang) as upstream:
            served = ServedProcess(
                tmp_path,
                configuration(deployment(upstream.port)),
                environ={"HEADGATE_DRAIN_SECONDS": "0", "HEADGATE_SHUTDOWN_TIMEOUT": "1"},
            )
            with served:
                async with calling(served.port) as caller:
                    caller.writer.write(post(chat("x", stream=True)))
                    await read_head(caller.reader)
                    served.terminate()
                    assert await served.exit_code(5) == 0
                    rest = await caller.reader.read()
                    assert b"[DONE]" not in rest
                    assert not rest.endswith(b"0\r\n\r\n") or b'"error"' in rest

    run(main())


def test_a_half_sent_request_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        served = ServedProcess(tmp_path, configuration(deployment(1)), environ={"HEADGATE_DRAIN_SECONDS": "0"})
        with served:
            async with calling(served.port) as half, calling(served.port) as silent:
                half.writer.write(post(chat("x"))[:-5])
                silent.writer.write(b"")
                assert (await get(served.port, "/health/liveliness")).status == 200
                served.terminate()
                assert await served.exit_code(6) == 0

    run(main())


def test_deadlines_are_kept_while_the_gateway_drains(tmp_path: Path) -> None:
    async def main() -> None:
        environ = {"HEADGATE_DRAIN_SECONDS": "600", "HEADGATE_KEEPALIVE_TIMEOUT": "1"}
        with ServedProcess(tmp_path, configuration(deployment(1)), environ=environ) as served:
            async with calling(served.port) as idle:
                idle.writer.write(b"GET /health/liveliness HTTP/1.1\r\nHost: gateway\r\n\r\n")
                await read_response(idle.reader)
                served.terminate()
                assert await idle.reader.read() == b""
                readiness = await get(served.port, "/health/readiness")
                assert readiness.status == 503

    run(main())


async def _serves(port: int, number: int) -> None:
    check(await ask(port, chat(f"good token-{number}")), WHOLE["good"], f"token-{number}", stream=False)


def test_a_killed_worker_is_replaced_while_the_other_serves(tmp_path: Path) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream:
            with ServedProcess(tmp_path, configuration(deployment(upstream.port)), workers=2) as served:
                await asyncio.to_thread(wait_until, lambda: len(served.children) == 2, 5, lambda: served.log)
                await _serves(served.port, 0)
                first, second = served.children
                os.kill(first, signal.SIGKILL)
                for number in range(50):
                    await _serves(served.port, number)
                await asyncio.to_thread(
                    wait_until,
                    lambda: len(served.children) == 2 and first not in served.children,
                    10,
                    lambda: served.log,
                )
                assert second in served.children
                for number in range(50):
                    await _serves(served.port, number)
                served.terminate()
                assert await served.exit_code(10) == 0

    run(main())


def test_sigterm_while_a_worker_is_being_replaced_ends_everything(tmp_path: Path) -> None:
    """A worker that dies young is replaced after a pause; the one that came after SIGTERM would never be told."""

    async def main() -> None:
        served = ServedProcess(
            tmp_path, configuration(deployment(1)), workers=2, environ={"HEADGATE_DRAIN_SECONDS": "0"}
        )
        with served:
            await asyncio.to_thread(wait_until, lambda: len(served.children) == 2, 5, lambda: served.log)
            for pid in served.children:
                os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(wait_until, lambda: "starting another" in served.log, 5, lambda: served.log)
            served.terminate()
            assert await served.exit_code(8) == 0

    run(main())
