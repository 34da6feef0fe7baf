"""The gateway attacked as an outsider would: smuggling, splitting, path tricks, false keys, hostile bodies."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.wire import Behavior, WireServer
from tests.fault.support import (
    CHAT,
    Reply,
    ask,
    calling,
    chat,
    check,
    configuration,
    deployment,
    get,
    post,
    running,
    send,
)
from tests.fault.upstream import WHOLE, answer, completion, misbehave
from tests.support import read_request, read_response, run

AUTHORIZED = f"Host: gateway\r\nAuthorization: Bearer {MASTER_KEY}\r\nContent-Type: application/json\r\n".encode()
BODY = chat("good token")
HIDDEN = b"GET /health/liveliness HTTP/1.1\r\nHost: x\r\nX-Smuggled: 1\r\n\r\n"


def refused(reply: Reply) -> None:
    """Check that an answer is a clear refusal and says nothing of the inside."""
    assert 400 <= reply.status < 500, reply
    assert reply.error["message"]
    assert b"Traceback" not in reply.body


async def everything(port: int, data: bytes) -> list[Reply]:
    """Send bytes, then nothing; return every answer until the connection closes."""
    replies: list[Reply] = []
    async with calling(port) as caller:
        caller.writer.write(data)
        try:
            async with asyncio.timeout(1.5):
                while True:
                    replies.append(Reply(*await read_response(caller.reader)))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            return replies


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway for all tests that only ask to be refused; nothing listens where its deployment leads."""
    with RunningGateway(tmp_path_factory.mktemp("closed"), configuration(deployment(1))) as gateway:
        yield gateway


# -- one request must never become two -----------------------------------------------------------------------------


