"""YAML read into a tree in which every value knows its file and line.

The tree is built from the parser's events without recursion, so that neither deep nesting nor aliases that refer to
each other can exhaust the stack, the memory or the reader's patience.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import yaml

MAXIMUM_FILE_BYTES = 10 * 1024 * 1024
"""Larger files are refused; the largest configuration that makes sense is a hundred times smaller."""
MAXIMUM_VALUES = 200_000
"""Values in one document, each use of an alias counted in full."""
MAXIMUM_DEPTH = 64
"""Levels of nesting, aliases included."""

Scalar = str | int | float | bool | None

_TAG = "tag:yaml.org,2002:"
_Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(Exception):
    """A file that can not be read as one YAML document; `line` is None when the file as a whole is at fault."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the place it came from.

    `line` (from 1) is the line of the key that holds the value, or of the item in a list. `size` and `depth` count the
    values below this one and the levels they take.
    """

    value: "Scalar | dict[str, Node] | list[Node]"
    file: Path
    line: int
    size: int = 1
    depth: int = 1

    def get(self, key: str) -> "Node | None":
        """Return the member of a mapping; None when there is none or this is not a mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None


def mapping(value: dict[str, Node], file: Path, line: int) -> Node:
    """Build the node of a mapping. Raises `DocumentError` when it is too large or too deep."""
    return _collection(value, list(value.values()), file, line)


def sequence(value: list[Node], file: Path, line: int) -> Node:
    """Build the node of a list. Raises `DocumentError` when it is too large or too deep."""
    return _collection(value, value, file, line)


def _collection(value: dict[str, Node] | list[Node], items: list[Node], file: Path, line: int) -> Node:
    size = 1 + sum(item.size for item in items)
    depth = 1 + max((item.depth for item in items), default=0)
    if size > MAXIMUM_VALUES:
        raise DocumentError(f"Aliases and values together make more than {MAXIMUM_VALUES:,} values.", line)
    if depth > MAXIMUM_DEPTH:
        raise DocumentError(f"Nested more than {MAXIMUM_DEPTH} levels deep.", line)
    return Node(value, file, line, size, depth)


