"""An upstream that speaks OpenAI's API over real HTTP and misbehaves on request: the model's name says how.

`m429`, `m500`, `m401`, `ctx`, `policy` and `bad400` fail as OpenAI does, `slow` answers after five seconds, and every
other model answers `Hello world`. What was asked is kept in `requests`.
"""

import asyncio
import json
import threading
from types import TracebackType
from typing import Any, Self

from tests.support import read_request

_ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    "429": (429, {"message": "Rate limit reached for requests", "type": "requests", "code": "rate_limit_exceeded"}),
    "500": (500, {"message": "The server had an error", "type": "server_error", "code": None}),
    "401": (
        401,
        {"message": "Incorrect API key provided: sk-bad", "type": "invalid_request_error", "code": "invalid_api_key"},
    ),
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
_COMMON = {"id": "chatcmpl-mock", "created": 1_700_000_000, "model": "gpt-mock-2024"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


class OpenAIUpstream:
    """Serves on loopback from a thread of its own until the `with` block ends."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        """Path, header fields and decoded body of each request."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="openai-upstream")
        self._ready = threading.Event()
        self._stop = asyncio.Event()

    @property
    def api_base(self) -> str:
        """The base URL for `api_base`."""
        return f"http://127.0.0.1:{self.port}/v1"

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

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head, body = await read_request(reader)
                await self._answer(head, body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        asked = json.loads(body) if fields.get("content-type") == "application/json" else body
        self.requests.append((path, fields, asked))
        model = asked.get("model", "") if isinstance(asked, dict) else ""
        for mark, (status, error) in _ERRORS.items():
            if mark in model:
                extra = "retry-after: 1\r\nx-ratelimit-remaining-requests: 0\r\n" if status == 429 else ""
                _write_json(writer, status, {"error": {"param": None, "code": None, **error}}, extra)
                return
        if model == "slow":
            await asyncio.sleep(5)
        if isinstance(asked, dict) and asked.get("stream"):
            _write_stream(writer, asked)
        elif path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            usage = {"prompt_tokens": 5, "total_tokens": 5}
            _write_json(writer, 200, {"object": "list", "data": data, "model": "emb-mock", "usage": usage})
        else:
            _write_json(writer, 200, _completion(), "x-ratelimit-remaining-requests: 99\r\nx-request-id: req_mock\r\n")


def _completion() -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello world"}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_COMMON, "object": "chat.completion", "system_fingerprint": "fp_1", "choices": [choice], "usage": USAGE}


def _write_json(writer: asyncio.StreamWriter, status: int, value: object, extra: str = "") -> None:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}content-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def _write_stream(writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    chunk = {**_COMMON, "object": "chat.completion.chunk"}
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": "Hel"}, None),
        *[({"content": text}, None) for text in ("lo", " wor", "ld")],
        ({}, "stop"),
    ]
    events: list[object] = [
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas
    ]
    if (asked.get("stream_options") or {}).get("include_usage"):
        events.append({**chunk, "choices": [], "usage": USAGE})
    for event in [*(json.dumps(event) for event in events), "[DONE]"]:
        data = f"data: {event}\n\n".encode()
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    writer.write(b"0\r\n\r\n")
