"""From files and an environment to a configuration, with everything that is wrong on the way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from headgate.config._audit import KeyUse, audit
from headgate.config._completion import complete_general, complete_litellm, complete_router
from headgate.config._environment import extended, resolve
from headgate.config._findings import Findings, KeyPath, Severity, dotted
from headgate.config._include import read_with_includes
from headgate.config._models import ModelEntry, ModelInfo, ModelParameters, entry_id
from headgate.config._references import check_references
from headgate.config._section import Section
from headgate.config._settings import Configuration, GeneralSettings, LitellmSettings, RouterSettings
from headgate.config._tree import DocumentError, Node, plain
from headgate.core.errors import ConfigurationError

_S = TypeVar("_S", bound=Section)


class Analysis(NamedTuple):
    """What reading a configuration gave.

    `configuration` is None when there is nothing to read; it can be used only when no finding is fatal. `models` are
    its entries by their position in `model_list`, and `keys` tells what becomes of each key.
    """

    configuration: Configuration | None
    models: Mapping[int, ModelEntry]
    keys: tuple[KeyUse, ...]
    findings: Findings


def load_configuration(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Read a configuration. Raises `ConfigurationError` with every problem that keeps it from working.

    A pure function of the files and `environ`, which it does not change. What LiteLLM accepts without effect, such as
    an unknown key, is in the result's `warnings`.
    """
    analysis = analyse(path, environ)
    if analysis.configuration is None or analysis.findings.fatal:
        raise ConfigurationError([str(finding) for finding in analysis.findings if finding.fatal])
    warnings = tuple(str(finding) for finding in analysis.findings if finding.severity is not Severity.INFO)
    return analysis.configuration.model_copy(update={"warnings": warnings})


def analyse(path: Path, environ: Mapping[str, str]) -> Analysis:
    """Read a configuration and note everything that there is to say about it."""
    findings = Findings()
    root = read_with_includes(path, environ, findings)
    if root is None:
        return Analysis(None, {}, (), findings)
    extended_environ = extended(environ, root.get("environment_variables"), findings)
    try:
        resolved = resolve(_without(root, "environment_variables", "include"), (), extended_environ, findings)
    except DocumentError as error:  # pragma: no cover - resolving neither adds values nor levels
        raise ConfigurationError([f"{path}: {error.message}"]) from None
    router = _section(RouterSettings, resolved, "router_settings", findings)
    litellm = _section(LitellmSettings, resolved, "litellm_settings", findings)
    general = _section(GeneralSettings, resolved, "general_settings", findings)
    defaults = {**({"drop_params": True} if litellm.drop_params else {}), **router.default_litellm_params}
    models = _models(root, resolved, defaults, findings)
    configuration = Configuration(
        models=tuple(models.values()),
        router=complete_router(router, litellm, extended_environ, findings),
        litellm=complete_litellm(litellm, extended_environ, findings),
        general=complete_general(general, extended_environ, findings),
        environ=extended_environ,
        source=path,
    )
    check_references(configuration, resolved, findings)
    return Analysis(configuration, models, audit(root, findings), findings)


def _without(root: Node, *keys: str) -> Node:
    assert isinstance(root.value, dict)  # noqa: S101 - the reader refuses anything else
    return Node({key: node for key, node in root.value.items() if key not in keys}, root.file, root.line, root.size)


def _section(model: type[_S], root: Node, key: str, findings: Findings) -> _S:
    node = root.get(key)
    empty = model()
    if node is None or node.value is None:
        return empty
    if not isinstance(node.value, dict):
        findings.error(node, (key,), f"{key} takes `key: value` lines.")
        return empty
    return _validate(model, plain(node), node, (key,), findings) or empty


def _validate(model: type[_S], value: object, node: Node, path: KeyPath, findings: Findings) -> _S | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            place, key = _locate(node, path, problem["loc"])
            if not findings.has(dotted(key)):
                findings.error(place, key, f"{dotted(key)}: {_sentence(problem['msg'])}")
        return None


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}."


