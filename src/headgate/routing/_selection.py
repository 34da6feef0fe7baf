"""Which deployment of a group takes a request: what can not take it is filtered out, then the strategy picks."""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Generic

from headgate.core.errors import (
    Category,
    GatewayError,
    NoDeploymentError,
    NotSupportedError,
    PermissionDeniedError,
    UpstreamError,
)
from headgate.routing._deployment import Deployment, P
from headgate.routing._names import Group, Target, shorten
from headgate.routing._policy import Policy
from headgate.routing._strategies import create_strategy

DEFAULT_TAG = "default"
"""Deployments with this tag take requests without tags, and those whose tags match nothing."""

_BUSY_SECONDS = 1.0
"""When to try again after every slot of `max_parallel_requests` was taken; nobody can know better."""


class Demand(Generic[P]):
    """What a request needs: a provider that `supports` it, its tags, its input tokens as far as they are known."""

    __slots__ = ("input_tokens", "stream", "supports", "tags")

    def __init__(
        self, supports: Callable[[P], bool], tags: Sequence[str], input_tokens: int | None, stream: bool
    ) -> None:
        self.supports, self.tags, self.input_tokens, self.stream = supports, tags, input_tokens, stream


class Selector(Generic[P]):
    """Filters in the order cooldown, operation, limits and context window, tags, `order`; then asks the strategy."""

    def __init__(self, policy: Policy, random: Random) -> None:
        self._strategy = create_strategy(policy, random)
        self._checks_window = policy.enable_pre_call_checks
        self._checks_rates = policy.enable_pre_call_checks or self._strategy.enforces_limits
        self._checks_tags = policy.enable_tag_filtering
        self._any_tag = policy.tag_filtering_match_any

    def select(
        self,
        group: Group[P],
        demand: Demand[P],
        now: float,
        tried: Sequence[Deployment[P]] = (),
        unfit: Sequence[Deployment[P]] = (),
    ) -> Deployment[P] | None:
        """Return a deployment that can take the request now, none of `unfit`, and one not `tried` if there is any."""
        supports = demand.supports
        candidates = [
            deployment
            for deployment in group.deployments
            if deployment.health.cooled_until <= now
            and supports(deployment.provider)
            and self._admits(deployment, demand, now)
        ]
        if self._checks_tags:
            candidates = self._tagged(candidates, demand.tags)
        if unfit:
            candidates = [candidate for candidate in candidates if candidate not in unfit]
        if tried:
            candidates = [candidate for candidate in candidates if candidate not in tried] or candidates
        if len(candidates) > 1 and group.ordered:
            candidates = _first_in_order(candidates)
        if len(candidates) > 1:
            return self._strategy.pick(candidates, now, stream=demand.stream)
        return candidates[0] if candidates else None

    def refusal(
        self, target: Target[P], demand: Demand[P], now: float, unfit: Sequence[Deployment[P]] = ()
    ) -> GatewayError:
        """Say why `select` found nothing: the error to answer with when no other group helps."""
        model = shorten(target.requested)
        candidates = [
            deployment
            for deployment in target.group.deployments
            if deployment not in unfit and demand.supports(deployment.provider)
        ]
        if not candidates:
            message = f"No deployment of model={model} supports this operation."
            # OpenAI's and Anthropic's SDKs repeat every other 5xx.
            return NotSupportedError(message, param="model", headers=(("x-should-retry", "false"),))
        if self._checks_tags:
            candidates = self._tagged(candidates, demand.tags)
            if not candidates:
                return PermissionDeniedError(f"No deployment of model={model} is open to requests with these tags.")
        fitting = [deployment for deployment in candidates if self._fits(deployment, demand)]
        if not fitting:
            largest = max(deployment.max_input_tokens or 0 for deployment in candidates)
            message = (
                f"The request has about {demand.input_tokens} input tokens; model={model} takes at most {largest}."
            )
            return UpstreamError(
                message, category=Category.CONTEXT_WINDOW, status=400, kind="invalid_request_error", param="messages"
            )
        seconds = math.ceil(max(1.0, min(self._wait(deployment, now) for deployment in fitting)))
        message = f"No deployments available for selected model, Try again in {seconds} seconds. Passed model={model}"
        return NoDeploymentError(message, headers=(("retry-after", str(seconds)),))

    def _admits(self, deployment: Deployment[P], demand: Demand[P], now: float) -> bool:
        parallel = deployment.max_parallel_requests
        if parallel is not None and deployment.health.in_flight >= parallel:
            return False
        if self._checks_rates and not _within_rates(deployment, demand, now):
            return False
        return not self._checks_window or self._fits(deployment, demand)

    def _fits(self, deployment: Deployment[P], demand: Demand[P]) -> bool:
        if not self._checks_window or deployment.max_input_tokens is None or demand.input_tokens is None:
            return True
        return demand.input_tokens <= deployment.max_input_tokens

    def _tagged(self, deployments: list[Deployment[P]], tags: Sequence[str]) -> list[Deployment[P]]:
        default = [deployment for deployment in deployments if DEFAULT_TAG in deployment.tags]
        if not tags:
            return default or deployments
        if self._any_tag:
            matching = [deployment for deployment in deployments if not deployment.tags.isdisjoint(tags)]
        else:
            matching = [deployment for deployment in deployments if deployment.tags.issuperset(tags)]
        return matching or default

    def _wait(self, deployment: Deployment[P], now: float) -> float:
        """Seconds until the deployment may take a request again, as far as that is known."""
        health, parallel = deployment.health, deployment.max_parallel_requests
        if health.cooled_until > now:
            return health.cooled_until - now
        if parallel is not None and health.in_flight >= parallel:
            return _BUSY_SECONDS
        return health.window_end - now


def _within_rates(deployment: Deployment[P], demand: Demand[P], now: float) -> bool:
    health = deployment.health
    health.roll(now)
    if deployment.rpm is not None and health.requests >= deployment.rpm:
        return False
    return deployment.tpm is None or health.tokens + max(demand.input_tokens or 0, 1) <= deployment.tpm


def _first_in_order(candidates: list[Deployment[P]]) -> list[Deployment[P]]:
    orders = [math.inf if candidate.order is None else candidate.order for candidate in candidates]
    first = min(orders)
    return [candidate for candidate, order in zip(candidates, orders, strict=True) if order == first]
