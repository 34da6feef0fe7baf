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
    """Turns fed bytes into events. Comments, ids and retry hints are dropped; a byte order mark is skipped."""

    def __init__(self, *, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._pending = b""
        self._name = b""
        self._data: list[bytes] = []
        self._first = True

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield each event that `data` completes. Raises ValueError when an event exceeds the limit."""
        data = self._pending + data
        if self._first and len(data) >= 3:
            data, self._first = data.removeprefix(b"\xef\xbb\xbf"), False
        start = 0
        for end in _LINE_END.finditer(data):
            # A CR at the very end may be the first half of a CRLF.
            if end.end() == len(data) and end[0] == b"\r":
                break
            event = self._line(data[start : end.start()])
            start = end.end()
            if event is not None:
                yield event
        self._pending = data[start:]
        if len(self._pending) > self._limit:
            raise ValueError("a server-sent event is larger than the limit")

    def _line(self, line: bytes) -> Event | None:
        if not line:
            event = Event(self._name, b"\n".join(self._data)) if self._data else None
            self._name, self._data = b"", []
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value
        return None
