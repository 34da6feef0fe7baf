"""Rendered pipelines for tests: every provider on every platform, and where their commands are."""

import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from headgate.deploy.pipelines import PipelineSettings, Provider, render_pipelines, write_files

VERSION = "1.2.3"
PLATFORMS = ("ecs", "compose")
EVERYTHING = list(itertools.product(Provider, PLATFORMS))


@cache
def rendered(provider: Provider, platform: str) -> dict[str, str]:
    """Return the files of a provider for the environments dev and prod."""
    return render_pipelines(provider, PipelineSettings(platform, ("dev", "prod"), "headgate", VERSION))


def parsed(provider: Provider, platform: str, name: str) -> Any:
    """Return one file as data; `on` is a key, not the boolean that YAML 1.1 makes of it."""
    return yaml.load(rendered(provider, platform)[name], _Loader)  # noqa: S506 - a SafeLoader


def written(provider: Provider, platform: str, folder: Path) -> list[Path]:
    """Write the files of a provider to a folder; return their paths."""
    files = rendered(provider, platform)
    write_files(files, folder)
    return [folder / name for name in files]


def scripts(value: Any) -> Iterator[str]:
    """Yield every shell script in a file, whatever the provider calls it."""
    if isinstance(value, list):
        for item in value:
            yield from scripts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("run", "script", "inlineScript", "commands", "before_script"):
                yield from [item] if isinstance(item, str) else item
            else:
                yield from scripts(item)


class _Loader(yaml.SafeLoader):
    pass


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if first not in "oO" or tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
