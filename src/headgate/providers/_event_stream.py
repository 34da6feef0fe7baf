"""The binary event stream of AWS (`application/vnd.amazon.eventstream`), read incrementally from bytes cut anywhere.

A message is a prelude (total length, headers length, CRC-32 of both), headers, a payload and a CRC-32 of all before it;
integers are big-endian (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html).
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

HeaderValue = bool | int | bytes | str
"""A header's value; timestamps are integers (milliseconds since 1970), UUIDs their 16 bytes."""

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_OVERHEAD = _PRELUDE.size + _CHECKSUM.size
# AWS' own SDKs refuse more: 128 KiB of headers, 24 MiB of payload.
_HEADERS_LIMIT = 128 * 1024
_PAYLOAD_LIMIT = 24 * 1024 * 1024

_TRUE, _FALSE, _BYTES, _STRING, _UUID = 0, 1, 6, 7, 9
_INTEGERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_INTEGERS[8] = _INTEGERS[5]


class EventStreamError(ValueError):
    """Bytes that are not an AWS event stream; the stream can not be read any further."""


class Message(NamedTuple):
    """One message. The mapping of headers may be shared with the message before it: read it, do not change it."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


class EventStreamReader:
    """Turns fed bytes into messages, checking both checksums of each before anything of it is believed."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._needed = _PRELUDE.size
        self._block = b""
        self._headers: Mapping[str, HeaderValue] = {}

    @property
    def midway(self) -> bool:
        """True while a message has begun and its end has not come."""
        return bool(self._pending)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield each message that `data` completes. Raises `EventStreamError` for anything that is not one."""
        self._pending += data
        start, end = 0, len(self._pending)
        try:
            while end - start >= self._needed:
                total, headers_length = self._prelude(start)
                if end - start < total:
                    self._needed = total
                    break
                message = self._message(start, total, headers_length)
                start += total
                self._needed = _PRELUDE.size
                yield message
        finally:
            del self._pending[:start]

    def _prelude(self, start: int) -> tuple[int, int]:
        total, headers_length, checksum = _PRELUDE.unpack_from(self._pending, start)
        if crc32(self._pending[start : start + 8]) != checksum:
            raise EventStreamError("the checksum of a message's prelude is wrong")
        if headers_length > _HEADERS_LIMIT:
            raise EventStreamError(f"a message announces {headers_length} bytes of headers")
        if not 0 <= total - headers_length - _OVERHEAD <= _PAYLOAD_LIMIT:
            raise EventStreamError(f"a message announces a length of {total} bytes")
        return total, headers_length

    def _message(self, start: int, total: int, headers_length: int) -> Message:
        message = bytes(self._pending[start : start + total])
        if crc32(message[:-4]) != _CHECKSUM.unpack_from(message, total - 4)[0]:
            raise EventStreamError("the checksum of a message is wrong")
        block = message[_PRELUDE.size : _PRELUDE.size + headers_length]
        # The deltas of a stream carry the same headers, one after the other.
        if block != self._block:
            self._headers, self._block = _parse_headers(block), block
        return Message(self._headers, message[_PRELUDE.size + headers_length : -4])


def _parse_headers(block: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    position = 0
    try:
        while position < len(block):
            name_end = position + 1 + block[position]
            name = block[position + 1 : name_end].decode()
            if not name or name in headers:
                raise EventStreamError("a header has no name, or a name that came before")
            headers[name], position = _parse_value(block, name_end)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise EventStreamError("the headers of a message are malformed") from None
    return headers


def _parse_value(block: bytes, position: int) -> tuple[HeaderValue, int]:
    """Return the value whose type byte is at `position`, and where it ends."""
    kind = block[position]
    start = position + 1
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, start
    if (integer := _INTEGERS.get(kind)) is not None:
        value: int = integer.unpack_from(block, start)[0]
        return value, start + integer.size
    if kind == _UUID:
        end = start + 16
    elif kind in (_BYTES, _STRING):
        start += _LENGTH.size
        end = start + _LENGTH.unpack_from(block, start - _LENGTH.size)[0]
    else:
        raise EventStreamError(f"a header has the unknown type {kind}")
    if end > len(block):
        raise EventStreamError("a header ends after the headers of its message")
    raw = block[start:end]
    return (raw.decode() if kind == _STRING else raw), end
