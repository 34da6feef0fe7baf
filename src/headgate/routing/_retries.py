"""How often and after which delay a failed attempt is repeated within its group."""

import math
from random import Random

from headgate.core.errors import Category, UpstreamError
from headgate.routing._errors import SAME_EVERYWHERE, counts_by_category
from headgate.routing._policy import Policy

MOST_REQUESTED = 5
"""Retries that a client can ask for, unless the router's own `num_retries` is higher."""

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds; an upstream that asks for more is not waited for."""


class RetryRules:
    """The policy's numbers of retries and the delays between them."""

    def __init__(self, policy: Policy, random: Random) -> None:
        self._random = random.random
        self._default = policy.num_retries
        self._least_delay = policy.retry_after
        self._by_category = counts_by_category(policy.retry_policy, "Retries", "retry_policy")
        self._by_group = {
            group: counts_by_category(counts, "Retries", f"model_group_retry_policy '{group}'")
            for group, counts in policy.model_group_retry_policy.items()
        }

    def allowed(self, group: str, category: Category, *, deployment: int | None, client: int | None) -> int:
        """Number of retries after a failure of this category.

        The first that is set counts: the deployment's `num_retries`, the group's retry policy, the retry policy, the
        client's number, the router's. What every deployment would refuse is repeated only where a policy says so.
        """
        explicit = self._by_group.get(group, self._by_category).get(category)
        if category in SAME_EVERYWHERE:
            return explicit or 0
        if deployment is not None:
            return deployment
        if explicit is not None:
            return explicit
        if client is not None:
            return min(max(client, 0), max(self._default, MOST_REQUESTED))
        return self._default

    def delay(self, waits: int, error: UpstreamError | None) -> float:
        """Seconds before a deployment that has failed is tried again; infinite when it asked for too long a time.

        `waits` counts the delays so far; `error` is that of the deployment itself when it was the last to fail. The
        delay doubles, its upper half is random, and an upstream's `Retry-After` goes before it.
        """
        if error is not None and error.retry_after is not None and error.retry_after > 0:
            if error.retry_after > LONGEST_RETRY_AFTER:
                return math.inf
            return max(error.retry_after + self._random() * FIRST_DELAY, self._least_delay)
        ceiling = min(FIRST_DELAY * 2.0 ** min(waits, 10), LONGEST_DELAY)
        return max(ceiling * (0.5 + 0.5 * self._random()), self._least_delay)
