"""What the tests of routing share: a clock that is set by hand, and short ways to build things."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.core.errors import Category, UpstreamError
from headgate.routing import Deployment, Policy, Router


class Time:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def deployment(name: str, group: str = "g", **values: Any) -> Deployment[str]:
    """A deployment whose provider is its own name."""
    return Deployment(id=name, group=group, provider=name, model=name, **values)


def router_of(
    names: Sequence[str], policy: Policy | None = None, *, time: Time | None = None, **others: Sequence[str]
) -> Router[str]:
    """A router with group `g` of the named deployments, and further groups by keyword."""
    groups: Mapping[str, Sequence[str]] = {"g": names, **others}
    deployments = [deployment(name, group) for group, members in groups.items() for name in members]
    return Router(deployments, policy or Policy(), clock=time or Time(), random=random.Random(7))


def supports_all(provider: str) -> bool:
    return True


def failure(category: Category, retry_after: float | None = None) -> UpstreamError:
    return UpstreamError("it failed", category=category, status=502, retry_after=retry_after)