def plain(node: Node) -> object:
    """Return the value without its places: dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def read(path: Path) -> Node:
    """Read one YAML file. Raises `DocumentError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_FILE_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"Cannot be read: {error.strerror or 'unknown error'}.") from None
    except ValueError:
        raise DocumentError("Cannot be read: the name of the file is not valid.") from None
    if len(data) > MAXIMUM_FILE_BYTES:
        raise DocumentError(f"Larger than {MAXIMUM_FILE_BYTES // 1024 // 1024} MB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError("Not valid UTF-8.", data.count(b"\n", 0, error.start) + 1) from None
    return parse(text, path)


def parse(text: str, file: Path) -> Node:
    """Parse one YAML document; `file` is only noted. Raises `DocumentError`.

    Beyond YAML itself: duplicate keys are errors, keys are always text (`on:` is the key "on"), and dates stay text
    (`api_version: 2024-02-01` needs no quotes).
    """
    try:
        return _Builder(text, file).build()
    except yaml.reader.ReaderError as error:
        raise DocumentError("Holds a character that YAML does not allow.", _line_of(text, error)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not valid YAML"
        message = f"Not valid YAML: {problem}."
        raise DocumentError(message, None if mark is None else mark.line + 1) from None


def _line_of(text: str, error: yaml.reader.ReaderError) -> int:
    return text.count("\n", 0, error.position) + 1


class _Frame:
    """A collection whose end has not come yet."""

    def __init__(self, line: int, anchor: str | None, *, is_mapping: bool) -> None:
        self.line = line
        self.anchor = anchor
        self.is_mapping = is_mapping
        self.items: list[Node] = []
        self.members: dict[str, Node] = {}
        self.merged: list[Node] = []
        self.key: tuple[str, int] | None = None
        self.merging = False


class _Builder:
    """Builds the tree of one document from the parser's events."""

    def __init__(self, text: str, file: Path) -> None:
        self._loader = _Loader(text)
        self._file = file
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}
        self._root: Node | None = None
        self._values = 0

    def build(self) -> Node:
        try:
            while (event := self._loader.get_event()) is not None:
                self._take(event)
        finally:
            self._loader.dispose()
        if self._root is None or self._root.value is None:
            raise DocumentError("Empty; expected `key: value` lines.")
        return self._root

    def _take(self, event: yaml.Event) -> None:
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event, line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()
        elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
            raise DocumentError("Holds a second YAML document; expected one.", line)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_TAG}map" if is_mapping else f"{_TAG}seq"):
            self._refuse_tag(event.tag, line)
        if self._expects_key():
            raise DocumentError("A key must be text, not a mapping or a list.", line)
        if len(self._stack) >= MAXIMUM_DEPTH:
            raise DocumentError(f"Nested more than {MAXIMUM_DEPTH} levels deep.", line)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Frame(line, event.anchor, is_mapping=is_mapping))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.is_mapping:
            for source in frame.merged:
                assert isinstance(source.value, dict)  # noqa: S101 - checked when it was merged
                for key, value in source.value.items():
                    frame.members.setdefault(key, value)
            node = mapping(frame.members, self._file, frame.line)
        else:
            node = sequence(frame.items, self._file, frame.line)
        self._place(node, frame.anchor)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self._expects_key():
            self._key(event, line)
        else:
            self._place(Node(self._construct(event, line), self._file, line), event.anchor)

    def _key(self, event: yaml.ScalarEvent, line: int) -> None:
        frame = self._stack[-1]
        if event.value == "<<" and event.implicit[0]:
            frame.merging = True
        elif event.value in frame.members:
            first = frame.members[event.value].line
            raise DocumentError(f"The key {_shown(event.value)} is already set in line {first}.", line)
        frame.key = (event.value, line)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise DocumentError(f"The alias *{_shown(anchor)} has no anchor before it.", line)
        node = self._anchors[anchor]
        if node is None:
            raise DocumentError(f"The alias *{_shown(anchor)} refers to the value that holds it.", line)
        if self._expects_key():
            raise DocumentError("A key must be text, not an alias.", line)
        self._place(replace(node, line=line), None)

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_mapping and self._stack[-1].key is None

    def _place(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        self._values += 1
        if self._values > MAXIMUM_VALUES:
            raise DocumentError(f"More than {MAXIMUM_VALUES:,} values.", node.line)
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            frame.items.append(node)
            return
        assert frame.key is not None  # noqa: S101 - a value follows its key
        (key, line), frame.key = frame.key, None
        if frame.merging:
            frame.merging = False
            frame.merged.extend(_merge_sources(node))
        else:
            frame.members[key] = replace(node, line=line)

    def _construct(self, event: yaml.ScalarEvent, line: int) -> Scalar:
        tag = event.tag
        if tag is None or tag == "!":
            implicit = (False, True) if tag == "!" else event.implicit
            tag = str(self._loader.resolve(yaml.ScalarNode, event.value, implicit))  # type: ignore[no-untyped-call]
        node = yaml.ScalarNode(tag, event.value)
        try:
            match tag.removeprefix(_TAG):
                case "str" | "timestamp" | "value" | "merge":
                    return str(event.value)
                case "null":
                    return None
                case "bool":
                    return bool(self._loader.construct_yaml_bool(node))
                case "int":
                    return int(self._loader.construct_yaml_int(node))
                case "float":
                    return float(self._loader.construct_yaml_float(node))
                case _:
                    self._refuse_tag(tag, line)
        except (ValueError, KeyError, OverflowError, IndexError):
            raise DocumentError(f"Not a valid {tag.removeprefix(_TAG)}.", line) from None

    def _refuse_tag(self, tag: str, line: int) -> NoReturn:
        name = tag.replace(_TAG, "!!")
        raise DocumentError(f"The tag {_shown(name)} is not supported.", line)


def _merge_sources(node: Node) -> list[Node]:
    """Return the mappings that a merge key (`<<`) names, the one that wins first (https://yaml.org/type/merge.html)."""
    sources = node.value if isinstance(node.value, list) else [node]
    if not all(isinstance(source.value, dict) for source in sources):
        raise DocumentError("The merge key << takes a mapping or a list of mappings.", node.line)
    return sources


def _shown(text: str) -> str:
    """Cut and escape text of the file for a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
