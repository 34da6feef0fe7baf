"""Server-sent events, read incrementally from bytes that are cut anywhere.

Lines end with LF, CRLF or CR, and the space after the colon is optional
(https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\n|\r")


class Event(NamedTuple):
    """One event: its name (empty when none was given) and its data, several lines joined by LF."""

    name: bytes
    data: bytes


class EventReader:
    """Turns fed bytes into events. Comments, ids and retry hints are dropped; a byte order mark is skipped.

    An event is complete with the blank line after it; what follows the last one is not an event. `limit` is the most
    bytes that are held for one event.
    """

    def __init__(self, *, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._name = b""
        self._data: list[bytes] = []
        self._unfinished: list[bytes] = []
        self._held = 0
        self._after_carriage_return = False
        self._first_line = True

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield each event that `data` completes. Raises ValueError when an event exceeds the limit."""
        if not data:
            return
        # The CR at the end of the last bytes ended a line; this LF is its other half.
        start = 1 if self._after_carriage_return and data.startswith(b"\n") else 0
        self._after_carriage_return = data.endswith(b"\r")
        for end in _LINE_END.finditer(data, start):
            self._hold(data[start : end.start()])
            start = end.end()
            line = b"".join(self._unfinished)
            self._unfinished.clear()
            event = self._line(line)
            if event is not None:
                yield event
        self._hold(data[start:])

    def _hold(self, part: bytes) -> None:
        self._unfinished.append(part)
        self._held += len(part)
        if self._held > self._limit:
            raise ValueError("a server-sent event is larger than the limit")

    def _line(self, line: bytes) -> Event | None:
        if self._first_line:
            line, self._first_line = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            event = Event(self._name, b"\n".join(self._data)) if self._data else None
            self._name, self._data, self._held = b"", [], 0
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value
        else:
            self._held -= len(line)
        return None
