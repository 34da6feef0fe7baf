"""A data-plane request and the way to answer it, whatever server it came through."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from headgate.core.provider import Headers


class Pausable(Protocol):
    """What feeds an answer and can be made to wait for a slow reader."""

    def pause(self) -> None:
        """Stop feeding until `resume`."""

    def resume(self) -> None:
        """Go on feeding."""


class Exchange(Protocol):
    """One request, read completely, and its answer. Nothing here waits: what can not be sent yet is buffered.

    Header blocks are complete lines, each ending with CRLF, without Content-Length, Transfer-Encoding, Connection and
    Date, which belong to the transport.
    """

    method: bytes
    path: bytes
    """The path as it came, percent-encoded, without the query."""
    query: bytes

    @property
    def headers(self) -> Headers:
        """The header fields, names in lower case."""

    body: bytes
    ticket: object
    """What `DataPlane.admit` returned for it."""
    received_at: float
    """When the first byte of the request was read, on the monotonic clock."""
    started: bool
    """True once anything of the answer was sent."""
    disconnected: bool
    on_disconnect: Callable[[], None] | None
    """Called once when the client goes away before the answer is over; a task that was spawned is cancelled as well."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Go on in a task, which is cancelled when the client goes away."""

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer."""

    def begin(self, status: int, headers: bytes, source: Pausable | None) -> None:
        """Begin a streamed answer, fed by `source`; the head goes out with the first data."""

    def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer."""

    def finish(self) -> None:
        """End a streamed answer as it should end."""

    def abort(self) -> None:
        """Close the connection in the middle of an answer, so that the client sees that it is not whole."""


class Refusal(msgspec.Struct):
    """An answer that is given on the strength of the header alone, before a body is read."""

    status: int
    headers: bytes
    body: bytes


class DataPlane(Protocol):
    """What a server hands data-plane requests to."""

    body_limit: int
    """Bytes of a request body, at most."""
    draining: bool
    """True while the process is about to stop: answers then ask the client to connect anew."""

    def serves(self, method: bytes, path: bytes) -> bool:
        """Tell whether a request belongs to the data plane."""

    def admit(self, method: bytes, path: bytes, headers: Headers) -> object:
        """Look at a request before its body is read; return a `Refusal`, or anything else as the exchange's ticket."""

    def refuse(self, path: bytes, status: int, message: str) -> Refusal:
        """Word a refusal of the transport's own in the dialect of the path."""

    def handle(self, exchange: Exchange) -> None:
        """Begin to answer a request; the answer may come later. Never raises."""


def too_large(plane: DataPlane, path: bytes) -> Refusal:
    """Return the refusal of a body that is larger than the data plane's limit."""
    megabytes = plane.body_limit / (1024 * 1024)
    return plane.refuse(path, 413, f"The request body is too large; the limit is {megabytes:g} MB.")
