"""The gateway's configuration as tasks get it: one file, named after its content."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headgate.config.documents import Findings, plain, read_with_includes, variables_of
from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs._bucket import content_name

FOLDER = "configuration"
POOL_KEY = "database_connection_pool_limit"
"""Key of `general_settings` in LiteLLM 1.80.5; no environment variable sets it."""


@dataclass(frozen=True, slots=True)
class GatewayConfiguration:
    """What the deployer has to know of a configuration.

    `key` names the object in the bucket. `models` are the providers' names of its models, `variables` the environment
    variables that it reads.
    """

    content: bytes
    key: str
    models: tuple[str, ...]
    variables: frozenset[str]


def read_configuration(
    path: Path, environ: Mapping[str, str] | None = None, *, database_pool: int | None = None
) -> GatewayConfiguration:
    """Read a configuration with what it includes as one document; references to variables stay what they are.

    `environ` is looked at for names of included files only. `database_pool` is put into it as the connections that each
    worker may open, which LiteLLM reads nowhere else. Raises `ConfigurationError` with every problem, such as another
    number in the file: what the database can take was reckoned with this one.
    """
    findings = Findings()
    root = read_with_includes(path, os.environ if environ is None else environ, findings)
    if root is None or findings.fatal:
        raise ConfigurationError([str(finding) for finding in findings if finding.fatal])
    document = plain(root)
    assert isinstance(document, dict)  # noqa: S101 - the reader refuses anything else
    document.pop("include", None)
    if database_pool is not None:
        _limit_pool(document, database_pool, path)
    content = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120).encode()
    return GatewayConfiguration(
        content=content,
        key=content_name(FOLDER, content, ".yaml"),
        models=tuple(_models(document)),
        variables=frozenset(variables_of(root)),
    )


def _limit_pool(document: dict[str, Any], pool: int, path: Path) -> None:
    general = document.get("general_settings") or {}
    if not isinstance(general, dict):
        # The gateway refuses it, and says so better.
        return
    held = general.get(POOL_KEY, pool)
    if held != pool:
        raise ConfigurationError(
            [
                f"{path}: general_settings.{POOL_KEY} is {held!r}, but database_pool of the deployment file is {pool}:"
                " make them the same, or leave one out."
            ]
        )
    document["general_settings"] = general | {POOL_KEY: pool}


def _models(document: Mapping[str, Any]) -> Iterator[str]:
    for entry in document.get("model_list") or ():
        parameters = entry.get("litellm_params") if isinstance(entry, dict) else None
        model = parameters.get("model") if isinstance(parameters, dict) else None
        if isinstance(model, str):
            yield model
