"""The asyncio mock and the load generators against each other, on loopback."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from bench._behaviors import DELAYED, INSTANT, STREAM_FAST, Behavior, answer
from bench._client import Connection, Request, mock_requests, timed
from bench._load import at_fixed_rate, streams
from bench._targets import chat_body
from bench.mock import Counter, protocol_factory

_T = TypeVar("_T")


def with_mock(scenario: Callable[[int, Counter], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        counter = Counter()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol_factory(counter, loop), "127.0.0.1", 0)
        async with server:
            return await scenario(server.sockets[0].getsockname()[1], counter)

    return asyncio.run(run())


def request_for(behavior: Behavior, port: int) -> Request:
    return Request(port, behavior.chat_path, {}, chat_body("bench", 200, stream=behavior.deltas > 0))


def test_it_answers_and_counts() -> None:
    async def scenario(port: int, counter: Counter) -> None:
        def ask() -> tuple[int, bytes]:
            with Connection(port) as connection:
                timed(connection, request_for(INSTANT, port).encode())
                return connection.fetch(request_for(INSTANT, port).encode())

        assert await asyncio.to_thread(ask) == (200, answer(INSTANT.answer_bytes))
        assert await asyncio.to_thread(mock_requests, port) == counter.requests == 2

    with_mock(scenario)


def test_an_unknown_path_is_404_and_no_sample() -> None:
    async def scenario(port: int, counter: Counter) -> None:
        def ask() -> None:
            with Connection(port) as connection:
                timed(connection, Request(port, "/elsewhere", {}, b"{}").encode())

        with pytest.raises(ValueError, match="404"):
            await asyncio.to_thread(ask)
        assert counter.requests == 0

    with_mock(scenario)


def test_a_stream_is_whole_and_reports_usage_only_when_asked() -> None:
    async def scenario(port: int, counter: Counter) -> None:
        plain = request_for(STREAM_FAST, port)
        asking = plain._replace(body=plain.body[:-1] + b', "stream_options": {"include_usage": true}}')

        def ask() -> list[bytes]:
            with Connection(port) as connection:
                return [connection.fetch(request.encode())[1] for request in (plain, asking)]

        without, including = await asyncio.to_thread(ask)
        assert b'"usage"' not in without
        assert including.count(b'"completion_tokens":100') == 1

    with_mock(scenario)


def test_streams_are_counted_delta_by_delta() -> None:
    async def scenario(port: int, counter: Counter) -> None:
        outcomes = await streams(request_for(STREAM_FAST, port), 3, 0.0, spread=0.01, grace=10.0)
        assert outcomes
        assert all((one.status, one.deltas, one.done) == (200, STREAM_FAST.deltas, True) for one in outcomes)
        assert all(len(one.gaps) == STREAM_FAST.deltas - 1 for one in outcomes)
        assert counter.requests == len(outcomes)

    with_mock(scenario)


def test_a_fixed_rate_sends_what_is_due_and_counts_from_then() -> None:
    async def scenario(port: int, counter: Counter) -> None:
        outcomes = await at_fixed_rate(request_for(DELAYED, port), 100, 0.1, timeout=10.0)
        answered = [one for one in outcomes if one is not None]
        assert len(outcomes) == len(answered) == counter.requests == 10
        assert all(one.status == 200 for one in answered)
        assert all(one.finished - one.sent >= DELAYED.delay_seconds * 0.9 for one in answered)
        dues = [one.sent for one in answered]
        assert dues[-1] - dues[0] == pytest.approx(0.09)

    with_mock(scenario)


def test_a_request_that_is_not_answered_in_time_counts_as_none() -> None:
    async def scenario(port: int, counter: Counter) -> None:
        begun = time.perf_counter()
        assert await at_fixed_rate(request_for(DELAYED, port), 100, 0.02, timeout=0.01) == [None, None]
        assert time.perf_counter() - begun < 5

    with_mock(scenario)


def test_a_server_that_hangs_up_fails_the_stream() -> None:
    async def run() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            outcomes = await streams(request_for(STREAM_FAST, port), 2, 0.0, spread=0.01, grace=10.0)
        assert outcomes
        assert all(one.status == 0 for one in outcomes)

    asyncio.run(run())
