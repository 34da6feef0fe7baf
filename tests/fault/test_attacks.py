"""The gateway attacked as an outsider would: requests that smuggle others, path tricks, false keys."""

import asyncio
from pathlib import Path

import pytest

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.wire import WireServer
from tests.fault.support import (
    CHAT,
    Reply,
    calling,
    chat,
    check,
    deployment,
    post,
    refused,
    running,
    send,
)
from tests.fault.upstream import WHOLE, Recorder, misbehave
from tests.support import read_response, run

AUTHORIZED = f"Host: gateway\r\nAuthorization: Bearer {MASTER_KEY}\r\nContent-Type: application/json\r\n".encode()
BODY = chat("good token")
HIDDEN = b"GET /health/liveliness HTTP/1.1\r\nHost: x\r\nX-Smuggled: 1\r\n\r\n"


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
        ("/v1/chat/completions/", MASTER_KEY, 404),
        ("/v1/chat/completions/", "sk-wrong", 404),
    ],
)
def test_other_spellings_that_http_knows_need_the_key_as_well(
    tmp_path: Path, target: str, key: str, status: int
) -> None:
    """A server takes the absolute form (RFC 9112, section 3.2.2); a slash at the end makes another path."""

    async def main() -> None:
        async with WireServer(misbehave) as upstream, running(tmp_path, deployment(upstream.port)) as gateway:
            reply = await send(gateway.port, post(BODY, target, key=key))
            assert reply.status == status, reply
            assert upstream.connections == (1 if status == 200 else 0)

    run(main())


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
