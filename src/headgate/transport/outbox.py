"""Writes of one turn of the event loop, made together at its end.

Under load a turn reads many connections. Writing to each as soon as its bytes are there wakes whoever reads the other
end, one at a time, and every wake-up costs more than the write. Written in one go at the end of the turn, most of them
find the other end awake: measured with 32 connections, a fifth more requests per second. What is written to one
connection within a turn also goes out as one piece.
"""

import asyncio


class Channel:
    """A transport's way into the outbox. Everything that is written to the transport must go through it."""

    __slots__ = ("_outbox", "_pending", "_transport")

    def __init__(self, outbox: "Outbox", transport: asyncio.Transport) -> None:
        self._outbox = outbox
        self._transport = transport
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send at the end of the turn."""
        if not self._pending:
            self._outbox.add(self)
        self._pending.append(data)

    @property
    def waiting(self) -> bool:
        """True while something has not been sent yet."""
        return bool(self._pending)

    def flush(self) -> None:
        """Send now; for what must happen in order with a close."""
        pending = self._pending
        if pending:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            if not self._transport.is_closing():
                self._transport.write(data)


class Outbox:
    """Flushes channels at the end of the turn in which they were written to. One per event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._channels: list[Channel] = []

    def add(self, channel: Channel) -> None:
        """Flush a channel at the end of the turn."""
        if not self._channels:
            self._loop.call_soon(self._flush)
        self._channels.append(channel)

    def _flush(self) -> None:
        channels, self._channels = self._channels, []
        for channel in channels:
            channel.flush()


_outboxes: dict[asyncio.AbstractEventLoop, Outbox] = {}


def outbox_of(loop: asyncio.AbstractEventLoop) -> Outbox:
    """Return the outbox of a loop, so that both legs write together."""
    outbox = _outboxes.get(loop)
    if outbox is None:
        for closed in [one for one in _outboxes if one.is_closed()]:
            del _outboxes[closed]
        outbox = _outboxes[loop] = Outbox(loop)
    return outbox
