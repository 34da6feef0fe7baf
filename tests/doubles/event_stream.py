"""An encoder of AWS event-stream messages, independent of the reader under test."""

import struct
from collections.abc import Mapping
from zlib import crc32


def encode_message(headers: Mapping[str, bool | int | bytes | str], payload: bytes = b"") -> bytes:
    """Return one message; integers are written as 64 bit."""
    block = b"".join(_encode_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", len(block) + len(payload) + 16, len(block))
    message = prelude + struct.pack(">I", crc32(prelude)) + block + payload
    return message + struct.pack(">I", crc32(message))


def encode_event(event_type: str, payload: bytes) -> bytes:
    """Return an event with the headers that Bedrock sends."""
    headers = {":event-type": event_type, ":content-type": "application/json", ":message-type": "event"}
    return encode_message(headers, payload)


def encode_exception(exception_type: str, payload: bytes) -> bytes:
    """Return an exception that ends a stream, with the headers that Bedrock sends."""
    headers = {":exception-type": exception_type, ":content-type": "application/json", ":message-type": "exception"}
    return encode_message(headers, payload)


def _encode_header(name: str, value: bool | int | bytes | str) -> bytes:
    encoded = bytes([len(name.encode())]) + name.encode()
    if isinstance(value, bool):
        return encoded + (b"\x00" if value else b"\x01")
    if isinstance(value, int):
        return encoded + b"\x05" + struct.pack(">q", value)
    if isinstance(value, bytes):
        return encoded + b"\x06" + struct.pack(">H", len(value)) + value
    text = value.encode()
    return encoded + b"\x07" + struct.pack(">H", len(text)) + text
