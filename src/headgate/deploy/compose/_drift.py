"""What was changed behind the deployer's back on this machine: files, containers, ports."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from headgate.deploy.compose._docker import Docker
from headgate.deploy.compose._ports import misplaced
from headgate.deploy.compose._render import COMPOSE_FILE, digests, services
from headgate.deploy.engine import Difference
from headgate.deploy.settings import Environment

_FILES = "files"
"""The component that writes them."""
_SINCE = "by hand, or the deployment file was changed since; the next `headgate deploy up` sets it back"


def differences(
    environment: Environment, directory: Path, docker: Docker, wanted: Callable[[], Mapping[str, str]]
) -> list[Difference]:
    """Return what is not as the last run left it; nothing is changed.

    `wanted` returns the files as they should be, by path. Their contents are never shown: somebody may have put a
    secret into one. Raises `DeployError` without Docker.
    """
    files = wanted()
    return [*_files(directory, files), *_containers(environment, docker, digests(files[COMPOSE_FILE]))]


def _files(directory: Path, wanted: Mapping[str, str]) -> Iterator[Difference]:
    if not any((directory / path).exists() for path in wanted):
        return
    for path, text in wanted.items():
        try:
            found = (directory / path).read_text()
        except FileNotFoundError:
            yield Difference(_FILES, path, "it is gone; the next `headgate deploy up` writes it")
        except (OSError, UnicodeDecodeError):
            yield Difference(_FILES, path, "it can not be read as text")
        else:
            if found != text:
                yield Difference(_FILES, path, f"it was changed from line {_first_change(found, text)} on, {_SINCE}")


def _first_change(found: str, wanted: str) -> int:
    """Return the first line that differs, counted from one."""
    lines = zip(found.split("\n"), wanted.split("\n"), strict=False)
    same = 0
    for one, other in lines:
        if one != other:
            break
        same += 1
    return same + 1


def _containers(environment: Environment, docker: Docker, wanted: Mapping[str, str]) -> Iterator[Difference]:
    components = {name: component for component, names in services(environment).items() for name in names}
    found = {container.service: container for container in docker.containers()}
    for name, component in components.items() if found else ():
        if name not in found:
            yield Difference(component, name, "its container is gone; `headgate deploy up` makes it")
        elif found[name].digest != wanted[name]:
            yield Difference(component, name, f"its container is made of something else than its files, {_SINCE}")
    for name, sentence in misplaced(environment, found.values()):
        yield Difference(components.get(name, name), name, sentence)
    for name in sorted(found.keys() - components.keys()):
        remove = f"docker rm --force {environment.prefix}-{name}-1"
        yield Difference(name, name, f"its container is there, and nothing asks for it: `{remove}` removes it")
