"""An upstream's answer while it arrives: read as a whole, or relayed piece by piece without a task in between."""

import asyncio
import zlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

from headgate.core.errors import UpstreamError
from headgate.transport.failures import protocol_broken

OnData = Callable[[bytes], None]
OnEnd = Callable[[UpstreamError | None], None]
Notify = Callable[[Exception | None], None]
"""Told once that what was waited for has arrived, or why it never will."""

BUFFER_LIMIT = 256 * 1024
"""Bytes held for a stream that nobody relays yet, before the upstream is made to wait."""


def _drop(data: bytes) -> None:
    """Take data that nobody wants."""


def settle(waiter: "asyncio.Future[None]", error: Exception | None) -> None:
    """Let a future tell whoever awaits it; it may have been cancelled meanwhile."""
    if not waiter.done():
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


class Source(Protocol):
    """What produces a response: a connection, or something that stands in for one."""

    def pause(self) -> None:
        """Stop producing until `resume`."""

    def resume(self) -> None:
        """Go on producing."""

    def abort(self) -> None:
        """Stop for good and release everything; nothing is delivered afterwards."""

    def hasten(self) -> None:
        """End within a moment: nobody waits for the rest."""


class Response:
    """One answer. `status` and `headers` are there once `head_arrived` is done.

    The consumer either awaits `read`, or calls `relay` and gets the body pushed. The producer calls `put_head`,
    `put_data` and `put_end`. `size_limit` bounds a body that is read whole, after decompression, in bytes.
    """

    # Defaults live on the class: most answers never change them.
    status = 0
    _size = 0
    _ended = False
    _discarded = False
    _error: UpstreamError | None = None
    _on_data: OnData | None = None
    _on_end: OnEnd | None = None
    _decompressor: "zlib._Decompress | None" = None

    def __init__(self, source: Source, notify: Notify | None, *, whole: bool, size_limit: int) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self._source = source
        self._notify = notify
        self._waits_for_end = whole
        self._size_limit = size_limit
        self._pieces: list[bytes] = []

    def body(self) -> bytes:
        """Return the body of an answer that has arrived as a whole."""
        pieces = self._pieces
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read(self) -> bytes:
        """Return the whole body. Raises `UpstreamError` when it broke off or is too large."""
        if not self._ended:
            self._waits_for_end = True
            waiter = asyncio.get_running_loop().create_future()
            self._notify = partial(settle, waiter)
            self._source.resume()
            await waiter
        if self._error is not None:
            raise self._error
        return self.body()

    def relay(self, on_data: OnData, on_end: OnEnd) -> None:
        """Push what arrives to `on_data`, then call `on_end` once, with the error that ended it or None."""
        self._on_data, self._on_end = on_data, on_end
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            on_data(data)
        if self._ended:
            self._on_end = None
            on_end(self._error)
        else:
            self._source.resume()

    def pause(self) -> None:
        """Make the upstream wait: the consumer is behind."""
        if not self._ended:
            self._source.pause()

    def resume(self) -> None:
        """Let the upstream go on."""
        if not self._ended:
            self._source.resume()

    def abort(self) -> None:
        """Give the answer up and close the connection it comes from, unless it has ended or is being discarded."""
        if self._discarded:
            return
        self._on_data = self._on_end = self._notify = None
        if not self._ended:
            self._ended = True
            self._source.abort()

    def discard(self) -> None:
        """Drop what still arrives. The connection can be used again if the answer ends within a moment."""
        self._on_data, self._on_end = _drop, None
        if not self._ended:
            self._discarded = True
            self._source.resume()
            self._source.hasten()

    def put_head(self, status: int, headers: list[tuple[bytes, bytes]], encoding: bytes) -> None:
        """Take status and header fields; `encoding` is the Content-Encoding, empty when there is none."""
        self.status, self.headers = status, headers
        if encoding and encoding != b"identity":
            if encoding not in (b"gzip", b"x-gzip", b"deflate"):
                raise protocol_broken("The upstream answered in a content encoding that was not asked for.")
            self._decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        if not self._waits_for_end:
            self._wake()

    def put_data(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._decompressor is not None:
            data = self._decompress(data)
        if self._on_data is not None:
            self._on_data(data)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._size_limit:
            raise protocol_broken("The upstream's answer is larger than the configured limit.")
        if not self._waits_for_end and self._size > BUFFER_LIMIT:
            self._source.pause()

    def put_end(self, error: UpstreamError | None = None) -> None:
        """Take the end, or what broke the answer off."""
        if self._ended:
            return
        if error is None and self._decompressor is not None and not self._decompressor.eof:
            error = protocol_broken("The upstream's compressed answer broke off.")
        self._ended = True
        if error is not None:
            self._error = error
        self._wake()
        if self._on_end is not None:
            on_end, self._on_end = self._on_end, None
            on_end(error)

    def reject(self, error: Exception) -> None:
        """Fail the wait for the head with an error of the transport's own, before anything arrived."""
        self._ended = True
        notify, self._notify = self._notify, None
        if notify is not None:
            notify(error)

    def _wake(self) -> None:
        notify, self._notify = self._notify, None
        if notify is not None:
            notify(self._error)

    def _decompress(self, data: bytes) -> bytes:
        assert self._decompressor is not None  # noqa: S101 - checked by the caller
        try:
            # One byte more than allowed, so that the limit check sees a bomb without inflating it.
            inflated = self._decompressor.decompress(data, self._size_limit - self._size + 1)
        except zlib.error as error:
            raise protocol_broken("The upstream's compressed answer is corrupt.") from error
        if self._decompressor.unconsumed_tail:
            raise protocol_broken("The upstream's answer is larger than the configured limit.")
        if self._decompressor.unused_data:
            # Dropping it would cut the answer short without a sign; several gzip members are not worth their bombs.
            raise protocol_broken("The upstream's compressed answer goes on after its end.")
        return inflated
