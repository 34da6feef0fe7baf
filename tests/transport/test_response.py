"""An upstream's answer between its producer and its consumer, without a connection."""

import asyncio
import gzip
import zlib
from functools import partial

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.transport.failures import connection_failed
from headgate.transport.response import BUFFER_LIMIT, Response, settle
from tests.support import run

BROKEN = connection_failed("The upstream closed the connection.")


class Tap:
    """A source that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def abort(self) -> None:
        self.told.append("abort")

    def hasten(self) -> None:
        self.told.append("hasten")


class Sink:
    """A consumer that remembers what it got."""

    def __init__(self) -> None:
        self.data = b""
        self.ends: list[UpstreamError | None] = []

    def take(self, data: bytes) -> None:
        self.data += data

    def end(self, error: UpstreamError | None) -> None:
        self.ends.append(error)


def make(*, whole: bool = False, limit: int = 1_000_000) -> tuple[Response, Tap, asyncio.Future[None]]:
    waiter = asyncio.get_running_loop().create_future()
    tap = Tap()
    return Response(tap, partial(settle, waiter), whole=whole, size_limit=limit), tap, waiter


def test_the_head_is_enough_for_a_stream() -> None:
    async def main() -> None:
        response, _, waiter = make()
        response.put_head(200, [(b"a", b"b")], b"")
        await waiter
        assert (response.status, response.headers) == (200, [(b"a", b"b")])

    run(main())


def test_a_whole_answer_waits_for_its_end() -> None:
    async def main() -> None:
        response, _, waiter = make(whole=True)
        response.put_head(200, [], b"")
        response.put_data(b"one")
        response.put_data(b"two")
        assert not waiter.done()
        response.put_end()
        await waiter
        assert await response.read() == b"onetwo"
        assert await response.read() == b"onetwo"

    run(main())


def test_reading_waits_for_the_rest_of_a_stream() -> None:
    async def main() -> None:
        response, tap, _ = make()
        response.put_head(500, [], b"")
        response.put_data(b"one")
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        assert tap.told == ["resume"]
        response.put_data(b"two")
        response.put_end()
        assert await reading == b"onetwo"

    run(main())


@pytest.mark.parametrize("whole", [True, False])
def test_what_broke_an_answer_off_is_raised(whole: bool) -> None:
    async def main() -> None:
        response, _, waiter = make(whole=whole)
        if not whole:
            response.put_head(200, [], b"")
            await waiter
        response.put_end(BROKEN)
        with pytest.raises(UpstreamError) as caught:
            await (waiter if whole else response.read())
        assert caught.value is BROKEN

    run(main())


def test_a_relay_gets_what_came_before_it_and_then_each_piece() -> None:
    async def main() -> None:
        response, _, _ = make()
        sink = Sink()
        response.put_head(200, [], b"")
        response.put_data(b"one")
        response.relay(sink.take, sink.end)
        assert sink.data == b"one"
        response.put_data(b"two")
        assert (sink.data, sink.ends) == (b"onetwo", [])
        response.put_end()
        response.put_end(BROKEN)
        assert sink.ends == [None]

    run(main())


@pytest.mark.parametrize("error", [None, BROKEN], ids=["whole", "broken"])
def test_a_relay_that_comes_after_the_end_gets_everything_and_the_end_once(error: UpstreamError | None) -> None:
    async def main() -> None:
        response, tap, _ = make()
        sink = Sink()
        response.put_head(200, [], b"")
        response.put_data(b"one")
        response.put_end(error)
        response.relay(sink.take, sink.end)
        assert (sink.data, sink.ends, tap.told) == (b"one", [error], [])

    run(main())


def test_a_stream_that_nobody_relays_makes_the_upstream_wait() -> None:
    async def main() -> None:
        response, tap, _ = make()
        response.put_head(200, [], b"")
        response.put_data(b"x" * BUFFER_LIMIT)
        assert tap.told == []
        response.put_data(b"x")
        assert tap.told == ["pause"]
        sink = Sink()
        response.relay(sink.take, sink.end)
        assert tap.told == ["pause", "resume"]

    run(main())


def test_pausing_and_resuming_reach_the_source_until_the_end() -> None:
    async def main() -> None:
        response, tap, _ = make()
        response.put_head(200, [], b"")
        response.pause()
        response.resume()
        response.put_end()
        response.pause()
        response.resume()
        assert tap.told == ["pause", "resume"]

    run(main())


def test_an_aborted_answer_is_silent() -> None:
    async def main() -> None:
        response, tap, _ = make()
        sink = Sink()
        response.put_head(200, [], b"")
        response.relay(sink.take, sink.end)
        response.abort()
        response.abort()
        response.put_end(BROKEN)
        assert (sink.ends, tap.told) == ([], ["resume", "abort"])

    run(main())


def test_a_discarded_answer_may_end_by_itself() -> None:
    async def main() -> None:
        response, tap, _ = make()
        sink = Sink()
        response.put_head(200, [], b"")
        response.relay(sink.take, sink.end)
        response.discard()
        response.put_data(b"more")
        response.put_end()
        assert (sink.data, sink.ends) == (b"", [])
        assert tap.told == ["resume", "resume", "hasten"]

    run(main())


def test_a_discarded_answer_keeps_its_moment_when_it_is_given_up() -> None:
    async def main() -> None:
        response, tap, _ = make()
        sink = Sink()
        response.put_head(200, [], b"")
        response.relay(sink.take, sink.end)
        response.discard()
        response.abort()
        response.put_data(b"more")
        response.put_end()
        assert (sink.data, sink.ends) == (b"", [])
        assert tap.told == ["resume", "resume", "hasten"]

    run(main())


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(b"hello")),
        (b"x-gzip", gzip.compress(b"hello")),
        (b"deflate", zlib.compress(b"hello")),
        (b"identity", b"hello"),
        (b"", b"hello"),
    ],
    ids=["gzip", "x-gzip", "deflate", "identity", "none"],
)
@pytest.mark.parametrize("cut", [1, 7, 1_000])
def test_content_encodings(encoding: bytes, body: bytes, cut: int) -> None:
    async def main() -> None:
        response, _, waiter = make(whole=True)
        response.put_head(200, [], encoding)
        for start in range(0, len(body), cut):
            response.put_data(body[start : start + cut])
        response.put_end()
        await waiter
        assert await response.read() == b"hello"

    run(main())


def test_compressed_data_that_breaks_off_is_an_error() -> None:
    async def main() -> None:
        response, _, waiter = make(whole=True)
        response.put_head(200, [], b"gzip")
        response.put_data(gzip.compress(b"hello")[:-1])
        response.put_end()
        with pytest.raises(UpstreamError) as caught:
            await waiter
        assert caught.value.category is Category.PROTOCOL

    run(main())


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"br", b""),
        (b"gzip, br", b""),
        (b"gzip", b"hello"),
        (b"gzip", gzip.compress(b"hello") + b"surplus"),
        (b"gzip", gzip.compress(b"\0" * 10_000)),
        (b"gzip", gzip.compress(b"hello") * 2),
        (b"", b"x" * 1_001),
    ],
    ids=["unknown", "several", "corrupt", "surplus", "bomb", "second-member", "too-large"],
)
def test_a_body_that_can_not_be_taken_is_an_error_for_the_producer(encoding: bytes, body: bytes) -> None:
    async def main() -> None:
        response, _, _ = make(limit=1_000)

        def produce() -> None:
            response.put_head(200, [], encoding)
            response.put_data(body)

        with pytest.raises(UpstreamError) as caught:
            produce()
        assert (caught.value.category, caught.value.status) == (Category.PROTOCOL, 502)

    run(main())


def test_rejecting_fails_the_wait_for_the_head() -> None:
    async def main() -> None:
        response, _, waiter = make()
        response.reject(LookupError())
        with pytest.raises(LookupError):
            await waiter
        response.put_end(BROKEN)

    run(main())


def test_nothing_happens_to_a_wait_that_was_cancelled() -> None:
    async def main() -> None:
        response, _, waiter = make()
        waiter.cancel()
        response.put_head(200, [], b"")
        response.put_end()
        response.reject(LookupError())
        await asyncio.sleep(0)

    run(main())
