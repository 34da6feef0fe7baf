"""What tests share: running coroutines on the loop that production uses, under a limit, and raw HTTP helpers."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

LIMIT_SECONDS = 20.0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine on uvloop; a hang is a failure, not a wait."""
    return run_for(coroutine, LIMIT_SECONDS)


def run_for(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    """Run a test's coroutine that may take longer than others."""

    async def limited() -> T:
        async with asyncio.timeout(seconds):
            return await coroutine

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(limited())


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Read up to and including the empty line that ends a header."""
    return await reader.readuntil(b"\r\n\r\n")


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one request with a Content-Length; return head and body."""
    head = await read_head(reader)
    return head, await reader.readexactly(content_length(head))


async def read_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one response, whichever way it is framed; return status, header fields and body."""
    head = await read_head(reader)
    status = int(head.split(b" ", 2)[1])
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:] if line)
    }
    if fields.get("transfer-encoding") == "chunked":
        return status, fields, await read_chunked(reader)
    if "content-length" in fields:
        return status, fields, await reader.readexactly(int(fields["content-length"]))
    return status, fields, await reader.read()


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body. Raises IncompleteReadError when it breaks off."""
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def content_length(head: bytes) -> int:
    """Return the Content-Length of a head, 0 without one."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
