"""What the fault tests share: a gateway over upstreams that do what a test says on the wire, and a raw client."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.fault.upstream import Fault
from tests.support import read_response

CHAT = "/v1/chat/completions"
PATIENT = 15.0
IMPATIENT = 0.3


class Reply(NamedTuple):
    """An answer of the gateway; `whole` is False when it broke off."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def error(self) -> dict[str, Any]:
        """The error member of the body."""
        error = json.loads(self.body)["error"]
        assert isinstance(error, dict)
        return error

    @property
    def events(self) -> list[bytes]:
        """The data of each event of a stream."""
        return [line[5:].removeprefix(b" ") for line in self.body.split(b"\n") if line.startswith(b"data:")]


def deployment(port: int, *, group: str = "m", timeout: float = PATIENT, **parameters: object) -> dict[str, Any]:
    """Return an entry of `model_list` that leads to a port of this machine."""
    base = {"model": "openai/upstream", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": "sk-upstream"}
    return {"model_name": group, "litellm_params": {**base, "timeout": timeout, **parameters}}


def configuration(*deployments: dict[str, Any], **router: object) -> dict[str, Any]:
    """Return a configuration without retries or cooldowns, so that each upstream failure is seen as it is."""
    settings = {"num_retries": 0, "disable_cooldowns": True, **router}
    return {"model_list": list(deployments), "router_settings": settings}


@asynccontextmanager
async def running(
    directory: Path, *deployments: dict[str, Any], general: Mapping[str, object] | None = None, **router: object
) -> AsyncIterator[RunningGateway]:
    """Run a gateway in its thread while the test's own loop serves the upstreams."""
    whole = {**configuration(*deployments, **router), "general_settings": dict(general or {})}
    gateway = RunningGateway(directory, whole)
    gateway.__enter__()
    try:
        yield gateway
    finally:
        await asyncio.to_thread(gateway.__exit__, None, None, None)


def chat(content: str, *, model: str = "m", stream: bool = False, **members: object) -> bytes:
    """Return the body of a chat request."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], "stream": stream, **members}
    return json.dumps(body).encode()


def post(body: bytes, path: str = CHAT, *, extra: str = "", key: str = MASTER_KEY) -> bytes:
    """Return a request as it goes over the wire; `extra` holds further header lines, each with its CRLF."""
    head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n{extra}"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Caller:
    """One connection of a client to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, body: bytes, path: str = CHAT) -> Reply:
        """Send a request and return its answer."""
        self.writer.write(post(body, path))
        return Reply(*await read_response(self.reader))


@asynccontextmanager
async def calling(port: int, *, limit: int = 2**24) -> AsyncIterator[Caller]:
    """Connect to the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


async def ask(port: int, body: bytes, path: str = CHAT) -> Reply:
    """Send one request on a connection of its own."""
    async with calling(port) as caller:
        return await caller.ask(body, path)


async def send(port: int, data: bytes) -> Reply:
    """Send bytes as they are on a connection of their own; return the first answer."""
    async with calling(port) as caller:
        caller.writer.write(data)
        return Reply(*await read_response(caller.reader))


async def get(port: int, path: str) -> Reply:
    """Fetch a page of the control plane with the master key."""
    return await send(
        port, f"GET {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {MASTER_KEY}\r\n\r\n".encode()
    )


def check(reply: Reply, fault: Fault, token: str, *, stream: bool) -> None:
    """Check one answer against what its fault must come to."""
    assert reply.status == fault.status, reply.body
    assert len(reply.headers["x-litellm-call-id"]) >= 32
    assert b"internal-host" not in reply.body
    if not stream:
        if fault.whole:
            assert json.loads(reply.body)["choices"][0]["message"]["content"] == token
        else:
            assert reply.error["message"]
        return
    if reply.status != 200:
        assert reply.error["message"]
        return
    events = reply.events
    if fault.whole:
        assert events[-1] == b"[DONE]"
        assert said(events[:-1]) == token
    else:
        assert b"[DONE]" not in events
        assert json.loads(events[-1])["error"]["code"] in ("500", "502", "504")
        assert token.startswith(said(events[:-1]))


def said(events: list[bytes]) -> str:
    """Return the text of a stream's events."""
    return "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events)


def refused(reply: Reply) -> None:
    """Check that an answer is a clear refusal and says nothing of the inside."""
    assert 400 <= reply.status < 500, reply
    assert reply.error["message"]
    assert b"Traceback" not in reply.body
