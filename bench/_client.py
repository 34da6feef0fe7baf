"""A blocking HTTP client with one keep-alive connection: nothing runs beside it, so it adds little noise of its own."""

import json
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple, Self


class Request(NamedTuple):
    """A POST of JSON to a server on loopback."""

    port: int
    path: str
    headers: Mapping[str, str]
    body: bytes

    def encode(self) -> bytes:
        """Return the bytes of the request, head and body."""
        fields = {
            "host": f"127.0.0.1:{self.port}",
            "content-type": "application/json",
            "content-length": str(len(self.body)),
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + self.body


class Connection:
    """A connection to a port on loopback. A context manager; every failure of the connection is an `OSError`."""

    def __init__(self, port: int, timeout: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def exchange(self, request: bytes) -> int:
        """Send one request, read its whole answer and return the status."""
        return self.fetch(request)[0]

    def fetch(self, request: bytes) -> tuple[int, bytes]:
        """Send one request and return the status and the body as it came, chunked framing included."""
        self._socket.sendall(request)
        data = self._receive()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        head = data[:end].lower()
        body = data[end + 4 :]
        position = head.find(b"\r\ncontent-length:")
        if position >= 0:
            missing = int(head[position + 17 :].split(b"\r\n", 1)[0]) - len(body)
            while missing > 0:
                more = self._receive()
                body += more
                missing -= len(more)
        else:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._receive()
        return int(head[9:12]), body

    def _receive(self) -> bytes:
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionResetError("the server closed the connection before its answer was complete")
        return data


def timed(connection: Connection, request: bytes) -> float:
    """Exchange one request and return how long it took, in milliseconds.

    Raises `ValueError` for an answer that is not 200.
    """
    start = time.perf_counter_ns()
    status = connection.exchange(request)
    elapsed = time.perf_counter_ns() - start
    if status != 200:
        raise ValueError(f"answered {status} where 200 was expected")
    return elapsed / 1e6


def mock_requests(port: int) -> int:
    """Ask the asyncio mock how many completions it was asked for."""
    with Connection(port) as connection:
        _, body = connection.fetch(f"GET /requests HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
    return int(json.loads(body)["requests"])