def _request(framing: bytes, body: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (CHAT.encode(), AUTHORIZED, framing, body)


LENGTH = b"%d" % len(BODY)
CHUNKED_BODY = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_request(b"Transfer-Encoding: xchunked\r\n", CHUNKED_BODY), id="xchunked"),
        pytest.param(_request(b"Transfer-Encoding: chunked, identity\r\n", CHUNKED_BODY), id="chunked-not-last"),
        pytest.param(_request(b"Transfer-Encoding: identity\r\n", BODY), id="identity"),
        pytest.param(_request(b"Transfer-Encoding : chunked\r\n", CHUNKED_BODY), id="blank-before-colon"),
        pytest.param(_request(b"Transfer-Encoding:\x0bchunked\r\n", CHUNKED_BODY), id="vertical-tab"),
        pytest.param(_request(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED_BODY), id="folded-encoding"),
        pytest.param(
            _request(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKED_BODY), id="two-encodings"
        ),
        pytest.param(
            _request(b"Content-Length: %b\r\nTransfer-Encoding: chunked\r\n" % LENGTH, CHUNKED_BODY), id="both"
        ),
        pytest.param(
            _request(b"Transfer-Encoding: chunked\r\nContent-Length: %b\r\n" % LENGTH, CHUNKED_BODY), id="both-reversed"
        ),
        pytest.param(_request(b"Content-Length: +%b\r\n" % LENGTH, BODY), id="plus-sign"),
        pytest.param(_request(b"Content-Length: %b, %b\r\n" % (LENGTH, LENGTH), BODY), id="length-list"),
        pytest.param(_request(b"Content-Length: 1 %b\r\n" % LENGTH, BODY), id="blank-in-length"),
        pytest.param(_request(b"Content-Length: 0x%x\r\n" % len(BODY), BODY), id="hexadecimal-length"),
        pytest.param(_request(b"Content-Length: %b_0\r\n" % LENGTH, BODY), id="underscore-in-length"),
        pytest.param(_request(b"Content-Length: 18446744073709551617\r\n", BODY), id="length-overflows"),
        pytest.param(_request(b"Content-Length: %b\r\n" % (b"9" * 5_000), BODY), id="length-without-end"),
        pytest.param(_request(b"Content-Length: \r\n", BODY), id="empty-length"),
        pytest.param(_request(b"Content-Length: %b\r\nContent-Length: %b\r\n" % (LENGTH, LENGTH), BODY), id="twice"),
        pytest.param(_request(b"Content-Length\x00: %b\r\n" % LENGTH, BODY), id="nul-in-name"),
        pytest.param(_request(b"X: a\x00b\r\nContent-Length: %b\r\n" % LENGTH, BODY), id="nul-in-value"),
        pytest.param(_request(b"X: a\rContent-Length: %b\r\n" % LENGTH, BODY), id="bare-cr"),
        pytest.param(_request(b"X : a\r\nContent-Length: %b\r\n" % LENGTH, BODY), id="blank-before-any-colon"),
        pytest.param(_request(b" X: a\r\nContent-Length: %b\r\n" % LENGTH, BODY), id="leading-blank"),
        pytest.param(_request(b"X\r\nContent-Length: %b\r\n" % LENGTH, BODY), id="no-colon"),
        pytest.param(_request(b": a\r\nContent-Length: %b\r\n" % LENGTH, BODY), id="no-name"),
        pytest.param(_request(b"Transfer-Encoding: chunked\r\n", b"+5\r\nhello\r\n0\r\n\r\n"), id="plus-in-chunk-size"),
        pytest.param(_request(b"Transfer-Encoding: chunked\r\n", b"0x5\r\nhello\r\n0\r\n\r\n"), id="0x-chunk-size"),
        pytest.param(_request(b"Transfer-Encoding: chunked\r\n", b"-1\r\nhello\r\n0\r\n\r\n"), id="minus-chunk-size"),
        pytest.param(
            _request(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffff\r\nhello"), id="chunk-size-overflows"
        ),
        pytest.param(_request(b"Transfer-Encoding: chunked\r\n", b"5\r\nhelloX\r\n0\r\n\r\n"), id="chunk-too-long"),
        pytest.param(_request(b"Transfer-Encoding: chunked\r\n", b"5\rhello\r\n0\r\n\r\n"), id="bare-cr-after-size"),
    ],
)
def test_an_ambiguous_request_is_refused_and_nothing_behind_it_is_served(tmp_path: Path, data: bytes) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            replies = await everything(gateway.port, data + HIDDEN)
            assert len(replies) == 1, replies
            refused(replies[0])
            assert replies[0].headers["connection"] == "close"
            assert upstream.connections == 0

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_request(b"Content-Length: %b\r\n" % LENGTH, BODY).replace(b"\r\n", b"\n", 3), id="bare-lf"),
        pytest.param(_request(b"Content-Length: %b\r\nX: a\r\n b\r\n" % LENGTH, BODY), id="folded-header"),
        pytest.param(
            _request(b"Transfer-Encoding: chunked\r\n", CHUNKED_BODY.replace(b"\r\n", b';a="b;c"\r\n', 1)),
            id="extension",
        ),
        pytest.param(
            _request(
                b"Transfer-Encoding: chunked\r\n",
                CHUNKED_BODY.removesuffix(b"\r\n") + b"Content-Length: 5\r\nAuthorization: Bearer sk-other\r\n\r\n",
            ),
            id="length-and-key-in-the-trailer",
        ),
        pytest.param(_request(b"Content-Length: 00%b\r\n" % LENGTH, BODY), id="leading-zeros"),
    ],
)
def test_a_request_that_a_lenient_parser_takes_is_one_request_and_no_more(tmp_path: Path, data: bytes) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            replies = await everything(gateway.port, data + post(chat("good second")))
            statuses = [reply.status for reply in replies]
            assert statuses in ([200, 200], [400]), replies
            if len(replies) == 2:
                check(replies[0], WHOLE["good"], "token", stream=False)
                check(replies[1], WHOLE["good"], "second", stream=False)

    run(main())


# -- paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        *("//v1/chat/completions", "/v1//chat/completions", "/v1/./chat/completions"),
        *("/v1/x/../chat/completions", "/v1/%2e%2e/v1/chat/completions", "/v1/chat%2fcompletions"),
        *("/V1/CHAT/COMPLETIONS", "/v1/chat/completions;x=1", "/v1/chat/completions%00", "/v1/chat/completions%20"),
        *("*", "gateway:80", "http://gateway/v1//chat/completions"),
        *("/openai/deployments/../chat/completions", "/openai/deployments//chat/completions"),
        *("/openai/deployments/a/b/chat/completions", "/v1/chat/completions\\..\\x", "/../../etc/passwd"),
    ],
)
@pytest.mark.parametrize("key", [MASTER_KEY, "sk-wrong"], ids=["right-key", "wrong-key"])
def test_a_path_that_only_looks_like_the_data_planes_serves_nothing(tmp_path: Path, target: str, key: str) -> None:
    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            reply = await send(gateway.port, post(BODY, target, key=key))
            assert 400 <= reply.status < 500, reply
            assert upstream.connections == 0

    run(main())


