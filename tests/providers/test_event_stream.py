import contextlib
import struct
from collections.abc import Iterable
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers._event_stream import EventStreamError, EventStreamReader, Message
from tests.doubles.event_stream import encode_event, encode_message

names = st.text(min_size=1, max_size=20).filter(lambda name: len(name.encode()) < 256)
values = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40), st.text(max_size=40))
messages = st.tuples(st.dictionaries(names, values, max_size=4), st.binary(max_size=200))


def read(pieces: Iterable[bytes]) -> list[Message]:
    reader = EventStreamReader()
    found = [message for piece in pieces for message in reader.feed(piece)]
    assert not reader.midway
    return found


def with_checksums(total: int, headers_length: int, rest: bytes) -> bytes:
    prelude = struct.pack(">II", total, headers_length)
    message = prelude + struct.pack(">I", crc32(prelude)) + rest
    return message + struct.pack(">I", crc32(message))


def with_headers(block: bytes) -> bytes:
    return with_checksums(len(block) + 16, len(block), block)


@given(st.lists(messages, max_size=4), st.data())
def test_messages_survive_any_cut(
    sent: list[tuple[dict[str, bool | int | bytes | str], bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode_message(headers, payload) for headers, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [(dict(message.headers), message.payload) for message in read(pieces)] == sent


def test_one_byte_at_a_time() -> None:
    stream = encode_event("messageStart", b'{"role":"assistant"}') + encode_event("messageStop", b"{}")
    found = read(stream[index : index + 1] for index in range(len(stream)))
    assert [message.headers[":event-type"] for message in found] == ["messageStart", "messageStop"]


def test_agrees_with_botocore() -> None:
    stream = encode_message({"text": "a", "flag": True, "raw": b"\x00", "number": -5}, b"payload")
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    theirs = [(event.headers, event.payload) for event in buffer]
    assert [(dict(message.headers), message.payload) for message in read([stream])] == theirs


def test_every_header_type_is_read() -> None:
    block = b"".join(
        [
            b"\x01a\x00",
            b"\x01b\x01",
            b"\x01c\x02\xff",
            b"\x01d\x03\xff\xfe",
            b"\x01e\x04\x00\x00\x01\x00",
            b"\x01f\x05" + struct.pack(">q", -1),
            b"\x01g\x06\x00\x02\x00\x01",
            b"\x01h\x07\x00\x02\xc3\xa4",
            b"\x01i\x08" + struct.pack(">q", 1_700_000_000_000),
            b"\x01j\x09" + bytes(range(16)),
        ]
    )
    (message,) = read([with_headers(block)])
    assert dict(message.headers) == {
        "a": True, "b": False, "c": -1, "d": -2, "e": 256, "f": -1, "g": b"\x00\x01", "h": "ä",
        "i": 1_700_000_000_000, "j": bytes(range(16)),
    }  # fmt: skip


def test_every_flipped_bit_is_noticed() -> None:
    stream = encode_event("contentBlockDelta", b'{"delta":{"text":"hello"}}')
    for position in range(len(stream)):
        for bit in range(8):
            damaged = bytearray(stream)
            damaged[position] ^= 1 << bit
            reader = EventStreamReader()
            with pytest.raises(EventStreamError):
                list(reader.feed(bytes(damaged)))


@pytest.mark.parametrize(
    ("total", "headers_length", "words"),
    [(15, 0, "length of 15"), (16, 1, "length of 16"), (2**32 - 1, 0, "length of"), (2**20, 2**17 + 1, "of headers")],
)
def test_impossible_lengths_are_refused_before_more_is_awaited(total: int, headers_length: int, words: str) -> None:
    with pytest.raises(EventStreamError, match=words):
        list(EventStreamReader().feed(with_checksums(total, headers_length, b"")))


@pytest.mark.parametrize(
    "block",
    [
        b"\x00\x00",
        b"\x01a\x00\x01a\x00",
        b"\x05a",
        b"\x01\xff\x00",
        b"\x01a",
        b"\x01a\x04\x00",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05abc",
        b"\x01a\x07\x00\x01\xff",
        b"\x01a\x09\x00",
        b"\x01a\x0a",
    ],
)
def test_malformed_headers_are_refused(block: bytes) -> None:
    with pytest.raises(EventStreamError):
        list(EventStreamReader().feed(with_headers(block)))


def test_messages_before_the_damage_are_delivered() -> None:
    found = EventStreamReader().feed(encode_event("messageStart", b"{}") + bytes(12))
    assert next(found).headers[":event-type"] == "messageStart"
    with pytest.raises(EventStreamError):
        next(found)


def test_an_abandoned_iteration_does_not_repeat_a_message() -> None:
    reader = EventStreamReader()
    first = next(iter(reader.feed(encode_event("one", b"") + encode_event("two", b""))))
    rest = list(reader.feed(b""))
    assert [message.headers[":event-type"] for message in [first, *rest]] == ["one", "two"]


@given(st.binary(max_size=64))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    with contextlib.suppress(EventStreamError):
        list(EventStreamReader().feed(data))
