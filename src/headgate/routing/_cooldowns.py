"""When a failing deployment gets no requests for a while."""

from typing import Generic

from headgate.core.errors import Category, UpstreamError
from headgate.routing._deployment import Deployment, P
from headgate.routing._errors import SAME_EVERYWHERE, counts_by_category
from headgate.routing._names import Group
from headgate.routing._policy import Policy

LONGEST_REQUESTED = 300.0
"""Seconds of cooldown that an upstream's `Retry-After` can ask for: a wrong one must not take it away for a day."""

_HOPELESS_FAILURES = 1000
"""Failures in a window without one success that cool down the only deployment of a group (LiteLLM 1.80.5)."""

_BLAMELESS = SAME_EVERYWHERE | {Category.PERMISSION}


class Cooldowns(Generic[P]):
    """Counts failures and sets `cooled_until`, by LiteLLM's rules (see docs/routing.md)."""

    def __init__(self, policy: Policy) -> None:
        self._disabled = policy.disable_cooldowns
        self._seconds = policy.cooldown_time
        self._allowed = policy.allowed_fails
        self._allowed_by_category = counts_by_category(
            policy.allowed_fails_policy, "AllowedFails", "allowed_fails_policy"
        )

    def record(self, deployment: Deployment[P], group: Group[P], error: UpstreamError, now: float) -> None:
        """Count a failure of the deployment and cool it down when it is due."""
        # Behind a wildcard, a model that does not exist is the client's choice and says nothing about the others.
        if error.category in _BLAMELESS or (error.category is Category.NOT_FOUND and group.wildcard):
            return
        health = deployment.health
        health.roll(now)
        health.failures += 1
        if not self._disabled and self._is_due(deployment, group, error.category):
            health.cooled_until = max(health.cooled_until, now + self._duration(deployment, error))

    def _is_due(self, deployment: Deployment[P], group: Group[P], category: Category) -> bool:
        failures, successes = deployment.health.failures, deployment.health.successes
        allowed = self._allowed_by_category.get(category, self._allowed)
        if allowed is not None:
            return failures > allowed
        if category is Category.AUTHENTICATION or category is Category.NOT_FOUND:
            return True
        if successes == 0 and failures >= _HOPELESS_FAILURES:
            return True
        return not group.single and (category is Category.RATE_LIMIT or failures > successes)

    def _duration(self, deployment: Deployment[P], error: UpstreamError) -> float:
        if deployment.cooldown_time is not None:
            return deployment.cooldown_time
        if error.retry_after is not None and error.retry_after > 0:
            return min(error.retry_after, LONGEST_REQUESTED)
        return self._seconds
