"""Strict decoding of a JSON object whose members stay raw bytes.

The gateway reads a few members of a body and passes the rest through, so what it does not read must still be checked
for what the parser skips over: invalid UTF-8, duplicate keys, and nesting that would exhaust the stack.
"""

import re
from typing import Final, TypeVar

import msgspec

from headgate.core.errors import InvalidRequestError

Members = dict[str, msgspec.Raw]
"""The top-level members of a JSON object, values as raw bytes."""

_T = TypeVar("_T")

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode
_KEY = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*')
_SEPARATOR = re.compile(rb"[ \t\r\n]*([,}])")
_OPEN = re.compile(rb"[ \t\r\n]*\{")


def decode_object(body: bytes) -> Members:
    """Decode a JSON object, raising `InvalidRequestError` for anything that is not exactly one."""
    if not body:
        raise InvalidRequestError("The request body is empty; expected a JSON object.", param="request_body")
    try:
        if not body.isascii():
            body.decode()
        members = _decode(body)
    except UnicodeDecodeError as error:
        message = f"Invalid JSON payload: not valid UTF-8 at byte {error.start}."
        raise InvalidRequestError(message, param="request_body") from None
    except RecursionError:
        raise InvalidRequestError("Invalid JSON payload: nested too deeply.", param="request_body") from None
    except msgspec.ValidationError:
        message = "Invalid JSON payload: expected an object."
        raise InvalidRequestError(message, param="request_body") from None
    except msgspec.DecodeError as error:
        raise InvalidRequestError(f"Invalid JSON payload: {error}.", param="request_body") from None
    # Compact JSON with distinct plain keys has exactly this length; anything longer may hide a duplicate.
    length = 1 + sum([len(key) + len(value) + 4 for key, value in members.items()])
    if length != len(body) and (duplicate := _duplicate_key(body, members)) is not None:
        raise InvalidRequestError(f"Invalid JSON payload: duplicate key {duplicate!r}.", param=duplicate)
    return members


def _duplicate_key(body: bytes, members: Members) -> str | None:
    """Return the first key that occurs twice at the top level of a valid object, or None."""
    opening = _OPEN.match(body)
    assert opening is not None  # noqa: S101 - the decoder has accepted an object
    position, seen = opening.end(), set[str]()
    while (key := _KEY.match(body, position)) is not None:
        name = msgspec.json.decode(key[1], type=str)
        # The decoder kept the last value, so an earlier one that differs shows as a mismatch.
        value = bytes(members[name])
        if name in seen or not body.startswith(value, key.end()):
            return name
        separator = _SEPARATOR.match(body, key.end() + len(value))
        if separator is None:
            return name
        seen.add(name)
        position = separator.end()
    return None


def encode(value: object) -> bytes:
    """Encode compactly; raw members are copied as they are."""
    return _encode(value)


def raw(value: object) -> msgspec.Raw:
    """Encode a value as a raw member."""
    return msgspec.Raw(_encode(value))


def text(members: Members, name: str) -> str | None:
    """Return a member that must be a string; None when absent or null."""
    return _typed(members, name, str, "a string")


def flag(members: Members, name: str) -> bool | None:
    """Return a member that must be a boolean; None when absent or null."""
    return _typed(members, name, bool, "a boolean")


def integer(members: Members, name: str) -> int | None:
    """Return a member that must be an integer; None when absent or null."""
    return _typed(members, name, int, "an integer")


def _typed(members: Members, name: str, kind: type[_T], words: str) -> _T | None:
    value = members.get(name)
    if value is None or bytes(value) == b"null":
        return None
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise InvalidRequestError(f"Invalid value for '{name}': expected {words}.", param=name) from None
