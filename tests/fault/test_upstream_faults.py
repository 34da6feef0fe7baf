"""Upstreams that misbehave: every fault has a clear answer, and no client ever sees anything of another's."""

import asyncio
import json
import random
import time
from pathlib import Path

import pytest

from tests.doubles.wire import WireServer
from tests.fault.support import IMPATIENT, Caller, Reply, ask, calling, chat, check, deployment, post, running
from tests.fault.upstream import STREAM as STREAM_HEAD
from tests.fault.upstream import STREAMED, WHOLE, chunk, chunked, misbehave, reset
from tests.support import read_chunked, read_head, read_request, run

CASES = [(False, name) for name in WHOLE] + [(True, name) for name in STREAMED]


async def provoke(caller: Caller, name: str, token: str, *, stream: bool) -> None:
    """Ask for a fault and check what comes of it."""
    fault = (STREAMED if stream else WHOLE)[name]
    group = "impatient" if fault.impatient else "m"
    check(await caller.ask(chat(f"{name} {token}", model=group, stream=stream)), fault, token, stream=stream)


@pytest.mark.parametrize(("stream", "name"), CASES, ids=[f"{'streamed' if s else 'whole'}-{n}" for s, n in CASES])
def test_a_fault_has_a_clear_answer_and_the_next_request_is_served(tmp_path: Path, stream: bool, name: str) -> None:
    fault = (STREAMED if stream else WHOLE)[name]

    async def main() -> None:
        async with (
            WireServer(misbehave) as upstream,
            running(
                tmp_path,
                deployment(upstream.port),
                deployment(upstream.port, group="impatient", timeout=IMPATIENT),
            ) as gateway,
            calling(gateway.port) as caller,
        ):
            began = time.monotonic()
            await provoke(caller, name, "first-token", stream=stream)
            assert time.monotonic() - began < (IMPATIENT + 2 if fault.impatient else 5)
            await provoke(caller, "good", "second-token", stream=False)
            await provoke(caller, "good", "third-token", stream=True)
            if fault.reused is not None:
                assert upstream.connections == (1 if fault.reused else 2)

    run(main())


def test_two_hundred_mixed_requests_at_once_never_cross(tmp_path: Path) -> None:
    order = CASES * 3 + [(False, "good"), (True, "good")] * 40
    random.Random(7).shuffle(order)

    async def main() -> None:
        async with (
            WireServer(misbehave) as upstream,
            running(
                tmp_path,
                deployment(upstream.port),
                deployment(upstream.port, group="impatient", timeout=IMPATIENT),
            ) as gateway,
        ):
            waiting = iter(enumerate(order))

            async def client() -> None:
                async with calling(gateway.port) as caller:
                    for number, (stream, name) in waiting:
                        await provoke(caller, name, f"token-of-request-{number}-for-{name}", stream=stream)

            async with asyncio.TaskGroup() as group:
                for _ in range(200):
                    group.create_task(client())
            assert gateway.gateway.counters.in_flight == 0
            assert gateway.gateway.counters.requests == len(order)

    run(main())


