"""An upstream that speaks OpenAI's API over real HTTP and misbehaves on request: the model's name says how.

`m429`, `m500`, `m401`, `m404`, `ctx`, `policy` and `bad400` fail as OpenAI does. `slow` answers after five seconds,
`flaky` fails every other time with 500, `silent` closes without an answer, `broken` closes in the middle of a stream,
and `held` stops in the middle of a stream until `release`. Every other model answers; see `openai_answers`.
"""

import asyncio
import contextlib
import json
import threading
from types import TracebackType
from typing import Any, Self

from tests.doubles.openai_answers import AUDIO, answer, chunks
from tests.support import read_request

_ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "429": (429, {"message": "Rate limit reached for requests", "type": "requests", "code": "rate_limit_exceeded"}),
    "500": (500, {"message": "The server had an error", "type": "server_error", "code": None}),
    "401": (
        401,
        {"message": "Incorrect API key provided: sk-bad", "type": "invalid_request_error", "code": "invalid_api_key"},
    ),
    "404": (404, {"message": "The model does not exist", "type": "invalid_request_error", "code": "model_not_found"}),
    "ctx": (
        400,
        {
            "message": "This model's maximum context length is 4097 tokens. However, you sent 5000 tokens.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
    ),
    "policy": (
        400,
        {
            "message": "Your request was rejected as a result of our safety system",
            "type": "invalid_request_error",
            "code": "content_policy_violation",
        },
    ),
    "bad400": (400, {"message": "Unrecognized request argument supplied: foo", "type": "invalid_request_error"}),
}
_CHAT_HEADERS = "x-request-id: req_mock\r\nopenai-processing-ms: 12\r\nx-ratelimit-remaining-requests: 99\r\n"
_COMMON_HEADERS = "date: Fri, 20 Nov 2026 23:11:10 GMT\r\nserver: mock\r\n"
WAIT_SECONDS = 10.0


class OpenAIUpstream:
    """Serves on loopback from a thread of its own until the `with` block ends."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        """Path, header fields and body of each request; the body is decoded where it is JSON."""
        self.port = 0
        self.asked = threading.Event()
        """Set when a request has arrived."""
        self.left = threading.Event()
        """Set when a client went away in the middle of a `held` stream."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="openai-upstream")
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._released = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def api_base(self) -> str:
        """The base URL for `api_base`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def release(self) -> None:
        """Let the `held` streams go on."""
        self._loop.call_soon_threadsafe(self._released.set)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the upstream did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head, body = await read_request(reader)
                if not await self._answer(head, body, reader, writer):
                    break
                await writer.drain()
        writer.close()

    async def _answer(
        self, head: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return whether the connection stays open."""
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        asked = json.loads(body) if fields.get("content-type") == "application/json" else body
        self.requests.append((path, fields, asked))
        self.asked.set()
        model = asked.get("model", "") if isinstance(asked, dict) else ""
        for mark, (status, error) in _ERRORS.items():
            if mark in model or (mark == "500" and model == "flaky" and self._asked("flaky") % 2):
                extra = "retry-after: 1\r\nx-ratelimit-remaining-requests: 0\r\n" if status == 429 else ""
                _write_json(writer, status, {"error": {"param": None, "code": None, **error}}, extra)
                return True
        if model == "silent":
            return False
        if model == "slow":
            await asyncio.sleep(5)
        if path.endswith("/audio/speech"):
            _write(writer, 200, "audio/mpeg", AUDIO)
        elif isinstance(asked, dict) and asked.get("stream"):
            return await self._stream(model, chunks(path, asked), reader, writer)
        else:
            _write_json(writer, 200, answer(path, asked), _CHAT_HEADERS if path.endswith("/chat/completions") else "")
        return True

    def _asked(self, model: str) -> int:
        return sum(isinstance(body, dict) and body.get("model") == model for _, _, body in self.requests)

    async def _stream(
        self, model: str, events: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{_COMMON_HEADERS}x-request-id: req_mock\r\n"
        writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        for number, data in enumerate(events):
            if number == 2 and model == "broken":
                return False
            if number == 2 and model == "held" and not await self._hold(reader, writer):
                return False
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        writer.write(b"0\r\n\r\n")
        return True

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Wait until `release`; return False when the client goes away before it."""
        await writer.drain()
        leaving = asyncio.create_task(reader.read(1))
        released = asyncio.create_task(self._released.wait())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.wait({leaving, released}, return_when=asyncio.FIRST_COMPLETED)
            if not released.done():
                self.left.set()
                return False
            return True
        finally:
            leaving.cancel()
            released.cancel()
            await asyncio.gather(leaving, released, return_exceptions=True)


def _write_json(writer: asyncio.StreamWriter, status: int, value: object, extra: str = "") -> None:
    _write(writer, status, "application/json", json.dumps(value).encode(), extra)


def _write(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes, extra: str = "") -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{_COMMON_HEADERS}{extra}"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
