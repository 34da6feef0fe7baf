"""From files and an environment to a configuration, with everything that is wrong on the way."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from headgate.config._audit import KeyUse, audit, audit_environment
from headgate.config._completion import complete_general, complete_litellm, complete_router
from headgate.config._entries import read_models
from headgate.config._environment import extended, resolve
from headgate.config._findings import Findings, Severity
from headgate.config._include import read_with_includes
from headgate.config._models import ModelEntry
from headgate.config._references import check_references
from headgate.config._section import Section
from headgate.config._settings import Configuration, GeneralSettings, LitellmSettings, RouterSettings
from headgate.config._tree import Node, plain
from headgate.config._validation import validate
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
    resolved = resolve(_without(root, "environment_variables", "include"), (), extended_environ, findings)
    router = _section(RouterSettings, resolved, "router_settings", findings)
    litellm = _section(LitellmSettings, resolved, "litellm_settings", findings)
    general = _section(GeneralSettings, resolved, "general_settings", findings)
    defaults = {**({"drop_params": True} if litellm.drop_params else {}), **router.default_litellm_params}
    models = read_models(root, resolved, defaults, findings)
    configuration = Configuration(
        models=tuple(models.values()),
        router=complete_router(router, litellm, extended_environ, findings),
        litellm=complete_litellm(litellm, extended_environ, findings),
        general=complete_general(general, extended_environ, findings),
        environ=extended_environ,
        source=path,
    )
    check_references(configuration, resolved, findings)
    audit_environment(extended_environ, findings)
    return Analysis(configuration, models, audit(root, findings), findings)


def _without(root: Node, *keys: str) -> Node:
    assert isinstance(root.value, dict)  # noqa: S101 - the reader refuses anything else
    return replace(root, value={key: node for key, node in root.value.items() if key not in keys})


def _section(model: type[_S], root: Node, key: str, findings: Findings) -> _S:
    node = root.get(key)
    empty = model()
    if node is None or node.value is None:
        return empty
    if not isinstance(node.value, dict):
        findings.error(node, (key,), f"{key} takes `key: value` lines.")
        return empty
    return validate(model, plain(node), node, (key,), findings) or empty