def _locate(node: Node, path: KeyPath, location: tuple[str | int, ...]) -> tuple[Node, KeyPath]:
    """Follow a validator's location into the tree as far as it goes."""
    for step in location:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            # A missing key is named at the mapping that lacks it; other steps are the validator's own.
            return node, (*path, step) if isinstance(node.value, dict) and isinstance(step, str) else path
        path = (*path, step)
    return node, path


def _models(root: Node, resolved: Node, defaults: Mapping[str, Any], findings: Findings) -> dict[int, ModelEntry]:
    node, raw = resolved.get("model_list"), root.get("model_list")
    if node is None or raw is None or node.value is None:
        findings.warning(root, ("model_list",), "There is no model_list, so no model can be called.")
        return {}
    if not isinstance(node.value, list) or not isinstance(raw.value, list):
        findings.error(node, ("model_list",), "model_list takes a list of models, each beginning with `- model_name:`.")
        return {}
    if not node.value:
        findings.warning(node, ("model_list",), "model_list is empty, so no model can be called.")
    taken: dict[str, Node] = {}
    pairs = enumerate(zip(node.value, raw.value, strict=True))
    return {
        position: entry
        for position, (item, raw_item) in pairs
        if (entry := _entry(position, item, raw_item, defaults, taken, findings)) is not None
    }


def _entry(
    position: int,
    node: Node,
    raw: Node,
    defaults: Mapping[str, Any],
    taken: dict[str, Node],
    findings: Findings,
) -> ModelEntry | None:
    path: KeyPath = ("model_list", position)
    name, parameters_node = node.get("model_name"), node.get("litellm_params")
    if name is None or not isinstance(name.value, str) or not name.value:
        findings.error(node, (*path, "model_name"), "A model needs a model_name, the name that clients ask for.")
    if parameters_node is None or not isinstance(parameters_node.value, dict):
        message = "A model needs litellm_params with at least a model."
        findings.error(parameters_node or node, (*path, "litellm_params"), message, "Write `model: openai/gpt-4o`.")
        return None
    values = {key: plain(item) for key, item in parameters_node.value.items() if item.value is not None}
    parameters_path = (*path, "litellm_params")
    parameters = _validate(ModelParameters, {**defaults, **values}, parameters_node, parameters_path, findings)
    model_name = name.value if name is not None and isinstance(name.value, str) else ""
    info = _info(model_name, node, raw, path, taken, findings)
    if parameters is None or info is None or not model_name:
        return None
    return ModelEntry(model_name=model_name, parameters=parameters, info=info, file=node.file, line=node.line)


def _info(
    model_name: str, node: Node, raw: Node, path: KeyPath, taken: dict[str, Node], findings: Findings
) -> ModelInfo | None:
    info_node = node.get("model_info")
    if info_node is not None and not isinstance(info_node.value, dict | None):
        findings.error(info_node, (*path, "model_info"), "model_info takes `key: value` lines.")
        return None
    given = info_node.value if info_node is not None and isinstance(info_node.value, dict) else {}
    values = {key: plain(item) for key, item in given.items() if item.value is not None}
    if "id" not in values:
        raw_parameters = raw.get("litellm_params")
        members = plain(raw_parameters) if raw_parameters is not None else {}
        ordinal = 0
        while (identifier := entry_id(model_name, members if isinstance(members, dict) else {}, ordinal)) in taken:
            ordinal += 1
        values["id"] = identifier
    info = _validate(ModelInfo, values, info_node or node, (*path, "model_info"), findings)
    if info is None:
        return None
    if info.id in taken:
        message = f"The id {info.id} is already used by the model in line {taken[info.id].line}."
        findings.error(given["id"], (*path, "model_info", "id"), message, "Choose another.")
    taken.setdefault(info.id, node)
    return info
