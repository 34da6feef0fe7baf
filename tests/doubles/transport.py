"""A transport without a socket: a protocol is driven by hand, and what it writes is kept."""

import asyncio
from typing import Any


class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written and loses its connection when it is told to."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.unsent = 0
        self._loop = loop
        self._closing = False
        self._protocol: asyncio.Protocol

    def attach(self, protocol: asyncio.Protocol) -> None:
        """Connect a protocol."""
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what is written until the connection is closed."""
        if not self._closing:
            self.written += bytes(data)

    def writelines(self, list_of_data: Any) -> None:
        """Keep what is written."""
        self.write(b"".join(list_of_data))

    def is_closing(self) -> bool:
        """Tell whether the connection is closed."""
        return self._closing

    def close(self) -> None:
        """Close; the protocol is told in the next turn of the loop."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close at once."""
        self.close()

    def can_write_eof(self) -> bool:
        """Tell that one side can be closed alone."""
        return True

    def write_eof(self) -> None:
        """Do nothing: what was written stays."""

    def pause_reading(self) -> None:
        """Stop delivering."""
        self.reading = False

    def resume_reading(self) -> None:
        """Go on delivering."""
        self.reading = True

    def get_write_buffer_size(self) -> int:
        """Return how much has not been sent yet."""
        return self.unsent

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the addresses that a server asks for."""
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default
