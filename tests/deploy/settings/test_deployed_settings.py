"""The environment that was brought up last."""

from headgate.deploy.engine import MemoryStore
from headgate.deploy.settings import Environment, forget, remember, remembered


def test_what_was_brought_up_is_kept_until_it_is_gone() -> None:
    store = MemoryStore()
    assert remembered(store) is None
    forget(store)
    small = Environment(name="dev", platform="ecs")
    for environment in (small, small, small.model_copy(update={"tasks": 3, "tags": {"team": "a"}})):
        remember(store, environment)
        assert remembered(store) == environment
    forget(store)
    assert remembered(store) is None


def test_what_another_version_wrote_counts_as_nothing() -> None:
    store = MemoryStore()
    store.write("settings", b'{"name": "dev", "shape": "round"}', None)
    assert remembered(store) is None
    environment = Environment(name="dev", platform="ecs")
    remember(store, environment)
    assert remembered(store) == environment
