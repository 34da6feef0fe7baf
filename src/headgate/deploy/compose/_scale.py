"""Another number of gateways: on one machine the deployment file says it, and nothing else."""

from typing import NoReturn

from headgate.deploy.engine import UsageError
from headgate.deploy.settings import Environment


def scale(environment: Environment, tasks: int) -> NoReturn:
    """Refuse with `UsageError`, saying how it is done.

    nginx and Prometheus name each gateway in their files, so that the next `up` would take back any other number.
    """
    name = environment.name
    if tasks == environment.tasks:
        raise UsageError(f"{tasks} gateways are what the deployment file says already.")
    raise UsageError(
        f"On one machine the deployment file says how many gateways there are: set `tasks: {tasks}` for {name}, then"
        f" run `headgate deploy up --env {name}`. Nothing was changed."
    )
