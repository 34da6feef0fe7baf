"""`os.environ/NAME`: values that a file leaves to the environment."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from headgate.config._findings import Findings, KeyPath, dotted
from headgate.config._tree import Node, Scalar

_PREFIX = "os.environ/"
_SHELL = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}?")
_MISSPELT = re.compile(r"os\.(?:environ|getenv|env)[\[(./:]\s*['\"]?([A-Za-z_][A-Za-z0-9_]*)['\"]?[\])]?")


def reference(text: str) -> str | None:
    """Return the name of the variable that a value refers to; None when it is a value of its own."""
    return text.removeprefix(_PREFIX).strip() if text.startswith(_PREFIX) else None


def variables_of(node: Node) -> Iterator[str]:
    """Yield the names of all variables that a tree refers to."""
    if isinstance(node.value, dict | list):
        for item in node.value.values() if isinstance(node.value, dict) else node.value:
            yield from variables_of(item)
    elif isinstance(node.value, str) and (name := reference(node.value)):
        yield name


def extended(environ: Mapping[str, str], variables: Node | None, findings: Findings) -> dict[str, str]:
    """Return a copy of `environ` with the file's `environment_variables`, which win as they do in LiteLLM."""
    result = dict(environ)
    if variables is None or variables.value is None:
        return result
    path: KeyPath = ("environment_variables",)
    if not isinstance(variables.value, dict):
        findings.error(variables, path, "environment_variables takes `NAME: value` lines.")
        return result
    for name, node in variables.value.items():
        if isinstance(node.value, dict | list):
            findings.error(node, (*path, name), "An environment variable takes a plain value.")
        elif not name or "=" in name or "\0" in name:
            findings.error(node, (*path, name), "Not a valid name for an environment variable.")
        elif (value := resolve(node, (*path, name), environ, findings).value) is not None:
            result[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return result


def resolve(node: Node, path: KeyPath, environ: Mapping[str, str], findings: Findings) -> Node:
    """Return the tree with each `os.environ/NAME` replaced by its value, once: what a variable holds is taken as it is.

    A variable that is not set leaves null and a finding.
    """
    if isinstance(node.value, dict):
        members = {key: resolve(item, (*path, key), environ, findings) for key, item in node.value.items()}
        return replace(node, value=members)
    if isinstance(node.value, list):
        items = [resolve(item, (*path, position), environ, findings) for position, item in enumerate(node.value)]
        return replace(node, value=items)
    if not isinstance(node.value, str) or ("$" not in node.value and not node.value.startswith("os.")):
        return node
    return replace(node, value=_resolved(node.value, node, path, environ, findings))


def _resolved(text: str, node: Node, path: KeyPath, environ: Mapping[str, str], findings: Findings) -> Scalar:
    needed = _is_needed(path)
    name = reference(text)
    if name is None:
        spelt = _SHELL.fullmatch(text) or _MISSPELT.fullmatch(text)
        if spelt is not None:
            message = f"{dotted(path)} would be taken literally; this is not how a variable is named here."
            findings.error(node, path, message, f"Write os.environ/{spelt[1]}.", fatal=needed)
        return text
    if not name:
        findings.error(node, path, f"{dotted(path)} names no variable after {_PREFIX}.")
        return None
    value = environ.get(name)
    if value is None:
        message = f"{dotted(path)} refers to the environment variable {name}, which is not set."
        suggestion = f"Set {name}, or remove the key."
        if needed:
            findings.error(node, path, message, suggestion)
        else:
            findings.warning(node, path, message, suggestion)
    return value


def _is_needed(path: KeyPath) -> bool:
    """Tell whether the value is one without which the model or the gateway would not work or not be protected."""
    in_parameters = len(path) == 4 and path[0] == "model_list" and path[2] == "litellm_params"
    return in_parameters or path == ("general_settings", "master_key")
