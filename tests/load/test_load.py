"""Sustained load on a gateway in a process of its own: nothing unexpected, nothing leaked, nothing lost."""

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.doubles.wire import WireServer
from tests.fault.process import ServedProcess
from tests.fault.support import Caller, Reply, calling, chat, check, configuration, deployment, get, post
from tests.fault.upstream import DONE, STREAM, STREAMED, WHOLE, chunk, chunked, misbehave
from tests.support import read_head, read_request, run_for

pytestmark = pytest.mark.long

WARM_UP_SECONDS = 40.0
LOAD_SECONDS = 180.0
CLIENTS = 48
GROWTH_PER_MINUTE = 1_000_000
"""Bytes of resident memory per minute that a straight line through a minute's samples may show: about 1 % of the
process, less than what one leaked kilobyte in fifty requests would add at this load."""

# What a client asks for, and how often: mostly what works, with every kind of failure among it.
MIX = [("good", False)] * 8 + [("good", True)] * 6 + [("surplus", False), ("until-the-end", True), ("interim", False)]
MIX += [("closes", False), ("500", False), ("garbage", True), ("cut", True), ("half-a-chunk", False), ("429", False)]


class Tally:
    """What happened, by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    async def ask(self, caller: Caller, number: int, chance: random.Random) -> bool:
        """Make one request of the mix; return whether the connection can be used again."""
        name, stream = chance.choice(MIX)
        token = f"token-{number}-{chance.getrandbits(64)}"
        body = chat(f"{name} {token}", stream=stream)
        if chance.random() < 0.05:
            caller.writer.write(post(body))
            if stream and chance.random() < 0.5:
                await read_head(caller.reader)
            caller.writer.transport.abort()
            self.counts["left"] += 1
            return False
        reply = await caller.ask(body)
        check(reply, (STREAMED if stream else WHOLE)[name], token, stream=stream)
        self.counts[f"{name} {reply.status}"] += 1
        return reply.headers.get("connection") != "close"


async def _client(port: int, number: int, end: float, tally: Tally) -> None:
    chance = random.Random(number)
    while time.monotonic() < end:
        async with calling(port) as caller:
            while time.monotonic() < end and await tally.ask(caller, number, chance):
                pass


async def _sample(served: ServedProcess, end: float, samples: list[tuple[float, int]]) -> None:
    while time.monotonic() < end:
        samples.append((time.monotonic(), served.resident()))
        await asyncio.sleep(0.5)


def growth(samples: list[tuple[float, int]]) -> float:
    """Return the slope of a straight line through the samples, by least squares, in bytes per second."""
    count = len(samples)
    mean_x = sum(x for x, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / sum((x - mean_x) ** 2 for x, _ in samples)


async def _load(served: ServedProcess, seconds: float, tally: Tally) -> list[tuple[float, int]]:
    end = time.monotonic() + seconds
    samples: list[tuple[float, int]] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_sample(served, end, samples))
        for number in range(CLIENTS):
            group.create_task(_client(served.port, number, end, tally))
    return samples


def test_a_mix_of_everything_leaks_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream:
            with ServedProcess(tmp_path, configuration(deployment(upstream.port))) as served:
                tally = Tally()
                await _load(served, WARM_UP_SECONDS, tally)
                samples = await _load(served, LOAD_SECONDS, tally)
                # Everything that was asked for happened, and often.
                assert min(tally.counts[f"{name} {_status(name, stream)}"] for name, stream in MIX) > 50, tally.counts
                assert tally.counts["left"] > 50
                backlog = await get(served.port, "/health/backlog")
                assert json.loads(backlog.body) == {"in_flight_requests": 0}
                # The listener, the loop's own pair, and at most one idle upstream connection per client.
                assert served.sockets <= 3 + CLIENTS
                slope = growth(samples) * 60
                assert slope < GROWTH_PER_MINUTE, f"{slope:.0f} bytes per minute, {tally.counts}"
                assert "Traceback" not in served.log
                served.terminate()
                assert await served.exit_code(40) == 0

    run_for(main(), WARM_UP_SECONDS + LOAD_SECONDS + 90)


def _status(name: str, stream: bool) -> int:
    return (STREAMED if stream else WHOLE)[name].status


STREAMS = 1_000
DELTAS = 64
DELTA_SECONDS = 0.02


async def _paced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
    """Stream numbered deltas at a steady pace, for as many requests as come."""
    while True:
        _, body = await read_request(reader)
        token = json.loads(body)["messages"][0]["content"]
        writer.write(STREAM)
        begun = asyncio.get_running_loop().time()
        for number in range(DELTAS):
            await asyncio.sleep(begun + number * DELTA_SECONDS - asyncio.get_running_loop().time())
            writer.write(chunked(chunk(f"{token}:{number} ")))
        writer.write(chunked(chunk("", "stop"), DONE) + b"0\r\n\r\n")
        await writer.drain()


def test_a_thousand_streams_at_once_lose_no_frame(tmp_path: Path) -> None:
    async def one(port: int, token: str) -> Reply:
        async with calling(port) as caller:
            return await caller.ask(chat(token, stream=True))

    async def main() -> None:
        async with WireServer(_paced) as upstream:
            with ServedProcess(tmp_path, configuration(deployment(upstream.port))) as served:
                for _ in range(2):
                    tokens = [f"stream-{number}" for number in range(STREAMS)]
                    replies = await asyncio.gather(*[one(served.port, token) for token in tokens])
                    for token, reply in zip(tokens, replies, strict=True):
                        assert reply.status == 200
                        events = reply.events
                        said = [json.loads(event)["choices"][0]["delta"]["content"] for event in events[:-1]]
                        assert said == [f"{token}:{number} " for number in range(DELTAS)] + [""]
                        assert events[-1] == b"[DONE]"
                backlog = await get(served.port, "/health/backlog")
                assert json.loads(backlog.body) == {"in_flight_requests": 0}

    run_for(main(), 120)
