"""A stack on a machine as `headgate deploy up` leaves it."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.deploy.compose._components import write_files
from headgate.deploy.compose._docker import Docker
from headgate.deploy.compose._render import render, services
from headgate.deploy.compose._secret_files import SecretFiles
from headgate.deploy.settings import Environment
from tests.deploy.compose.docker_double import DockerDouble


@dataclass
class Stack:
    """The environment, its files, and Docker: the double, and what Headgate calls it with."""

    environment: Environment
    directory: Path
    double: DockerDouble
    docker: Docker
    secrets: SecretFiles


def brought_up(path: Path, **settings: Any) -> Stack:
    """Bring a stack up in a directory."""
    given = {"name": "dev", "platform": "compose", "tasks": 2, **settings}
    environment, directory, double = Environment.model_validate(given), path / "state", DockerDouble(path / "bin")
    secrets = SecretFiles(directory / "secrets")
    secrets.create()
    write_files(directory, render(environment, secrets.versions()), mode=0o700)
    names = [name for names in services(environment).values() for name in names]
    # Time flies, so that every question reaches the double.
    clock = itertools.count(step=10.0).__next__
    docker = Docker(environment.prefix, directory, secrets.values, double.environ, clock)
    docker.compose("up", "--detach", *names)
    return Stack(environment, directory, double, docker, secrets)
