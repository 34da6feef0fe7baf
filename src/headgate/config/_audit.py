"""Holds every key of a configuration against the table of known ones."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from headgate.config._findings import Disposition, Finding, Findings, KeyPath, Severity, dotted
from headgate.config._keys import ENVIRONMENT, ITEM, MODEL_DEFAULTS, SECTIONS, Key
from headgate.config._tree import Node

_OPEN_SECTIONS = {
    ("model_list", ITEM, "litellm_params"),
    ("model_list", ITEM, "model_info"),
    ("router_settings", "default_litellm_params"),
}
"""Where any key may stand: it is passed on to the model, or kept."""

_TABLES = {section: {key.name: key for key in keys} for section, keys in SECTIONS.items()}
_HOMES = (
    ("general_settings",),
    ("router_settings",),
    ("litellm_settings",),
    ("model_list", ITEM, "litellm_params"),
    ("model_list", ITEM, "model_info"),
    ("model_list", ITEM),
    (),
)
"""Where a key that stands in the wrong section is looked for, likeliest first."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What becomes of a key that the configuration sets, `count` times, for the first time at `file:line`.

    `key` is the path with `*` for any position. `disposition` is None for a key that nobody knows.
    """

    key: str
    file: Path
    line: int
    count: int
    disposition: Disposition | None
    note: str


def audit(root: Node, findings: Findings) -> tuple[KeyUse, ...]:
    """Note every key that is unknown, has no effect or is refused; return what becomes of each key, in order."""
    uses: dict[str, KeyUse] = {}
    for section in SECTIONS:
        for path, mapping in _matches(root, section, ()):
            assert isinstance(mapping.value, dict)  # noqa: S101 - only mappings match
            for name, node in mapping.value.items():
                known = _TABLES[section].get(name)
                _note_key(section, (*path, name), node, known, findings)
                _count_use(uses, section, name, node, known)
    return tuple(sorted(uses.values(), key=lambda use: (str(use.file), use.line)))


def audit_environment(environ: Mapping[str, str], findings: Findings) -> None:
    """Note the variables of LiteLLM's that are set and have no effect yet; the values do not matter, nor are shown."""
    for key in ENVIRONMENT:
        if key.planned and environ.get(key.name):
            message = f"The environment variable {key.name} is {key.disposition.value}. {key.note}"
            findings.add(Finding(Severity.WARNING, message, key=key.name, disposition=key.disposition))


def _matches(node: Node, section: tuple[str, ...], path: KeyPath) -> Iterator[tuple[KeyPath, Node]]:
    """Find the mappings that a section's name stands for."""
    if not section:
        if isinstance(node.value, dict):
            yield path, node
        return
    step, rest = section[0], section[1:]
    members: Iterable[tuple[str | int, Node]] = ()
    if isinstance(node.value, dict):
        members = node.value.items() if step == ITEM else ((step, node.value[step]),) if step in node.value else ()
    elif isinstance(node.value, list) and step == ITEM:
        members = enumerate(node.value)
    for key, member in members:
        yield from _matches(member, rest, (*path, key))


def _count_use(uses: dict[str, KeyUse], section: tuple[str, ...], name: str, node: Node, known: Key | None) -> None:
    key = dotted((*section, name))
    if key in uses:
        uses[key] = replace(uses[key], count=uses[key].count + 1)
        return
    disposition, note = None, "Unknown."
    if known is not None:
        disposition, note = known.disposition, known.note
    elif section in _OPEN_SECTIONS:
        disposition = Disposition.HONOURED
        note = "Kept and shown." if section[-1] == "model_info" else "Passed on to the model unless the client sets it."
    uses[key] = KeyUse(key, node.file, node.line, 1, disposition, note)


def _note_key(section: tuple[str, ...], path: KeyPath, node: Node, known: Key | None, findings: Findings) -> None:
    if known is None:
        _note_unknown(section, path, node, findings)
        return
    if known.disposition is Disposition.HONOURED or not node.value:
        return
    refused = known.disposition is Disposition.REFUSED
    severity = Severity.ERROR if refused else Severity.WARNING if known.planned else Severity.INFO
    message = f"{dotted(path)} is {known.disposition.value}. {known.note}"
    found = Finding(severity, message, node.file, node.line, dotted(path), disposition=known.disposition, fatal=refused)
    findings.add(found)


def _note_unknown(section: tuple[str, ...], path: KeyPath, node: Node, findings: Findings) -> None:
    name = str(path[-1])
    if section in _OPEN_SECTIONS:
        if name not in MODEL_DEFAULTS and (suggestion := _home(name, section) or _near_miss(name, section)):
            fate = "is kept and has no effect" if section[-1] == "model_info" else "is not a known key"
            message = f"{dotted(path)} {fate}."
            findings.warning(node, path, message, suggestion)
        return
    suggestion = _home(name, section) or _nearest(name, _TABLES[section], 0.75) or "Remove it."
    findings.error(node, path, f"{_shown(path)} is not a key that has an effect.", suggestion, fatal=False)


def _home(name: str, section: tuple[str, ...]) -> str:
    """Name the section that a key belongs to; empty when it belongs to none."""
    for home in _HOMES:
        if home != section and name in _TABLES[home]:
            place = "at the top level" if not home else f"under {'.'.join(home)}"
            return f"It belongs {place}."
    return ""


def _near_miss(name: str, section: tuple[str, ...]) -> str:
    """Be sure before an extra key is called a mistake: it may be a parameter of one provider's."""
    return _nearest(name, (*_TABLES[section], *MODEL_DEFAULTS), 0.87)


def _nearest(name: str, known: Iterable[str], cutoff: float) -> str:
    names = list(known)
    plain = name.lower().replace("-", "_")
    begun = [other for other in names if len(plain) > 3 and other.lower().startswith(plain)]
    swapped = [other for other in names if sorted(other) == sorted(plain[:100])]
    near = begun or swapped or difflib.get_close_matches(plain[:100], names, n=1, cutoff=cutoff)
    return f"Did you mean {near[0]}?" if near else ""


def _shown(path: KeyPath) -> str:
    text = dotted(path)
    return text if len(text) <= 200 and text.isprintable() else repr(text[:200])
