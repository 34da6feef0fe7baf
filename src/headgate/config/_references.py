"""Names that must lead somewhere: providers, and the model groups of fallbacks and aliases."""

import difflib
from collections.abc import Collection

from headgate.config._findings import Findings, KeyPath, dotted
from headgate.config._providers import PROVIDERS
from headgate.config._settings import Configuration
from headgate.config._tree import Node

_FALLBACK_KEYS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


def check_references(configuration: Configuration, root: Node, findings: Findings) -> None:
    """Note each provider, fallback and alias that leads nowhere."""
    _check_providers(root, findings)
    groups = set(_group_names(root))
    aliases = set(configuration.router.model_group_alias)
    names = Names(groups, aliases)
    for section in ("router_settings", "litellm_settings"):
        node = root.get(section)
        if node is None:
            continue
        for key in _FALLBACK_KEYS:
            _check_fallbacks(node.get(key), (section, key), names, findings)
        _check_targets(node.get("default_fallbacks"), (section, "default_fallbacks"), names, findings)
    _check_aliases(configuration, root, Names(groups, set()), findings)
    policies = root.get("router_settings")
    policies = None if policies is None else policies.get("model_group_retry_policy")
    if policies is not None and isinstance(policies.value, dict):
        for name, node in policies.value.items():
            path = ("router_settings", "model_group_retry_policy", name)
            _warn_unknown(name, node, path, names, findings)


class Names:
    """The names that a request may ask for."""

    def __init__(self, groups: Collection[str], aliases: Collection[str]) -> None:
        self._names = {*groups, *aliases}
        self._wildcards = [name.split("*", 1) for name in groups if "*" in name]

    def lead_somewhere(self, name: str) -> bool:
        """Tell whether a model group, an alias or a wildcard answers to the name."""
        return name in self._names or any(
            name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
            for before, after in self._wildcards
        )

    def suggestion(self, name: str) -> str:
        """Name what was probably meant, or what there is."""
        near = difflib.get_close_matches(name, self._names, n=1)
        if near:
            return f"Did you mean {near[0]}?"
        shown = sorted(self._names)[:10]
        return f"There are: {', '.join(shown)}." if shown else "There is no model at all."


def _group_names(root: Node) -> list[str]:
    models = root.get("model_list")
    items = models.value if models is not None and isinstance(models.value, list) else []
    names = (item.get("model_name") for item in items)
    return [name.value for name in names if name is not None and isinstance(name.value, str)]


def _check_providers(root: Node, findings: Findings) -> None:
    models = root.get("model_list")
    items = models.value if models is not None and isinstance(models.value, list) else []
    for position, item in enumerate(items):
        parameters = item.get("litellm_params")
        if parameters is None:
            continue
        path: KeyPath = ("model_list", position, "litellm_params")
        named, model = parameters.get("custom_llm_provider"), parameters.get("model")
        if named is not None and named.value is not None:
            if isinstance(named.value, str) and named.value not in PROVIDERS:
                _unknown_provider(named.value, named, (*path, "custom_llm_provider"), findings)
        elif model is not None and isinstance(model.value, str):
            prefix, slash, _ = model.value.partition("/")
            if slash and prefix not in PROVIDERS and ":" not in prefix and "." not in prefix:
                _unknown_provider(prefix, model, (*path, "model"), findings)


def _unknown_provider(name: str, node: Node, path: KeyPath, findings: Findings) -> None:
    near = difflib.get_close_matches(name, PROVIDERS, n=1, cutoff=0.6)
    known = f"Known are: {', '.join(sorted(PROVIDERS))}."
    suggestion = (
        f"Did you mean {near[0]}? {known}" if near else f"{known} For any API like OpenAI's: openai/ with api_base."
    )
    findings.error(node, path, f"Unknown provider {name[:60]!r}.", suggestion)


def _check_fallbacks(node: Node | None, path: KeyPath, names: Names, findings: Findings) -> None:
    if node is None:
        return
    entries = node.value if isinstance(node.value, list) else [node]
    for entry in entries:
        if not isinstance(entry.value, dict):
            continue
        for name, targets in entry.value.items():
            _warn_unknown(name, targets, (*path, name), names, findings)
            _check_targets(targets, (*path, name), names, findings)


def _warn_unknown(name: str, node: Node, path: KeyPath, names: Names, findings: Findings) -> None:
    if name != "*" and not names.lead_somewhere(name):
        message = f"{dotted(path)}: there is no model {name[:100]!r}, so this has no effect."
        findings.warning(node, path, message, names.suggestion(name))


def _check_targets(node: Node | None, path: KeyPath, names: Names, findings: Findings) -> None:
    if node is None:
        return
    for target in node.value if isinstance(node.value, list) else [node]:
        if isinstance(target.value, str) and not names.lead_somewhere(target.value):
            message = f"{dotted(path)}: there is no model {target.value[:100]!r} to fall back to."
            findings.error(target, path, message, names.suggestion(target.value))


def _check_aliases(configuration: Configuration, root: Node, names: Names, findings: Findings) -> None:
    settings = root.get("router_settings")
    aliases = None if settings is None else settings.get("model_group_alias")
    for name, alias in configuration.router.model_group_alias.items():
        node = None if aliases is None else aliases.get(name)
        if node is not None and not names.lead_somewhere(alias.model):
            path = ("router_settings", "model_group_alias", name)
            message = f"The alias {name[:100]!r} stands for {alias.model[:100]!r}, which is not a model."
            findings.error(node, path, message, names.suggestion(alias.model))
