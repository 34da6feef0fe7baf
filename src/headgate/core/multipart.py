"""A strict reader of `multipart/form-data` that keeps offsets instead of copies, so that one field can be rewritten
while the files beside it stay the bytes they were.

The form is what RFC 7578 sends and HTTP clients write: no preamble, CRLF line ends, every part named. Anything else is
refused, because two parsers that read a form differently would let a client say one thing to the gateway and another
to the upstream.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from headgate.core.errors import InvalidRequestError

MAX_PARTS = 256
MAX_PART_HEADER_BYTES = 8_192
MAX_FIELD_BYTES = 1_048_576
"""The largest field that is not a file."""

_MEDIA_TYPE = re.compile(r"\s*multipart/form-data\s*;(?P<parameters>.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]+))\s*(?:;|$)')
# RFC 2046 section 5.1.1: 1 to 70 characters of this set, not ending with a blank.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_DISPOSITION = re.compile(r"\s*form-data\s*;(?P<parameters>.*)", re.IGNORECASE | re.DOTALL)


class Part(NamedTuple):
    """One part of a form: `start` and `end` bound its content, `outer` is where its delimiter line begins."""

    name: str
    filename: str | None
    outer: int
    start: int
    end: int


class Form(NamedTuple):
    """A form that was read: its boundary, its parts in order, and where the closing delimiter begins."""

    boundary: bytes
    parts: tuple[Part, ...]
    close: int

    @property
    def content_type(self) -> bytes:
        """The `Content-Type` that belongs to the form's bytes."""
        return b'multipart/form-data; boundary="' + self.boundary + b'"'

    def fields(self, body: bytes) -> dict[str, str]:
        """Return the fields that are not files; of a repeated name (`include[]`) the last.

        Raises `InvalidRequestError` for a field that is not UTF-8 or larger than `MAX_FIELD_BYTES`.
        """
        values: dict[str, str] = {}
        for part in self.parts:
            if part.filename is not None:
                continue
            if part.end - part.start > MAX_FIELD_BYTES:
                raise InvalidRequestError(f"The form field '{part.name}' is too large.", param=part.name)
            try:
                values[part.name] = body[part.start : part.end].decode()
            except UnicodeDecodeError:
                raise InvalidRequestError(f"The form field '{part.name}' is not UTF-8.", param=part.name) from None
        return values

    def rewrite(self, body: bytes, changes: Mapping[str, bytes | None]) -> bytes:
        """Return the body with fields set (bytes) or taken out (None); a field that is not there yet comes first.

        The values must not hold a line break followed by the boundary.
        """
        pieces: list[bytes | memoryview] = []
        view, missing = memoryview(body), dict(changes)
        for name, value in changes.items():
            if value is not None and all(part.name != name for part in self.parts):
                pieces.append(_written(self.boundary, name, value))
        for index, part in enumerate(self.parts):
            following = self.parts[index + 1].outer if index + 1 < len(self.parts) else self.close
            if part.filename is None and part.name in missing:
                value = missing[part.name]
                if value is not None:
                    pieces.extend((view[part.outer : part.start], value, b"\r\n"))
            else:
                pieces.append(view[part.outer : following])
        pieces.append(view[self.close :])
        return b"".join(pieces)


def parse_form(body: bytes, content_type: bytes) -> Form:
    """Find the parts of a form. Raises `InvalidRequestError` for anything that is not exactly one."""
    boundary = _boundary(content_type)
    delimiter = b"--" + boundary
    if not body.startswith(delimiter):
        raise _malformed("it does not begin with its boundary")
    parts: list[Part] = []
    outer, position = 0, len(delimiter)
    while body[position : position + 2] == b"\r\n":
        if len(parts) == MAX_PARTS:
            raise _malformed(f"it has more than {MAX_PARTS} parts")
        start = body.find(b"\r\n\r\n", position, position + MAX_PART_HEADER_BYTES)
        if start < 0:
            raise _malformed("the headers of a part are incomplete or too long")
        name, filename = _disposition(body[position + 2 : start])
        if filename is None and any(part.name == name and not name.endswith("[]") for part in parts):
            raise InvalidRequestError(f"The form field '{name}' occurs twice.", param=name)
        end = _content_end(body, delimiter, start + 4)
        parts.append(Part(name, filename, outer, start + 4, end))
        outer = end + 2
        position = outer + len(delimiter)
    if body[position : position + 2] != b"--" or body[position + 2 :] not in (b"", b"\r\n"):
        raise _malformed("it does not end with its closing boundary")
    return Form(boundary, tuple(parts), outer)


def _content_end(body: bytes, delimiter: bytes, start: int) -> int:
    """Return where the content that begins at `start` ends.

    A boundary must not occur in what it bounds (RFC 2046 section 5.1.1), so one that is no whole delimiter line is
    refused: a more lenient reader might take it for one.
    """
    found = body.find(delimiter, start)
    end, after = found - 2, found + len(delimiter)
    if found < 0:
        raise _malformed("a part does not end with the boundary")
    if end < start or body[end:found] != b"\r\n" or body[after : after + 2] not in (b"\r\n", b"--"):
        raise _malformed("its boundary occurs inside a part")
    return end


def _boundary(content_type: bytes) -> bytes:
    try:
        media = _MEDIA_TYPE.fullmatch(content_type.decode("ascii"))
    except UnicodeDecodeError:
        media = None
    if media is None:
        raise InvalidRequestError("Expected a multipart/form-data body with a boundary.", param="request_body")
    boundary = _parameters(media["parameters"]).get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise _malformed("its boundary is missing or not valid")
    return boundary.encode()


def _disposition(block: bytes) -> tuple[str, str | None]:
    try:
        lines = block.decode().split("\r\n")
    except UnicodeDecodeError:
        raise _malformed("the headers of a part are not UTF-8") from None
    found = [
        value for name, _, value in (line.partition(":") for line in lines) if name.lower() == "content-disposition"
    ]
    disposition = _DISPOSITION.fullmatch(found[0]) if len(found) == 1 else None
    if disposition is None:
        raise _malformed("a part has no single Content-Disposition: form-data")
    parameters = _parameters(disposition["parameters"])
    name = parameters.get("name", "")
    if not name or len(name) > 256 or not name.isprintable():
        raise _malformed("a part has no valid name")
    return name, parameters.get("filename", parameters.get("filename*"))


def _parameters(text: str) -> dict[str, str]:
    """Read `; name=value` pairs, strictly: a pair that can not be read or occurs twice is refused."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        pair = _PARAMETER.match(text, position)
        if pair is None or pair[1].lower() in found:
            raise _malformed("a header parameter can not be read")
        found[pair[1].lower()] = pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2])
        position = pair.end()
    return found


def _written(boundary: bytes, name: str, value: bytes) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'.encode()
    return b"--" + boundary + b"\r\n" + disposition + b"\r\n\r\n" + value + b"\r\n"


def _malformed(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid multipart form: {reason}.", param="request_body")
