"""What every command of `headgate deploy` has in common: its request, what that is about, and how it answers."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import typer

from headgate.core.errors import HeadgateError
from headgate.deploy.engine import ConfirmationNeededError, DeployError, ExitCode, Progress, Target
from headgate.deploy.settings import FILE_NAME, DeploySettings, Environment, load_settings

STATE_DIRECTORY = ".headgate"
"""Beside the deployment file; holds a directory for each environment of this machine."""

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Request:
    """What every command is given."""

    file: Path | None
    environment: str
    as_json: bool
    confirmed: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The deployment file."""
        return self.file or Path(FILE_NAME)

    def command(self, verb: str) -> str:
        """Return the command line that does this again."""
        file = f" --file {self.file}" if self.file is not None else ""
        return f"headgate deploy {verb} --env {self.environment}{file}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a request is about."""

    settings: DeploySettings
    environment: Environment
    target: Target


def opened(request: Request) -> Deployment:
    """Read the deployment file and return what the request is about. Raises `ConfigurationError`."""
    settings = load_settings(request.path, os.environ)
    environment = settings.environment(request.environment)
    return Deployment(settings, environment, _target(environment, request.path))


def _target(environment: Environment, file: Path) -> Target:
    """Return the platform's target; the other platform's modules are not imported."""
    if environment.platform == "ecs":
        from headgate.deploy.ecs import EcsTarget

        return EcsTarget(environment)
    from headgate.deploy.compose import ComposeTarget

    return ComposeTarget(environment, file.parent.absolute() / STATE_DIRECTORY / environment.name)


def answered(
    work: Callable[Concatenate[Request, P], int],
) -> Callable[Concatenate[Request, P], int]:
    """Turn what a command raises into a sentence, or into JSON, and the exit code that belongs to it."""

    def answer(request: Request, /, *given: P.args, **options: P.kwargs) -> int:
        try:
            return work(request, *given, **options)
        except HeadgateError as error:
            code = error.exit_code if isinstance(error, DeployError) else ExitCode.USAGE
            needed = list(error.options) if isinstance(error, ConfirmationNeededError) else []
            message = str(error)
        except (KeyboardInterrupt, typer.Abort):
            code, needed, message = ExitCode.INTERRUPTED, [], "Stopped."
        if request.as_json:
            write({"error": message, "exit_code": int(code), "options": needed})
        else:
            typer.echo(message, err=True)
        return int(code)

    return answer


def progress_of(request: Request) -> Progress:
    """Return what tells how something goes on; silent where JSON is wanted."""

    def progress(sentence: str) -> None:
        if not request.as_json:
            typer.echo(sentence)

    return progress


def tell(request: Request, message: str, data: Mapping[str, Any]) -> None:
    """Write a sentence or, where JSON is wanted, the data behind it."""
    if request.as_json:
        write(data)
    else:
        typer.echo(message)


def write(data: Mapping[str, Any]) -> None:
    """Write JSON."""
    typer.echo(json.dumps(data, indent=2))
