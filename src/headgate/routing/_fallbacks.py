"""Which models are tried after a model group has failed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from headgate.core.errors import Category
from headgate.routing._names import Target
from headgate.routing._policy import Fallbacks, Policy

ANY = "*"
"""The entry for every model that has none of its own."""


class Wishes(NamedTuple):
    """What the client asked for in place of the configuration; None where it said nothing."""

    fallbacks: Sequence[str] | None = None
    context_window_fallbacks: Sequence[str] | None = None
    content_policy_fallbacks: Sequence[str] | None = None
    disable_fallbacks: bool = False
    num_retries: int | None = None


class FallbackRules:
    """The policy's lists. A special list goes first; where it has no entry, the general ones count."""

    def __init__(self, policy: Policy) -> None:
        self._depth = policy.max_fallbacks
        self._general = policy.fallbacks
        self._default = policy.default_fallbacks
        self._special = {
            Category.CONTEXT_WINDOW: policy.context_window_fallbacks,
            Category.CONTENT_POLICY: policy.content_policy_fallbacks,
        }

    def names(self, target: Target[Any], category: Category, wishes: Wishes, depth: int) -> Sequence[str]:
        """Return the names to try after the group failed in this way; none after a client's mistake.

        `depth` counts the fallbacks on the way to this group; a client's own lists are for the requested one, and its
        `fallbacks` replace the general lists everywhere.
        """
        if wishes.disable_fallbacks or category is Category.BAD_REQUEST or depth >= self._depth:
            return ()
        if depth == 0:
            special = _wished(wishes, category)
            if special is not None:
                return special[: self._depth]
        entry = _entry(self._special.get(category, {}), target)
        if entry is not None:
            return entry
        if wishes.fallbacks is not None:
            return wishes.fallbacks[: self._depth] if depth == 0 else ()
        entry = _entry(self._general, target)
        return self._default if entry is None else entry


def _wished(wishes: Wishes, category: Category) -> Sequence[str] | None:
    if category is Category.CONTEXT_WINDOW:
        return wishes.context_window_fallbacks
    return wishes.content_policy_fallbacks if category is Category.CONTENT_POLICY else None


def _entry(fallbacks: Fallbacks, target: Target[Any]) -> Sequence[str] | None:
    """Find the entry of the requested name, the resolved one, the one without provider, the wildcard, or any."""
    if fallbacks:
        for key in (target.requested, target.model, target.model.partition("/")[2], target.group.name, ANY):
            if key in fallbacks:
                return fallbacks[key]
    return None
