"""An upstream whose every fault has a name: the message of a request says which one it wants, and a token to answer.

`whole` faults answer as a whole, `streamed` ones with server-sent events. The token makes every answer tell its own
request apart from all others, so that an answer that went to the wrong client is seen.
"""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

from tests.support import read_request


class Fault(NamedTuple):
    """What the upstream writes, and what comes of it.

    `write` gets the token and returns the bytes. `then` is what the upstream does after them: `serve` the next request,
    `close`, `reset`, or `hang` until the other side closes. `status` is what the client gets; `whole` tells whether the
    answer is the token's own or an error; `reused` whether the connection serves another request, None where that
    depends on how much had arrived when the fault was noticed.
    """

    write: Callable[[str], bytes]
    status: int
    then: str = "serve"
    whole: bool = False
    reused: bool | None = False
    impatient: bool = False


def completion(token: str) -> bytes:
    """Return a chat completion that says the token."""
    message = {"role": "assistant", "content": token}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def chunk(text: str, finish: str | None = None) -> bytes:
    """Return one event of a streamed chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    value = {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def events(token: str) -> list[bytes]:
    """Return the events of a whole stream that says the token."""
    half = len(token) // 2
    return [chunk(token[:half]), chunk(token[half:]), chunk("", "stop"), DONE]


def answer(body: bytes, extra: bytes = b"", status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    """Return an answer with a length."""
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n" % (status, kind, extra, len(body))
    return head + body


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    """Return pieces as chunks, without the end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def _error(token: str, status: bytes, kind: str = "server_error") -> bytes:
    return answer(json.dumps({"error": {"message": f"no {token}", "type": kind}}).encode(), status=status)


def _event(error: str) -> bytes:
    return b"data: " + json.dumps({"error": {"message": "broke", "type": error}}).encode() + b"\n\n"


