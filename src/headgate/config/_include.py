"""The `include` key: files that complete the one that names them."""

from collections.abc import Mapping
from pathlib import Path

from headgate.config._environment import reference
from headgate.config._findings import Finding, Findings, Severity
from headgate.config._tree import DocumentError, Node, mapping, read, sequence

MAXIMUM_FILES = 100
"""Files that one configuration may be made of, counted as often as they are included."""


def read_with_includes(path: Path, environ: Mapping[str, str], findings: Findings) -> Node | None:
    """Read a file and all that it includes into one mapping.

    As in LiteLLM, a list of an included file extends the one before it and anything else replaces it; here includes
    may also nest. Returns None when the file itself can not be read; what is wrong is added to `findings`.
    """
    return _Reader(environ, findings).read(path, ())


class _Reader:
    def __init__(self, environ: Mapping[str, str], findings: Findings) -> None:
        self._environ = environ
        self._findings = findings
        self._files = 0

    def read(self, path: Path, ancestors: tuple[Path, ...]) -> Node | None:
        self._files += 1
        try:
            node = read(path)
            if not isinstance(node.value, dict):
                raise DocumentError("Expected settings such as model_list, one `key: value` per line.", node.line)
            include = node.value.get("include")
            if include is None or include.value is None:
                return node
            merged = dict(node.value)
            for item in self._items(include):
                self._extend(merged, item, path, (*ancestors, path.resolve()))
            return mapping(merged, node.file, node.line)
        except DocumentError as error:
            self._findings.add(Finding(Severity.ERROR, error.message, path, error.line, fatal=True))
            return None

    def _items(self, include: Node) -> list[Node]:
        if isinstance(include.value, list):
            return include.value
        self._findings.error(include, ("include",), "include takes a list of files.", "Write `include: [models.yaml]`.")
        return []

    def _extend(self, merged: dict[str, Node], item: Node, source: Path, ancestors: tuple[Path, ...]) -> None:
        name = item.value
        if isinstance(name, str) and (variable := reference(name)) is not None:
            name = self._environ.get(variable)
        if not isinstance(name, str) or not name or "\0" in name:
            self._findings.error(item, ("include",), "include takes names of files, relative to this one.")
            return
        target = source.parent / name
        if target.resolve() in ancestors:
            self._findings.error(item, ("include",), f"{name} includes itself.", "Remove one of the two.")
            return
        if self._files >= MAXIMUM_FILES:
            self._findings.error(item, ("include",), f"More than {MAXIMUM_FILES} files are included.")
            return
        if not target.is_file():
            self._findings.error(item, ("include",), f"There is no file {target}.")
            return
        included = self.read(target, ancestors)
        if included is not None and isinstance(included.value, dict):
            self._merge(merged, included.value)

    def _merge(self, merged: dict[str, Node], included: dict[str, Node]) -> None:
        for key, node in included.items():
            if key == "include":
                continue
            before = merged.get(key)
            if before is not None and isinstance(before.value, list) and isinstance(node.value, list):
                merged[key] = sequence(before.value + node.value, before.file, before.line)
                continue
            if before is not None and before.value is not None:
                self._findings.warning(
                    node,
                    (key,),
                    f"{key} replaces the whole of {key} in {before.file}:{before.line}.",
                    "Keep one of them.",
                )
            merged[key] = node
