"""The plainest HTTP client: one connection, one request, one answer."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

LIMIT_SECONDS = 20.0


class Answer(NamedTuple):
    """A whole answer; names of header fields in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        """The data of a body that is an event stream."""
        blocks = self.body.removesuffix(b"\n\n").split(b"\n\n")
        return [block.rpartition(b"data: ")[2] for block in blocks]


def request(
    port: int,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask a server on loopback; a body that is not bytes is sent as JSON."""
    with begun(port, method, path, body, headers) as response:
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())


@contextmanager
def begun(
    port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Ask, and give the answer once its header has arrived; the connection is closed at the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    fields = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        fields.setdefault("content-type", "application/json")
    try:
        connection.request(method, path, body, fields)
        response = connection.getresponse()
        with response:
            yield response
    finally:
        connection.close()
