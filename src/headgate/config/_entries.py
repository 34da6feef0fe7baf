"""From `model_list` to the entries of the configuration."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from headgate.config._findings import Findings, KeyPath
from headgate.config._models import ModelEntry, ModelInfo, ModelParameters, entry_id
from headgate.config._tree import Node, plain
from headgate.config._validation import validate


def read_models(root: Node, resolved: Node, defaults: Mapping[str, Any], findings: Findings) -> dict[int, ModelEntry]:
    """Return the entries that are sound, by their position.

    `root` is the tree as the files have it and `resolved` the same with its variables' values; `defaults` are the
    `litellm_params` that hold where an entry does not set them.
    """
    node, raw = resolved.get("model_list"), root.get("model_list")
    if node is None or raw is None or node.value is None:
        findings.warning(root, ("model_list",), "There is no model_list, so no model can be called.")
        return {}
    if not isinstance(node.value, list) or not isinstance(raw.value, list):
        findings.error(node, ("model_list",), "model_list takes a list of models, each beginning with `- model_name:`.")
        return {}
    if not node.value:
        findings.warning(node, ("model_list",), "model_list is empty, so no model can be called.")
    reader = _Reader(defaults, findings)
    pairs = enumerate(zip(node.value, raw.value, strict=True))
    entries = {position: reader.entry(("model_list", position), item, raw_item) for position, (item, raw_item) in pairs}
    return {position: entry for position, entry in entries.items() if entry is not None}


class _Reader:
    """Reads entry after entry, remembering which ids are taken."""

    def __init__(self, defaults: Mapping[str, Any], findings: Findings) -> None:
        self._defaults = defaults
        self._findings = findings
        self._taken: dict[str, Node] = {}
        self._equals: Counter[str] = Counter()

    def entry(self, path: KeyPath, node: Node, raw: Node) -> ModelEntry | None:
        """Read one entry; None when it is not sound."""
        name, parameters = self._name(path, node), self._parameters(path, node)
        info = self._info(path, node, raw, name or "")
        if name is None or parameters is None or info is None:
            return None
        return ModelEntry(model_name=name, parameters=parameters, info=info, file=node.file, line=node.line)

    def _name(self, path: KeyPath, node: Node) -> str | None:
        name = node.get("model_name")
        if name is not None and isinstance(name.value, str) and name.value:
            return name.value
        message = "A model needs a model_name, the name that clients ask for."
        self._findings.error(name or node, (*path, "model_name"), message)
        return None

    def _parameters(self, path: KeyPath, node: Node) -> ModelParameters | None:
        path = (*path, "litellm_params")
        parameters = node.get("litellm_params")
        if parameters is None or not isinstance(parameters.value, dict):
            message = "A model needs litellm_params with at least a model."
            self._findings.error(parameters or node, path, message, "Write `model: openai/gpt-4o`.")
            return None
        return validate(ModelParameters, {**self._defaults, **_set(parameters)}, parameters, path, self._findings)

    def _info(self, path: KeyPath, node: Node, raw: Node, model_name: str) -> ModelInfo | None:
        path = (*path, "model_info")
        given = node.get("model_info")
        if given is not None and not isinstance(given.value, dict | None):
            self._findings.error(given, path, "model_info takes `key: value` lines.")
            return None
        values = _set(given)
        if "id" not in values:
            values["id"] = self._new_id(model_name, _set(raw.get("litellm_params")))
        info = validate(ModelInfo, values, given or node, path, self._findings)
        if info is not None and info.id in self._taken:
            message = f"The id {info.id} is already used by the model in line {self._taken[info.id].line}."
            place = None if given is None else given.get("id")
            self._findings.error(place or node, (*path, "id"), message, "Choose another.")
        if info is not None:
            self._taken.setdefault(info.id, node)
        return info

    def _new_id(self, model_name: str, raw_parameters: Mapping[str, object]) -> str:
        """Make an id that is not taken: equal entries are told apart by their order."""
        first = entry_id(model_name, raw_parameters, 0)
        while True:
            identifier = entry_id(model_name, raw_parameters, self._equals[first])
            self._equals[first] += 1
            if identifier not in self._taken:
                return identifier


def _set(node: Node | None) -> dict[str, object]:
    """Return the members of a mapping that are not null."""
    members = node.value if node is not None and isinstance(node.value, dict) else {}
    return {key: plain(member) for key, member in members.items() if member.value is not None}