@pytest.mark.parametrize(
    ("target", "key", "status"),
    [
        ("http://gateway/v1/chat/completions", MASTER_KEY, 200),
        ("http://elsewhere/v1/chat/completions", MASTER_KEY, 200),
        ("http://gateway/v1/chat/completions", "sk-wrong", 401),
        ("/v1/chat/completions/", MASTER_KEY, 307),
        ("/v1/chat/completions/", "sk-wrong", 307),
    ],
)
def test_other_spellings_that_http_knows_need_the_key_as_well(
    tmp_path: Path, target: str, key: str, status: int
) -> None:
    """A server takes the absolute form (RFC 9112, section 3.2.2); a slash at the end is redirected, as in LiteLLM."""

    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            reply = await send(gateway.port, post(BODY, target, key=key))
            assert reply.status == status, reply
            assert upstream.connections == (1 if status == 200 else 0)

    run(main())


class Recorder:
    """An upstream that answers every request well and keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            self.requests.append(await read_request(reader))
            writer.write(answer(completion("token")))


@pytest.mark.parametrize(
    "name", ["..%2f..%2fv1%2fmodels", "%2e%2e", "m%3fx=1", "m%23", "m%0d%0aX:1", "%00", "%ff", "%ed%a0%80", "a%20b"]
)
def test_a_model_in_the_path_stays_one_segment_upstream(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        recorder = Recorder()
        async with WireServer(recorder.serve) as upstream:
            entries = [
                deployment(upstream.port, group="*", model="openai/*"),
                deployment(upstream.port, group="azure-*", model="azure/*", api_version="2024-10-21"),
            ]
            async with running(tmp_path, *entries) as gateway:
                for prefix in ("", "azure-"):
                    path = f"/openai/deployments/{prefix}{name}/chat/completions"
                    reply = await send(gateway.port, post(BODY, path))
                    assert reply.status in (200, 400, 404), reply
        for head, _ in recorder.requests:
            target = head.split(b" ")[1]
            segments = target.partition(b"?")[0].split(b"/")
            assert segments[-2:] == [b"chat", b"completions"]
            assert len(segments) == (7 if b"deployments" in segments else 4)
            assert not {b"..", b"."} & set(segments)
            assert b"\r\nX:1" not in head

    run(main())


# -- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization:\r\n",
        "Authorization: Bearer sk-test-master-ke\r\n",
        "Authorization: Bearer sk-test-master-keyy\r\n",
        "Authorization: Bearer SK-TEST-MASTER-KEY\r\n",
        "Authorization: Bearer sk-test-master-key\x7f\r\n",
        "Authorization: Bearer sk-test-master-key,x\r\n",
        "Authorization: Bearer null\r\n",
        "Authorization: Basic c2stdGVzdC1tYXN0ZXIta2V5\r\n",
        "Authorization: Bearer " + "a" * 10_000 + "\r\n",
        "x-api-key: \r\n",
        "x-forwarded-for: 127.0.0.1\r\nx-real-ip: 127.0.0.1\r\n",
        "cookie: token=sk-test-master-key\r\n",
        "Authorization: Bearer sk-wrong\r\nAuthorization: Bearer sk-test-master-key\r\n",
        "Authorization: Bearer sk-wrong\r\nx-api-key: sk-test-master-key\r\n",
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/model/info", "/health", "/health/backlog"])
def test_no_key_but_the_right_one_opens(closed: RunningGateway, headers: str, path: str) -> None:
    async def main() -> None:
        method = "POST" if path == CHAT else "GET"
        head = f"{method} {path}?api_key={MASTER_KEY}&key={MASTER_KEY} HTTP/1.1\r\nHost: gateway\r\n{headers}"
        reply = await send(closed.port, f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        assert reply.status == (400 if "\x7f" in headers else 401), reply
        assert MASTER_KEY.encode() not in reply.body
        assert b"sk-wrong" not in reply.body

    run(main())


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
