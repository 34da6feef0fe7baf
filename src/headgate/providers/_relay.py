"""Passing an event stream on unchanged, event by event, without parsing what nobody reads.

A stream is cut into complete events; only an event that may say something the gateway must know is looked at, and most
are ruled out by byte searches over everything that arrived at once. Inside a JSON string every quote is escaped, so
text that a model writes never contains `"usage"` with two bare quotes; a nested member of that name may, and is told
apart when the event is parsed.
"""

import re
from abc import ABC, abstractmethod

from headgate.core.errors import UpstreamError
from headgate.core.provider import Headers
from headgate.core.sse import Event
from headgate.core.usage import Usage
from headgate.providers._errors import clean, protocol_error, truncated_error

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes that one event may have; images travel in events."""

_COUNT_AFTER = 8_192
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIELD = re.compile(rb"(?:data|event|id|retry)?:|(?:data|event|id|retry)(?:\n|$)")
_FOREIGN_TYPE = re.compile(rb"\s*(application/(?:[\w.-]+\+)?json|text/html)\b", re.IGNORECASE)
# Members in which models write: chat, completions, reasoning, tool arguments, and the deltas of typed events.
_OUTPUT = re.compile(
    rb'"(?:content|text|reasoning_content|reasoning|arguments|refusal|delta)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"'
)


class EventRelay(ABC):
    """The base of the pass-through translators: cuts, forwards and counts; subclasses say what matters in an event.

    Line ends come out as LF, whatever they were. An event that grows beyond the limit without an end, or a stream that
    does not begin as an event stream, is a `failure`.
    """

    def __init__(self, headers: Headers, *, limit: int = EVENT_LIMIT) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failure: UpstreamError | None = None
        self._limit = limit
        self._held: list[bytes] = []
        self._held_size = 0
        self._after_cr = False
        self._first = self._fresh = True
        self._ended = False
        self._uncounted: list[bytes] = []
        self._uncounted_size = 0
        self._characters = 0
        content_type = dict(headers).get(b"content-type", b"")
        foreign = _FOREIGN_TYPE.match(content_type)
        if foreign is not None:
            kind = clean(foreign[1].decode("latin-1"))
            self.failure = protocol_error(f"The upstream provider answered a streamed request with {kind}.")

    @property
    def output_characters(self) -> int:
        """The size of the output that was forwarded, in bytes as written, escapes included; enough for an estimate."""
        if self._uncounted:
            self._count()
        return self._characters

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return the complete events that the client gets."""
        if self.failure is not None or self._ended:
            return b""
        if self._after_cr or b"\r" in data:
            data = self._unify(data)
        if self._held:
            data = self._join(data)
        if not data.endswith(b"\n\n"):
            end = data.rfind(b"\n\n") + 2
            if end < 2:
                self._hold(data)
                return b""
            self._hold(data[end:])
            data = data[:end]
        if self._fresh:
            data = self._begin(data)
        if self._notable(data):
            data = self._sift(data)
        self._uncounted.append(data)
        self._uncounted_size += len(data)
        if self._uncounted_size > _COUNT_AFTER:
            self._count()
        return data

    def finish(self) -> bytes:
        """Take the end of the body; an end before the answer was complete becomes the `failure`."""
        if self._stopped():
            return b""
        rest = b"".join(self._held)
        self._held.clear()
        if self._fresh:
            rest = self._begin(rest)
        body = rest.lstrip(b"\n")
        # Some servers omit the last blank line. What was cut inside an event is no event, and is dropped.
        if not self._stopped() and self._is_whole(_parse(body).data):
            self._after_cr = False
            out = self.feed(rest.rstrip(b"\n") + b"\n\n")
        else:
            out = rest[: len(rest) - len(body)]
        if not self._stopped() and not self.complete:
            out += self._conclude()
        return out

    @abstractmethod
    def _notable(self, data: bytes) -> bool:
        """Tell by searching whether bytes may hold something to look at; never misses what `_take` acts on."""

    @abstractmethod
    def _take(self, event: Event) -> bool:
        """Look at an event; return whether it is forwarded."""

    @abstractmethod
    def _is_whole(self, data: bytes) -> bool:
        """Tell whether the data of an event without its blank line is all there."""

    def _foreign(self, body: bytes) -> None:
        """Set the failure for a body that is no event stream."""
        self.failure = protocol_error("The upstream provider answered a streamed request with something else.")

    def _conclude(self) -> bytes:
        """Decide about a body that ended without an end mark; return what the client still gets."""
        self.failure = truncated_error()
        return b""

    def _counted(self, data: bytes) -> None:
        """Look once at forwarded bytes, several events at a time."""
        self._characters += sum(map(len, _OUTPUT.findall(data)))

    def _stopped(self) -> bool:
        return self._ended or self.failure is not None

    def _unify(self, data: bytes) -> bytes:
        # A CR that ended the last piece may have been the first half of a CRLF.
        if self._after_cr and data:
            data, self._after_cr = data.removeprefix(b"\n"), False
        if data.endswith(b"\r"):
            self._after_cr = True
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size > self._limit:
                self._held.clear()
                self.failure = protocol_error("The upstream provider sent an event that is larger than the limit.")

    def _join(self, data: bytes) -> bytes:
        # An event ends with a line end, so without one there is nothing to find: pieces of a large event only add up.
        if b"\n" not in data:
            self._hold(data)
            return b""
        self._held.append(data)
        data = b"".join(self._held)
        self._held.clear()
        self._held_size = 0
        return data

    def _begin(self, data: bytes) -> bytes:
        """Skip a byte order mark, and look whether the first event is one."""
        if self._first:
            data, self._first = data.removeprefix(_BYTE_ORDER_MARK), False
        body = data.lstrip(b"\n")
        if body:
            self._fresh = False
            if _FIELD.match(body) is None:
                self._foreign(body.partition(b"\n\n")[0])
                return data[: len(data) - len(body)]
        return data

    def _sift(self, data: bytes) -> bytes:
        kept: list[bytes] = []
        start = 0
        while start < len(data) and not self._stopped():
            end = data.find(b"\n\n", start) + 2
            if end < 2:
                end = len(data)
            block = data[start:end]
            start = end
            body = block.lstrip(b"\n")
            if body and self._notable(body) and not self._take(_parse(body)):
                block = block[: len(block) - len(body)]
            kept.append(block)
        return b"".join(kept)

    def _count(self) -> None:
        data = b"".join(self._uncounted)
        self._uncounted.clear()
        self._uncounted_size = 0
        self._counted(data)


def _parse(block: bytes) -> Event:
    """Read the fields of one event whose lines end with LF."""
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(name, b"\n".join(data))
