"""What becomes of one request."""

import asyncio
import json
import time

import pytest

from headgate.deploy.load import Load, parse_endpoint
from headgate.deploy.load._prompts import Prompts
from headgate.deploy.load._sender import Outcome, Sender
from tests.deploy.load.support import short
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.doubles.wire import WireServer
from tests.support import read_request, run

KEY = "sk-canary"


def ask(url: str, load: Load, begun: float | None = None) -> Outcome:
    return run(_ask(url, load, begun))


def served(answer: bytes | list[bytes], load: Load, pause: float = 0.0) -> Outcome:
    """Return what becomes of a request that a server answers with these bytes, `pause` seconds after each piece."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await read_request(reader)
        for piece in [answer] if isinstance(answer, bytes) else answer:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    async def main() -> Outcome:
        async with WireServer(answering) as server:
            return await _ask(f"http://127.0.0.1:{server.port}", load)

    return run(main())


async def _ask(url: str, load: Load, begun: float | None = None) -> Outcome:
    sender = Sender(parse_endpoint(url, "--target"), load, Prompts(load, "r"), KEY, {}, time.perf_counter)
    try:
        return await sender.ask(1, time.perf_counter() if begun is None else begun)
    finally:
        await sender.close()


def whole(body: bytes, status: int = 200, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, more, len(body), body)


def stream(*events: str) -> bytes:
    body = "".join(f"data: {event}\n\n" for event in events).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


GOOD = b'{"choices":[]}'
ROLE = json.dumps({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
TOKEN = json.dumps({"choices": [{"index": 0, "delta": {"content": 'an "error" that is none'}}]})


def test_a_request_carries_key_model_and_prompt() -> None:
    with OpenAIUpstream() as upstream:
        outcome = ask(upstream.api_base, short("gpt", max_tokens=5))
        [(path, fields, body)] = upstream.requests
    assert outcome.error == ""
    assert 0 < outcome.seconds < 5
    assert (path, fields["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert (body["model"], body["max_tokens"], len(body["messages"][0]["content"])) == ("gpt", 5, 200)


@pytest.mark.parametrize(
    ("header", "overhead"),
    [
        (b"x-litellm-overhead-duration-ms: 2.5\r\n", 0.0025),
        (b"X-LiteLLM-Overhead-Duration-Ms: 12\r\n", 0.012),
        (b"x-litellm-overhead-duration-ms: None\r\n", None),
        (b"", None),
    ],
)
def test_the_overhead_is_what_the_target_says(header: bytes, overhead: float | None) -> None:
    assert served(whole(GOOD, more=header), short()).overhead == overhead


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (whole(b'{"error":{"message":"Slow  down"}}', 429), "429", "Slow down"),
        (whole(b'{"error":"no"}', 500), "500", "no"),
        (whole(b'{"error":{"code":1}}', 500), "500", '{"code": 1}'),
        (whole(b"<html>Bad gateway</html>", 502), "502", "<html>Bad gateway</html>"),
        (whole(b"", 503), "503", "There was no message."),
        (whole(b"\x1b[31m\xff", 500), "500", "?[31m\ufffd"),
        (whole(b"key sk-canary is wrong", 401), "401", "key *** is wrong"),
        (whole(b"x" * 1000, 500), "500", "x" * 300 + "..."),
        (whole(b"<html>Welcome</html>"), "not a completion", "<html>Welcome</html>"),
        (b"SSH-2.0-OpenSSH\r\n", "protocol", "The target's answer is not valid HTTP."),
        (b"", "connection", "The target closed the connection before it answered."),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "connection",
            "The target closed the connection while it answered.",
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_told_in_one_line(answer: bytes, error: str, sentence: str) -> None:
    outcome = served(answer, short())
    assert (outcome.error, outcome.sentence) == (error, sentence)


def test_a_late_answer_is_an_error() -> None:
    with OpenAIUpstream() as upstream:
        outcome = ask(upstream.api_base, short("slow", timeout=0.1))
    assert (outcome.error, outcome.sentence) == ("timeout", "There was no whole answer within 0.1 s.")


def test_what_is_already_too_late_is_not_sent() -> None:
    with OpenAIUpstream() as upstream:
        outcome = ask(upstream.api_base, short(timeout=1), begun=time.perf_counter() - 2)
        assert upstream.requests == []
    assert (outcome.error, outcome.seconds) == ("timeout", 1)


def test_the_first_token_is_not_the_role() -> None:
    head, role, token, end = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", ROLE, TOKEN, "[DONE]"
    pieces = [head, *(f"data: {event}\n\n".encode() for event in (role, role, token, end))]
    outcome = served(pieces, short(stream=True), pause=0.005)
    assert outcome.error == ""
    assert outcome.first_token is not None
    # Three pieces come before the first token, 5 ms apart.
    assert 0.014 <= outcome.first_token <= outcome.seconds


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    text = stream(ROLE, TOKEN, TOKEN, "[DONE]")
    outcome = served(
        [text[start : start + size] for start in range(0, len(text), size)], short(stream=True, timeout=19)
    )
    assert outcome.error == ""
    assert outcome.first_token is not None


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (stream(ROLE, TOKEN), "cut off", "A stream ended without [DONE]."),
        (stream(ROLE, TOKEN, '{"error":{"message":"broke"}}'), "error in a stream", "broke"),
        (stream('{"error":{"message":"broke"}}', "[DONE]"), "error in a stream", "broke"),
        (stream(ROLE, '{"error":null,"choices":[]}', "[DONE]"), "", ""),
        (stream("not json", "[]", '{"choices":[{}]}', "[DONE]"), "", ""),
        (stream(ROLE, "[DONE]").replace(b"}\n\n", b"}\r\n\r\n").rstrip(), "", ""),
        (whole(b'{"error":{"message":"no"}}', 400), "400", "no"),
    ],
)
def test_what_is_wrong_with_a_stream_is_told(answer: bytes, error: str, sentence: str) -> None:
    outcome = served(answer, short(stream=True))
    assert (outcome.error, outcome.sentence) == (error, sentence)


def test_a_stream_that_breaks_off_is_an_error() -> None:
    with OpenAIUpstream() as upstream:
        outcome = ask(upstream.api_base, short("broken", stream=True))
    assert outcome.error == "connection"


def test_a_cancelled_stream_is_given_up() -> None:
    async def main() -> None:
        begun, left = asyncio.Event(), asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
            await read_request(reader)
            writer.write(stream(ROLE))
            await writer.drain()
            begun.set()
            assert await reader.read(1) == b""
            left.set()

        async with WireServer(hold) as server:
            asking = asyncio.ensure_future(_ask(f"http://127.0.0.1:{server.port}", short(stream=True)))
            await begun.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await left.wait()

    run(main())
