"""Header fields of an answer: kept as the lines that came, taken apart only when somebody looks."""

from collections.abc import Iterator, Sequence
from typing import overload

Field = tuple[bytes, bytes]


class HeaderFields(Sequence[Field]):
    """Header fields in order, names in lower case, values without surrounding blanks.

    `lines` are complete lines, each ending with CRLF, whose syntax a strict parser has checked: no folding, no bare CR
    or LF. Most answers are passed on without anybody reading a field of them, and a provider's answer has twenty.
    """

    __slots__ = ("_parsed", "lines")

    def __init__(self, lines: bytes = b"") -> None:
        self.lines = lines
        self._parsed: list[Field] | None = None

    def contains(self, name: bytes) -> bool:
        """Tell whether there is a field of that name, given in lower case, without taking the lines apart."""
        return b"\n%b:" % name in b"\n" + self.lines.lower()

    def _fields(self) -> list[Field]:
        if self._parsed is None:
            pairs = [line.partition(b":") for line in self.lines.split(b"\r\n") if line]
            self._parsed = [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]
        return self._parsed

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())

    @overload
    def __getitem__(self, index: int) -> Field: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Field]: ...
    def __getitem__(self, index: int | slice) -> Field | Sequence[Field]:
        return self._fields()[index]
