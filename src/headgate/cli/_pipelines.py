"""`headgate pipelines`: the files of a provider, written into a repository."""

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from headgate import __version__
from headgate.core.errors import ConfigurationError
from headgate.deploy.pipelines import PipelineSettings, Provider, Written, render_pipelines, write_files


def pipelines(
    provider: str,
    directory: Path,
    *,
    platform: str,
    environments: Sequence[str],
    project: str,
    force: bool,
    as_json: bool,
) -> int:
    """Write the pipelines of `provider` below `directory`; return the exit code.

    0 when every file is as it should be, 1 when files with another content are in the way and nothing was written.
    Raises `ConfigurationError` for a provider, platform or name that there is not.
    """
    if provider not in list(Provider):
        raise ConfigurationError([f"There is no provider {provider[:60]!r}; there are {', '.join(Provider)}."])
    settings = PipelineSettings(platform, tuple(dict.fromkeys(environments)), project, __version__)
    written = write_files(render_pipelines(Provider(provider), settings), directory, force=force)
    if as_json:
        kinds = {kind: list(getattr(written, kind)) for kind in ("created", "replaced", "unchanged", "kept")}
        typer.echo(json.dumps({"directory": str(directory), **kinds}, indent=2))
    else:
        _print(written, directory)
    return 1 if written.kept else 0


def _print(written: Written, directory: Path) -> None:
    for kind in ("created", "replaced", "unchanged"):
        for name in getattr(written, kind):
            typer.echo(f"{kind:<9}  {name}")
    for name in written.kept:
        typer.echo(f"differs    {name}", err=True)
    if written.kept:
        typer.echo(f"Nothing was written to {directory}: --force replaces the files that differ.", err=True)
