"""Where the stack's containers can be reached, against where they should be."""

from collections.abc import Iterable, Iterator

from headgate.deploy.compose._docker import Container
from headgate.deploy.compose._render import PORTS
from headgate.deploy.settings import Environment


def misplaced(environment: Environment, containers: Iterable[Container]) -> Iterator[tuple[str, str]]:
    """Yield each running service whose ports are not as asked for, and a sentence on them."""
    listening = f"{environment.listen_address}:{environment.listen_port}"
    wanted = {"nginx": {listening}} | {name.replace("_", "-"): {f"127.0.0.1:{port}"} for name, port in PORTS.items()}
    for container in containers:
        if container.state != "running":
            continue
        asked = wanted.get(container.service, set())
        if more := container.published - asked:
            yield container.service, f"can be reached at {', '.join(sorted(more))}, which nobody asked for"
        if lacking := asked - container.published:
            yield container.service, f"can not be reached at {', '.join(sorted(lacking))}"