def _bytes(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


_EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
_PAGE = b"<html><body>Welcome to internal-host-7</body></html>"

WHOLE: dict[str, Fault] = {
    "good": Fault(lambda token: answer(completion(token)), 200, whole=True, reused=True),
    "chunked": Fault(
        lambda token: STREAM.replace(b"text/event-stream", b"application/json") + chunked(completion(token)) + END,
        200,
        whole=True,
        reused=True,
    ),
    "interim": Fault(lambda token: _EARLY + answer(completion(token)), 200, whole=True, reused=True),
    "gzip": Fault(
        lambda token: answer(gzip.compress(completion(token)), b"Content-Encoding: gzip\r\n"),
        200,
        whole=True,
        reused=True,
    ),
    "surplus": Fault(lambda token: answer(completion(token)) + b"surplus", 200, whole=True),
    "twice": Fault(lambda token: answer(completion(token)) + answer(completion("stolen")), 200, whole=True),
    "until-the-end": Fault(
        lambda token: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + completion(token),
        200,
        "close",
        whole=True,
    ),
    "closes": Fault(lambda token: b"", 502, "close"),
    "resets": Fault(lambda token: b"", 502, "reset"),
    "half-a-status-line": Fault(lambda token: b"HTTP/1.1 2", 502, "close"),
    "half-a-head": Fault(lambda token: b"HTTP/1.1 200 OK\r\nContent-Le", 502, "close"),
    "garbage": Fault(lambda token: b"garbage %b\r\n\r\n" % token.encode(), 502),
    "half-a-chunk": Fault(lambda token: STREAM + b"ff\r\n" + completion(token)[:20], 502, "close"),
    "bad-chunk": Fault(lambda token: STREAM + b"zz\r\n" + completion(token), 502),
    "too-short": Fault(lambda token: answer(completion(token))[:-4], 502, "close"),
    "too-short-by-reset": Fault(lambda token: answer(completion(token))[:-4], 502, "reset"),
    "too-long": Fault(lambda token: answer(completion(token)[:20]) + completion(token)[20:], 502),
    "two-lengths": Fault(lambda token: answer(completion(token), b"Content-Length: 7\r\n"), 502),
    "length-and-chunks": Fault(lambda token: answer(completion(token), b"Transfer-Encoding: chunked\r\n"), 502),
    "only-interim": Fault(lambda token: _EARLY, 502, "close"),
    "switches": Fault(lambda token: _SWITCH, 502),
    "empty": Fault(lambda token: answer(b""), 502, reused=True),
    "no-content": Fault(lambda token: b"HTTP/1.1 204 No Content\r\n\r\n", 502, reused=True),
    "not-modified": Fault(lambda token: b"HTTP/1.1 304 Not Modified\r\n\r\n", 502, reused=True),
    "a-page": Fault(lambda token: answer(_PAGE, kind=b"text/html"), 502, reused=True),
    "an-array": Fault(lambda token: answer(b"[1]"), 502, reused=True),
    "cut-json": Fault(lambda token: answer(completion(token)[:-1]), 502, reused=True),
    "error-in-200": Fault(lambda token: _error(token, b"200 OK"), 502, reused=True),
    "br": Fault(lambda token: answer(b"xyz", b"Content-Encoding: br\r\n"), 502),
    "not-gzip": Fault(lambda token: answer(completion(token), b"Content-Encoding: gzip\r\n"), 502),
    "huge-header": Fault(lambda token: b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, 502, "hang"),
    "many-headers": Fault(lambda token: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, 502, "hang"),
    "redirect": Fault(
        lambda token: answer(b"", b"Location: http://127.0.0.1:1/elsewhere\r\n", b"302 Found"), 502, reused=True
    ),
    "500": Fault(lambda token: _error(token, b"500 Internal Server Error"), 500, reused=True),
    "503": Fault(lambda token: _error(token, b"503 Service Unavailable"), 503, reused=True),
    "529": Fault(lambda token: _error(token, b"529 Overloaded"), 503, reused=True),
    "429": Fault(lambda token: _error(token, b"429 Too Many Requests"), 429, reused=True),
    "599": Fault(lambda token: _error(token, b"599 What"), 502, reused=True),
    "777": Fault(lambda token: _error(token, b"777 What"), 502, reused=True),
    "silent": Fault(lambda token: b"", 504, "hang", impatient=True),
    "stalls": Fault(lambda token: answer(completion(token))[:-4], 504, "hang", impatient=True),
}

STREAMED: dict[str, Fault] = {
    "good": Fault(lambda token: STREAM + chunked(*events(token)) + END, 200, whole=True, reused=True),
    "crlf": Fault(
        lambda token: STREAM + chunked(*[each.replace(b"\n", b"\r\n") for each in events(token)]) + END,
        200,
        whole=True,
        reused=True,
    ),
    "no-space": Fault(
        lambda token: STREAM + chunked(*[each.replace(b"data: ", b"data:") for each in events(token)]) + END,
        200,
        whole=True,
        reused=True,
    ),
    "comments": Fault(
        lambda token: STREAM + chunked(b": ping\n\n", *events(token)) + END, 200, whole=True, reused=True
    ),
    "interim": Fault(lambda token: _EARLY + STREAM + chunked(*events(token)) + END, 200, whole=True, reused=True),
    "gzip": Fault(
        lambda token: answer(
            gzip.compress(b"".join(events(token))), b"Content-Encoding: gzip\r\n", kind=b"text/event-stream"
        ),
        200,
        whole=True,
        reused=True,
    ),
    "single-bytes": Fault(
        lambda token: STREAM + chunked(*_bytes(b"".join(events(token)))) + END,
        200,
        whole=True,
        reused=True,
    ),
    "until-the-end": Fault(
        lambda token: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + b"".join(events(token)),
        200,
        "close",
        whole=True,
    ),
    "surplus": Fault(lambda token: STREAM + chunked(*events(token)) + END + b"surplus", 200, whole=True),
    "no-end-after-done": Fault(lambda token: STREAM + chunked(*events(token)), 200, "hang", whole=True),
    "cut-after-done": Fault(lambda token: STREAM + chunked(*events(token)), 200, "reset", whole=True),
    # Before the first event: an error with a status, as if nothing had been streamed.
    "closes": Fault(lambda token: b"", 502, "close"),
    "cut-before-an-event": Fault(lambda token: STREAM, 502, "close"),
    "ends-before-an-event": Fault(lambda token: STREAM + END, 502, reused=True),
    "half-an-event": Fault(lambda token: STREAM + chunked(b'data: {"id"') + END, 502, reused=True),
    "empty": Fault(lambda token: answer(b""), 502, reused=True),
    "no-content": Fault(lambda token: b"HTTP/1.1 204 No Content\r\n\r\n", 502, reused=True),
    "a-page": Fault(lambda token: answer(_PAGE, kind=b"text/html"), 502, reused=None),
    "whole-instead": Fault(lambda token: answer(completion(token)), 502, reused=None),
    "garbage": Fault(lambda token: b"garbage\r\n\r\n", 502),
    "error-first": Fault(
        lambda token: STREAM + chunked(_event("server_error"), *events(token)) + END, 500, reused=None
    ),
    "limit-first": Fault(lambda token: STREAM + chunked(_event("rate_limit_error")) + END, 429, reused=None),
    "500": Fault(lambda token: _error(token, b"500 Internal Server Error"), 500, reused=True),
    "silent": Fault(lambda token: b"", 504, "hang", impatient=True),
    "silent-after-the-head": Fault(lambda token: STREAM, 504, "hang", impatient=True),
    # After the first event: the stream ends with an error event.
    "killed": Fault(lambda token: STREAM + chunked(events(token)[0]), 200, "reset"),
    "cut": Fault(lambda token: STREAM + chunked(events(token)[0]), 200, "close"),
    "ends-early": Fault(lambda token: STREAM + chunked(events(token)[0]) + END, 200, reused=True),
    "cut-without-a-length": Fault(
        lambda token: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + events(token)[0], 200, "close"
    ),
    "bad-chunk": Fault(lambda token: STREAM + chunked(events(token)[0]) + b"zz\r\n", 200),
    "error-later": Fault(
        lambda token: STREAM + chunked(events(token)[0], _event("server_error"), *events(token)[1:]) + END,
        200,
        reused=None,
    ),
    "not-json-later": Fault(
        lambda token: STREAM + chunked(events(token)[0], b'data: {"error": \n\n', *events(token)[1:]) + END,
        200,
        reused=None,
    ),
    "stalls": Fault(lambda token: STREAM + chunked(events(token)[0]), 200, "hang", impatient=True),
}


async def misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
    """Serve one connection: each request names its fault and its token in its message, as `fault token`."""
    while True:
        _, body = await read_request(reader)
        asked = json.loads(body)
        name, token = asked["messages"][0]["content"].split(" ")
        fault = (STREAMED if asked.get("stream") else WHOLE)[name]
        writer.write(fault.write(token))
        await writer.drain()
        if fault.then == "close":
            return
        if fault.then == "reset":
            reset(writer)
            return
        if fault.then == "hang":
            await reader.read()
            return


def reset(writer: asyncio.StreamWriter) -> None:
    """Close at once with a reset instead of an orderly end, as a killed process on another machine would."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Recorder:
    """An upstream that answers every request well and keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            self.requests.append(await read_request(reader))
            writer.write(answer(completion("token")))
