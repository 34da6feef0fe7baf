"""The mock upstream that waits and streams: `python -m bench.mock --port N`, on loopback only.

It answers `POST /<behavior>/v1/chat/completions` as `bench._behaviors` says and `GET /requests` with the number of
completions asked for so far. Each delta leaves in a turn of the event loop of its own, so that it is one write to the
socket, as an inference server would do it.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from typing import cast

import httptools
import uvloop

from bench._behaviors import BEHAVIORS, DONE, Behavior, answer, frames, usage_frame

_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class Counter:
    """The number of completions asked for."""

    def __init__(self) -> None:
        self.requests = 0


class _Script:
    """One behavior as bytes, encoded once."""

    def __init__(self, behavior: Behavior) -> None:
        self.behavior = behavior
        self.whole = response(answer(behavior.answer_bytes)) if not behavior.deltas else b""
        self.chunks = [chunk(frame) for frame in frames(behavior)] if behavior.deltas else []
        self.usage = chunk(usage_frame(behavior))


def response(body: bytes, status: str = "200 OK") -> bytes:
    """Return a whole JSON response."""
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class MockProtocol(asyncio.Protocol):
    """One connection of the mock; requests are answered one after the other."""

    def __init__(self, scripts: dict[bytes, _Script], counter: Counter, loop: asyncio.AbstractEventLoop) -> None:
        self._scripts = scripts
        self._counter = counter
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body = b""
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and switch Nagle's algorithm off."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop whatever was being streamed."""
        if self._timer is not None:
            self._timer.cancel()

    def on_message_begin(self) -> None:
        """Forget the request before."""
        self._url = b""
        self._body = b""

    def on_url(self, url: bytes) -> None:
        """Collect the request target, which may come in parts."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Collect the body, which is only searched for the wish to have usage reported."""
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Answer as the path says."""
        script = self._scripts.get(self._url)
        if script is None:
            self._answer_other()
            return
        self._counter.requests += 1
        if script.chunks:
            chunks = script.chunks
            if b'"include_usage":true' in self._body.replace(b" ", b""):
                chunks = [*chunks, script.usage]
            self._transport.write(_STREAM_HEAD)
            self._stream(chunks, script.behavior.interval_seconds)
        elif script.behavior.delay_seconds:
            self._timer = self._loop.call_later(script.behavior.delay_seconds, self._transport.write, script.whole)
        else:
            self._transport.write(script.whole)

    def _answer_other(self) -> None:
        if self._url == b"/requests":
            self._transport.write(response(b'{"requests":%d}' % self._counter.requests))
        else:
            self._transport.write(response(b'{"error":{"message":"no such behavior"}}', "404 Not Found"))

    def _stream(self, chunks: list[bytes], interval: float) -> None:
        """Write the chunks one by one, each at its multiple of `interval` seconds, so that lateness does not add up."""
        loop, transport, last = self._loop, self._transport, len(chunks)
        start = loop.time()
        position = 0

        def step() -> None:
            nonlocal position
            if transport.is_closing():
                return
            if position == last:
                transport.write(chunk(DONE) + _LAST_CHUNK)
                return
            transport.write(chunks[position])
            position += 1
            self._timer = loop.call_at(start + position * interval, step) if interval else loop.call_soon(step)

        step()


def protocol_factory(counter: Counter, loop: asyncio.AbstractEventLoop) -> Callable[[], MockProtocol]:
    """Return what makes a protocol for each connection, for `loop.create_server`."""
    scripts = {behavior.chat_path.encode(): _Script(behavior) for behavior in BEHAVIORS}
    return lambda: MockProtocol(scripts, counter, loop)


async def serve(port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    server = await loop.create_server(protocol_factory(Counter(), loop), "127.0.0.1", port, backlog=4096)
    await stop.wait()
    server.close()


def main() -> None:
    """Read the port and serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.mock", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="the port on 127.0.0.1")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
