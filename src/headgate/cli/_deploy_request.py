"""What every command of `headgate deploy` has in common: its request, what that is about, and how it answers."""

import json
import os
import re
import shlex
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import typer

from headgate.core.errors import HeadgateError
from headgate.deploy.engine import ConfirmationNeededError, DeployError, ExitCode, Progress, Target
from headgate.deploy.settings import FILE_NAME, DeploySettings, Environment, load_settings

STATE_DIRECTORY = ".headgate"
"""Beside the deployment file; holds a directory for each environment of this machine."""

DEFAULT_ENVIRONMENT = "dev"
_COMMAND = re.compile(r"`headgate (?:deploy|secrets) (?!init\b)[^`]*`")
"""A command in a sentence."""

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

    def command(self, *words: str) -> str:
        """Return the command line that does this again, but for what was confirmed."""
        return shlex.join(["headgate", "deploy", *words, "--env", self.environment, *self._named_file()])

    def addressed(self, sentence: str) -> str:
        """Have the commands of a sentence act on this environment of this file: they are written for the default."""
        return _COMMAND.sub(lambda found: self._addressed(found[0]), sentence)

    def say(self, sentence: str = "", *, err: bool = False) -> None:
        """Write a line to the standard output, or to the standard error."""
        typer.echo(self.addressed(sentence), err=err)

    def _addressed(self, command: str) -> str:
        words = command.strip("`").split()
        more: list[str] = []
        if "--env" not in words and self.environment != DEFAULT_ENVIRONMENT:
            more += ["--env", self.environment]
        if "--file" not in words:
            more += self._named_file()
        return f"`{' '.join([command.strip('`'), shlex.join(more)]).rstrip()}`"

    def _named_file(self) -> list[str]:
        return [] if self.file is None else ["--file", str(self.file)]


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
            with _stoppable():
                return work(request, *given, **options)
        except HeadgateError as error:
            code = error.exit_code if isinstance(error, DeployError) else ExitCode.USAGE
            needed = list(error.options) if isinstance(error, ConfirmationNeededError) else []
            message = str(error)
        except (KeyboardInterrupt, typer.Abort):
            code, needed, message = ExitCode.INTERRUPTED, [], "Stopped."
        if request.as_json:
            write(request, {"error": message, "exit_code": int(code), "options": needed})
        else:
            request.say(message, err=True)
        return int(code)

    return answer


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have a connection that is lost, and a pipeline that is cancelled, end the work as Ctrl-C does: lock given back.

    What is ignored, as below `nohup`, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in (signal.SIGHUP, signal.SIGTERM) if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def progress_of(request: Request) -> Progress:
    """Return what tells how something goes on; silent where JSON is wanted."""

    def progress(sentence: str) -> None:
        if not request.as_json:
            request.say(sentence)

    return progress


def tell(request: Request, message: str, data: Mapping[str, Any]) -> None:
    """Write a sentence or, where JSON is wanted, the data behind it."""
    if request.as_json:
        write(request, data)
    else:
        request.say(message)


def write(request: Request, data: Mapping[str, Any]) -> None:
    """Write JSON."""
    typer.echo(json.dumps(_each_addressed(request, data), indent=2))


def _each_addressed(request: Request, value: Any) -> Any:
    if isinstance(value, str):
        return request.addressed(value)
    if isinstance(value, Mapping):
        return {key: _each_addressed(request, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_each_addressed(request, one) for one in value]
    return value
