"""The environment as it was last brought up, kept beside lock and journal; it holds no secret."""

from pydantic import ValidationError

from headgate.deploy.engine import StateStore
from headgate.deploy.settings._environment import Environment

KEY = "settings"


def remember(store: StateStore, environment: Environment) -> None:
    """Keep an environment that was brought up. Raises `DeployError`."""
    found = store.read(KEY)
    data = environment.model_dump_json(indent=2).encode()
    if found is None or found.data != data:
        store.write(KEY, data, None if found is None else found.version)


def remembered(store: StateStore) -> Environment | None:
    """Return the environment that was brought up last; None for none, and for one of a version that reads otherwise.

    Raises `DeployError` when the store can not be read.
    """
    found = store.read(KEY)
    if found is None:
        return None
    try:
        return Environment.model_validate_json(found.data)
    except ValidationError:
        return None


def forget(store: StateStore) -> None:
    """Forget what was brought up: it is gone. Raises `DeployError`."""
    found = store.read(KEY)
    if found is not None:
        store.delete(KEY, found.version)