def test_nothing_listens_upstream(tmp_path: Path) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream:
            port = upstream.port
        async with running(tmp_path, deployment(port)) as gateway:
            for stream in (False, True):
                reply = await ask(gateway.port, chat("good x", stream=stream))
                assert (reply.status, reply.error["type"]) == (502, "upstream_error")
                assert str(port) not in reply.error["message"]

    run(main())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_connection_that_died_while_idle_is_replaced_without_an_error(tmp_path: Path, stream: bool) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(WHOLE["good"].write("first"))
        await writer.drain()
        await read_head(reader)
        reset(writer)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await (once if number == 0 else misbehave)(reader, writer, number)

    async def main() -> None:
        async with WireServer(behave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            assert (await ask(gateway.port, chat("good first"))).status == 200
            reply = await ask(gateway.port, chat("good second", stream=stream))
            check(reply, (STREAMED if stream else WHOLE)["good"], "second", stream=stream)
            assert upstream.connections == 2

    run(main())


async def _never(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
    await reader.read()


async def _head_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    await read_request(reader)
    writer.write(STREAM_HEAD)
    await reader.read()


@pytest.mark.parametrize("slow", [_never, _head_only], ids=["no-head", "no-event"])
def test_a_slow_first_byte_fails_over_to_the_second_deployment(tmp_path: Path, slow: object) -> None:
    async def main() -> None:
        async with (
            WireServer(slow) as first,  # type: ignore[arg-type]
            WireServer(misbehave) as second,
            running(
                tmp_path,
                deployment(first.port, stream_timeout=IMPATIENT, order=1),
                deployment(second.port, order=2),
                num_retries=1,
            ) as gateway,
        ):
            reply = await ask(gateway.port, chat("good token", stream=True))
            check(reply, STREAMED["good"], "token", stream=True)
            assert reply.headers["x-litellm-attempted-retries"] == "1"
            assert (first.connections, second.connections) == (1, 1)

    run(main())


def test_a_stream_that_broke_after_its_first_event_is_not_retried(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            WireServer(misbehave) as first,
            WireServer(misbehave) as second,
            running(
                tmp_path, deployment(first.port, order=1), deployment(second.port, order=2), num_retries=2
            ) as gateway,
        ):
            check(await ask(gateway.port, chat("killed token", stream=True)), STREAMED["killed"], "token", stream=True)
            assert (first.connections, second.connections) == (1, 0)

    run(main())


@pytest.mark.parametrize("name", [name for name in STREAMED if STREAMED[name].status in (500, 502, 504, 429)])
def test_a_stream_that_broke_before_its_first_event_is_retried_elsewhere(tmp_path: Path, name: str) -> None:
    async def always(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(STREAMED[name].write("wrong"))
        await writer.drain()
        if STREAMED[name].then == "hang":
            await reader.read()

    async def main() -> None:
        async with (
            WireServer(always) as first,
            WireServer(misbehave) as second,
            running(
                tmp_path,
                deployment(first.port, order=1, timeout=IMPATIENT if STREAMED[name].impatient else 10),
                deployment(second.port, order=2),
                num_retries=1,
            ) as gateway,
        ):
            check(await ask(gateway.port, chat("good token", stream=True)), STREAMED["good"], "token", stream=True)

    run(main())


def _typed(*events: dict[str, object]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


USAGE = {"input_tokens": 1, "output_tokens": 1}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "usage": USAGE}
ANTHROPIC_START = _typed(
    {"type": "message_start", "message": {**MESSAGE, "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
)
RESPONSES_START = _typed({"type": "response.created", "response": {"id": "r"}})


@pytest.mark.parametrize(
    ("path", "model", "first", "last"),
    [
        ("/v1/messages", "anthropic/claude", ANTHROPIC_START, {"type": "error"}),
        ("/v1/responses", "openai/gpt", RESPONSES_START, {"type": "error"}),
        ("/v1/completions", "openai/gpt", chunk("a"), {}),
        ("/v1/chat/completions", "anthropic/claude", ANTHROPIC_START, {}),
    ],
    ids=["messages", "responses", "completions", "chat-over-anthropic"],
)
def test_a_killed_stream_ends_with_an_error_event_of_the_dialect(
    tmp_path: Path, path: str, model: str, first: bytes, last: dict[str, str]
) -> None:
    async def main() -> None:
        passed_on = asyncio.Event()

        async def killed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            await read_request(reader)
            writer.write(STREAM_HEAD + chunked(first))
            await passed_on.wait()
            reset(writer)

        async with (
            WireServer(killed) as upstream,
            running(tmp_path, deployment(upstream.port, model=model)) as gateway,
            calling(gateway.port) as caller,
        ):
            body = json.loads(chat("x", stream=True)) | {"input": "x", "prompt": "x", "max_tokens": 5}
            caller.writer.write(post(json.dumps(body).encode(), path))
            # The head goes out with the first event.
            head = await read_head(caller.reader)
            passed_on.set()
            reply = Reply(200, {}, await read_chunked(caller.reader))
            assert b" 200 " in head
            error = json.loads(reply.events[-1])
            assert error.items() >= last.items()
            assert "closed the connection" in str(error)
            assert b"message_stop" not in reply.body
            assert b"[DONE]" not in reply.body
            if last:
                assert b"\nevent: error\n" in reply.body

    run(main())
