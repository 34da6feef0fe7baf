"""Which models a gateway should list, by its configuration."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.config.documents import Findings, plain, read_with_includes
from headgate.core.errors import ConfigurationError

BUILT_IN = "demo"
"""The model of Headgate's image without a configuration."""


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The names that must be listed; `closed` says that no others are expected."""

    names: frozenset[str]
    closed: bool


def configured_models(configuration: Path | None, image: str, environ: Mapping[str, str] | None = None) -> ServedModels:
    """Return what a gateway of `image` should list; without a configuration that is what the image brings along.

    Wildcards stand for any number of names. Raises `ConfigurationError` when the configuration can not be read.
    """
    if configuration is None:
        return ServedModels(frozenset({BUILT_IN} if image == "headgate" else ()), closed=False)
    findings = Findings()
    root = read_with_includes(configuration, os.environ if environ is None else environ, findings)
    if root is None or findings.fatal:
        raise ConfigurationError([str(finding) for finding in findings if finding.fatal])
    document = plain(root)
    assert isinstance(document, dict)  # noqa: S101 - the reader refuses anything else
    entries = [entry for entry in document.get("model_list") or () if isinstance(entry, dict)]
    names = {str(entry["model_name"]) for entry in entries if "model_name" in entry}
    certain = frozenset(name for name in names if "*" not in name and not name.startswith("os.environ/"))
    return ServedModels(certain, closed=certain == names and not _aliases(document))


def _aliases(document: Mapping[str, Any]) -> object:
    router = document.get("router_settings")
    return router.get("model_group_alias") if isinstance(router, dict) else None
