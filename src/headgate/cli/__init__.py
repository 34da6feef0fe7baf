"""The command line. A command's module is imported when the command runs, so that `headgate --help` is instant."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import headgate
from headgate.cli._bench import bench
from headgate.cli._deploy import deploy_app
from headgate.cli._mock import mock
from headgate.cli._secrets import secrets_app
from headgate.core.build import COMPILED
from headgate.core.errors import HeadgateError

__all__ = ["app", "arguments", "main"]

app = typer.Typer(
    help="An LLM gateway: one API, one kind of key and one place to look, in front of many model providers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(deploy_app, name="deploy")
app.add_typer(secrets_app, name="secrets")

_OWN_OPTIONS = ("--help", "--version", "--install-completion", "--show-completion")
_WITHOUT_EFFECT = {
    "--telemetry": "Headgate sends no telemetry.",
    "--run_gunicorn": "Headgate has a server of its own.",
    "--run_hypercorn": "Headgate has a server of its own.",
    "--max_requests_before_restart": "Headgate's workers need no recycling.",
    "--use_prisma_db_push": "Headgate does not use Prisma.",
}


def main() -> None:
    """Run the command line. Exits with 2 and one line per problem when Headgate cannot do what it was asked.

    A bug of ours exits with 1 and says where it is, without what it was working on: that may hold a secret.
    """
    try:
        app(arguments(sys.argv[1:]), prog_name="headgate")
    except HeadgateError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 - whoever types a command has no use for a traceback
        sys.stderr.write(_bug(error))
        sys.exit(1)


def _bug(error: Exception) -> str:
    import traceback

    home = Path(headgate.__file__).parent
    frames = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).is_relative_to(home)]
    places = ", ".join(f"{Path(one.filename).relative_to(home)}:{one.lineno}" for one in reversed(frames))
    kind = type(error).__name__
    return f"This is a bug in Headgate {headgate.__version__}: {kind} in {places}. Please report this line.\n"


def arguments(given: Sequence[str]) -> list[str]:
    """Read a command line of LiteLLM's, which has no commands, as `serve`."""
    first = given[0] if given else ""
    own = first.partition("=")[0] in _OWN_OPTIONS
    return ["serve", *given] if first.startswith("-") and not own else list(given)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"headgate {headgate.__version__}{', compiled' if COMPILED else ''}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Carry the options that belong to no command."""


@app.command()
def serve(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", envvar="CONFIG_FILE_PATH", help="LiteLLM's config.yaml.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. [default: 4000]")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "--num_workers", help="Processes that serve. [default: 1]")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning, error. [default: info]")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="The same as --log-level debug.")] = False,
    detailed_debug: Annotated[bool, typer.Option("--detailed_debug", hidden=True)] = False,
    telemetry: Annotated[str | None, typer.Option("--telemetry", hidden=True)] = None,
    run_gunicorn: Annotated[bool, typer.Option("--run_gunicorn", hidden=True)] = False,
    run_hypercorn: Annotated[bool, typer.Option("--run_hypercorn", hidden=True)] = False,
    max_requests: Annotated[int | None, typer.Option("--max_requests_before_restart", hidden=True)] = None,
    use_prisma_db_push: Annotated[bool, typer.Option("--use_prisma_db_push", hidden=True)] = False,
) -> None:
    """Start the gateway. Without a configuration it serves a demo model and each provider it finds credentials for."""
    without_effect = {
        "--telemetry": telemetry is not None,
        "--run_gunicorn": run_gunicorn,
        "--run_hypercorn": run_hypercorn,
        "--max_requests_before_restart": max_requests is not None,
        "--use_prisma_db_push": use_prisma_db_push,
    }
    for option, given in without_effect.items():
        if given:
            typer.echo(f"{option} has no effect: {_WITHOUT_EFFECT[option]}", err=True)
    from headgate.cli._serve import serve as run

    run(config, host, port, workers, "debug" if debug or detailed_debug else log_level)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="LiteLLM's config.yaml.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Tell everything that is wrong with a configuration, and what becomes of each of its keys.

    Exits with 0 when all is well, 1 with warnings, 2 with errors.
    """
    from headgate.cli._check import check as run

    raise typer.Exit(run(file, as_json=as_json))


@app.command()
def pipelines(
    provider: Annotated[str, typer.Argument(help="azure, github or gitlab.")],
    directory: Annotated[Path, typer.Argument(help="The root of the repository that the files are for.")],
    platform: Annotated[str, typer.Option(help="ecs or compose.")] = "ecs",
    environment: Annotated[
        list[str] | None, typer.Option(help="An environment of the deployment file; repeatable. [default: dev, prod]")
    ] = None,
    project: Annotated[str, typer.Option(help="The deployment file's `project`.")] = "headgate",
    force: Annotated[bool, typer.Option("--force", help="Replace files that differ.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write what became of each file as JSON.")] = False,
) -> None:
    """Write pipelines that plan, deploy, update, validate and tear down with `headgate deploy`.

    Exits with 0 when they are written, 1 when files that differ are in the way and nothing was written, 2 on errors.
    """
    from headgate.cli._pipelines import pipelines as run

    environments = environment or ["dev", "prod"]
    raise typer.Exit(
        run(
            provider,
            directory,
            platform=platform,
            environments=environments,
            project=project,
            force=force,
            as_json=as_json,
        )
    )


app.command()(bench)
app.command()(mock)
