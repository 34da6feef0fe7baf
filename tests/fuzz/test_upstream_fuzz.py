"""An upstream connection fed with any answer, cut anywhere: it ends as an answer or as a classified error."""

import asyncio
import gzip

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headgate.core.errors import UpstreamError
from headgate.transport.connection import Connection, Timeouts
from tests.doubles.transport import MemoryTransport
from tests.fuzz.protocol import corpus, cut, cuts, deliver, mutated
from tests.support import run

VALID = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nother",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0),
]
ALPHABET = [
    *(b"\r\n", b"\n", b"\r", b" ", b":", b"\x00", b"\xff", b"0", b"-1", b"+5", b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1 "),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"HTTP/1.1 200 OK\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"1xx", b"999"),
]

Outcome = tuple[str, int, bytes, bool]


async def answer(pieces: list[bytes], *, whole: bool) -> Outcome:
    """Deliver pieces as the answer to one request, then the end of the connection; return what came of it."""
    loop = asyncio.get_running_loop()
    idle: list[bool] = []
    closed: list[bool] = []
    told: list[Exception | None] = []
    ended: list[UpstreamError | None] = []
    body: list[bytes] = []
    connection = Connection(loop, lambda _: idle.append(True), lambda _: closed.append(True))
    transport = MemoryTransport(loop)
    transport.attach(connection)
    response = connection.start(b"request", Timeouts(), told.append, whole=whole, size_limit=10_000)
    await asyncio.sleep(0)
    await deliver(transport, connection, pieces)
    reusable = bool(idle) and not closed
    transport.close()
    await asyncio.sleep(0)
    assert len(told) == 1, "told once, and always"
    assert len(closed) == 1
    error = told[0]
    if error is None and not whole:
        response.relay(body.append, ended.append)
        assert len(ended) == 1
        error = ended[0]
    elif error is None:
        body.append(response.body())
    if error is not None:
        assert isinstance(error, UpstreamError)
        assert error.status in (502, 504)
        return error.category.value, 0, b"", reusable
    assert 200 <= response.status <= 999
    return "answer", response.status, b"".join(body), reusable


def check(data: bytes, points: list[int]) -> None:
    """Check what holds for any input, and that the answer does not depend on the cuts."""

    async def all_ways() -> list[Outcome]:
        return [
            await answer(pieces, whole=whole)
            for whole in (True, False)
            for pieces in ([data] if data else [], cut(data, points))
        ]

    at_once, in_pieces, streamed, streamed_in_pieces = run(all_ways())
    assert at_once[:3] == streamed[:3]
    assert in_pieces[:3] == streamed_in_pieces[:3]
    if at_once[0] == in_pieces[0] == "answer":
        assert at_once[:3] == in_pieces[:3]


def test_a_clean_answer_leaves_the_connection_usable_and_nothing_else_does() -> None:
    for data, reusable in zip(VALID, [True, True, True, False, True, True, True, False, False, True], strict=True):
        assert run(answer([data], whole=True))[3] is reusable, data
        assert run(answer([data + b"x"], whole=True))[3] is False, data
        assert run(answer([data, b"x"], whole=True))[3] is False, data
        assert run(answer([data[:-1]], whole=True))[3] is False, data


inputs = mutated(VALID, ALPHABET) | st.binary(max_size=200)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(inputs, cuts)
@example(b"", [])
def test_any_answer_ends_as_an_answer_or_an_error(data: bytes, points: list[int]) -> None:
    check(data, points)


@pytest.mark.long
@settings(max_examples=50_000, suppress_health_check=[HealthCheck.too_slow])
@given(inputs, cuts)
def test_very_many_answers_end_as_answers_or_errors(data: bytes, points: list[int]) -> None:
    check(data, points)


@pytest.mark.parametrize("data", corpus("upstream"))
def test_the_corpus_ends_as_an_answer_or_an_error(data: bytes) -> None:
    check(data, [])
    for point in range(len(data)):
        check(data, [point])


@pytest.mark.parametrize("data", VALID)
def test_valid_answers_do_not_depend_on_their_cuts(data: bytes) -> None:
    expected = run(answer([data], whole=True))
    for point in range(1, len(data)):
        assert run(answer(cut(data, [point]), whole=True)) == expected
