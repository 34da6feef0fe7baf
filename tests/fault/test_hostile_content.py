"""The gateway attacked with what it reads and passes on: bodies, and the headers and errors of upstreams."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.wire import Behavior, WireServer
from tests.fault.support import ask, calling, chat, deployment, get, post, refused, running, send
from tests.fault.upstream import Recorder, answer, completion
from tests.support import read_request, run

BODY = chat("good token")


# -- bodies --------------------------------------------------------------------------------------------------------


def _chat_with(extra: str) -> bytes:
    return f'{{"model": "m", "messages": [{{"role": "user", "content": "x"}}], {extra}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="utf-16"),
        pytest.param(b"{}" * 2, id="two-objects"),
        pytest.param(b"[" * 1_000_000, id="a-million-brackets"),
        pytest.param(b'{"a":' * 100_000, id="nested-objects"),
        pytest.param(_chat_with('"x": ' + "[" * 100_000 + "]" * 100_000), id="nested-in-a-member"),
        pytest.param(_chat_with('"model": "other"'), id="duplicate-model"),
        pytest.param(_chat_with('"mod\\u0065l": "other"'), id="duplicate-model-escaped"),
        pytest.param(_chat_with('"x": NaN'), id="nan"),
        pytest.param(_chat_with('"x": Infinity'), id="infinity"),
        pytest.param(_chat_with('"x": 01'), id="leading-zero"),
        pytest.param(_chat_with("'x': 1"), id="single-quotes"),
        pytest.param(_chat_with('"x": 1,'), id="trailing-comma"),
        pytest.param(_chat_with('"x": "\x01"'), id="control-character"),
        pytest.param(_chat_with('"x": "\\x"'), id="bad-escape"),
        pytest.param(_chat_with('"x": "')[:-1] + b'\xff"}', id="invalid-utf-8"),
        pytest.param(_chat_with('"stream": 1'), id="number-for-a-flag"),
        pytest.param(_chat_with('"stream": "true"'), id="text-for-a-flag"),
        pytest.param(_chat_with('"stream_options": []'), id="array-for-an-object"),
        pytest.param(b'{"model": "\\ud800", "messages": []}', id="lone-surrogate"),
        pytest.param(b'{"model": "\xed\xa0\x80", "messages": []}', id="encoded-surrogate"),
        pytest.param(b'{"\\ud800": 1, "model": "m", "messages": []}', id="lone-surrogate-in-a-key"),
        pytest.param(b'{"model": {"a": 1}, "messages": []}', id="object-for-the-model"),
        pytest.param(b'{"model": 1e999, "messages": []}', id="number-for-the-model"),
        pytest.param(b'{"model": "' + b"m" * 1_000_000 + b'", "messages": []}', id="endless-model"),
        pytest.param(b'{"model": "m\\r\\nX-Injected: 1", "messages": []}', id="line-end-in-the-model"),
        pytest.param(b'{"model": "m\\u0000", "messages": []}', id="nul-in-the-model"),
        pytest.param(b'{"model": "m\\u2028x", "messages": []}', id="line-separator-in-the-model"),
        pytest.param(b'{"model": "\\u001b[31mred", "messages": []}', id="escape-sequence-in-the-model"),
    ],
)
def test_a_hostile_body_is_a_clear_400(closed: RunningGateway, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        reply = await ask(closed.port, body)
        assert reply.status == 400, reply
        refused(reply)
        assert len(reply.body) < 2_000
        assert b"x-injected" not in str(reply.headers).lower().encode()

    run(main())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5_000, "0." + "1" * 5_000, "1e-999999"])
def test_numbers_beyond_all_bounds_pass_through_or_are_refused(tmp_path: Path, number: str) -> None:
    async def main() -> None:
        async with (
            WireServer(Recorder().serve) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
        ):
            for member in ("max_tokens", "temperature", "n", "timeout", "num_retries", "seed"):
                reply = await ask(gateway.port, _chat_with(f'"{member}": {number}'))
                assert reply.status in (200, 400), (member, reply)

    run(main())


def test_fifty_megabytes_of_brackets_are_refused_quickly(closed: RunningGateway) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            refused(await ask(closed.port, b"[" * 50_000_000))

    run(main())


def test_a_body_over_the_limit_is_413(closed: RunningGateway) -> None:
    async def main() -> None:
        body = b"[" * (51 * 1024 * 1024)
        head = post(body).removesuffix(body)
        reply = await send(closed.port, head + body[:100_000])
        assert reply.status == 413
        assert b'"request_too_large"' in reply.body
        refused(reply)

    run(main())


@pytest.mark.parametrize(
    "members",
    [
        {"api_base": "http://127.0.0.1:1/"},
        {"base_url": "http://127.0.0.1:1/"},
        {"api_key": "sk-client"},
        {"mock_response": "free"},
        {"no-log": True},
        {"fallbacks": ["m"] * 100_000},
        {"num_retries": 1_000_000},
        {"tags": ["t" * 100_000]},
        {"metadata": {"tags": {"a": [1]}}},
    ],
    ids=lambda members: next(iter(members)),
)
def test_a_client_does_not_steer_the_gateway_where_it_may_not(tmp_path: Path, members: dict[str, object]) -> None:
    async def main() -> None:
        recorder = Recorder()
        async with (
            WireServer(recorder.serve) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
        ):
            reply = await ask(gateway.port, json.dumps(json.loads(chat("x")) | members).encode())
        assert reply.status in (200, 400, 403), reply
        if reply.status == 200:
            # Whatever was let pass had no effect: our own upstream answered, asked with our own key.
            head, body = recorder.requests[0]
            assert b"\r\nAuthorization: Bearer sk-upstream\r\n" in head
            assert not json.loads(body).keys() & {"api_base", "base_url", "api_key", "mock_response"}

    run(main())


# -- what comes back -----------------------------------------------------------------------------------------------


def _saying(answer: bytes) -> Behavior:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    return behave


@pytest.mark.parametrize(
    "extra",
    [
        b"X-A: a\rSet-Cookie: b=c\r\n",
        b"X-A: a\nSet-Cookie: b=c\r\n",
        b"X-A: a\r\n Set-Cookie: b=c\r\n",
        b"X-A: a\x00b\r\n",
        b"X A: b\r\n",
        b"Set-Cookie: session=upstream\r\nLocation: http://internal\r\nVia: internal-host-7\r\n",
        b"X-LiteLLM-Call-Id: forged\r\nX-LiteLLM-Response-Cost: 0\r\n",
        b"Connection: keep-alive, X-A\r\nX-A: b\r\n",
        b"X-RateLimit-" + b"a" * 5_000 + b": b\r\n",
        b"".join(b"X-Ratelimit-%d: b\r\n" % number for number in range(500)),
        b"Content-Type: text/html\r\nRefresh: 0; url=http://evil\r\n",
    ],
    ids=["cr", "lf", "folded", "nul", "blank", "internal", "forged", "hop", "long-name", "many", "page"],
)
def test_headers_of_an_upstream_split_and_forge_nothing(tmp_path: Path, extra: bytes) -> None:
    async def main() -> None:
        async with (
            WireServer(_saying(answer(completion("token"), extra))) as upstream,
            running(tmp_path, deployment(upstream.port)) as gateway,
            calling(gateway.port) as caller,
        ):
            reply = await caller.ask(BODY)
            assert reply.status in (200, 502)
            assert not reply.headers.keys() & {"set-cookie", "location", "via", "refresh"}
            assert "internal" not in str(reply.headers)
            assert "forged" not in reply.headers["x-litellm-call-id"]
            assert reply.headers["content-type"].startswith("application/json")
            assert len(str(reply.headers)) < 40_000
            # Whatever came of it, the connection is still in step.
            assert (await caller.ask(b"[]")).status == 400

    run(main())


@pytest.mark.parametrize(
    "message",
    [
        "line\r\nx-injected: 1",
        "key sk-upstream is wrong",
        "\x1b[31mred\u2028line",
        "x" * 1_000_000,
        "\ud83d\ude00",
    ],
    ids=["lines", "secret", "escapes", "endless", "emoji"],
)
def test_errors_of_an_upstream_reach_client_and_log_clean(
    tmp_path: Path, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = json.dumps({"error": {"message": message, "type": message, "code": message, "param": message}}).encode()

    async def main() -> None:
        for status in (b"400 Bad", b"500 Bad", b"200 OK"):
            async with (
                WireServer(_saying(answer(said, status=status))) as upstream,
                running(tmp_path, deployment(upstream.port)) as gateway,
            ):
                reply = await ask(gateway.port, BODY)
                assert reply.status >= 400
                assert b"sk-upstream" not in reply.body
                assert reply.error["message"].isprintable()
                assert len(reply.body) < 10_000
                assert "x-injected" not in reply.headers

    run(main())
    for record in caplog.records:
        text = record.getMessage()
        assert text.isprintable(), text
        assert "sk-upstream" not in text


def test_what_a_client_writes_never_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with running(tmp_path, deployment(1, group="*", model="openai/*")) as gateway:
            for model in ("evil\nERROR forged line", "evil\u2028x", "evil", "evil\x1b[2J"):
                extra = "X-Request-Id: evil\r\nUser-Agent: evil\r\n"
                await send(gateway.port, post(chat("evil", model=model, user="evil"), extra=extra))
                await send(gateway.port, post(chat("evil"), "/v1/evil", extra=extra))
            await get(gateway.port, "/v1/models/evil%0aforged")

    run(main())
    for record in caplog.records:
        assert record.getMessage().isprintable()
        assert "forged" not in record.getMessage()
        assert MASTER_KEY not in record.getMessage()
