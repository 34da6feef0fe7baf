"""Strategies: which of the deployments that can take a request gets it."""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from headgate.core.errors import ConfigurationError
from headgate.routing._deployment import Deployment
from headgate.routing._policy import LatencyArguments, Policy

D = TypeVar("D", bound=Deployment[Any])


class Strategy(Protocol):
    """Picks one of at least two candidates."""

    enforces_limits: bool
    """True when the strategy implies that a deployment's own `rpm` and `tpm` are respected."""

    def pick(self, candidates: Sequence[D], now: float, *, stream: bool) -> D:
        """Return one of `candidates`; `stream` says whether the answer will be streamed."""


class SimpleShuffle:
    """Random, in proportion to each deployment's share (see `assign_shares`); evenly when all shares are zero."""

    enforces_limits = False

    def __init__(self, random: Random) -> None:
        self._random = random.random

    def pick(self, candidates: Sequence[D], now: float, *, stream: bool) -> D:
        """Return a random candidate."""
        total: float = sum([candidate.share for candidate in candidates])
        if total == 0:
            return candidates[int(self._random() * len(candidates))]
        position = self._random() * total
        for candidate in candidates:
            position -= candidate.share
            if position < 0:
                return candidate
        # Rounding can leave a position of zero after the last one.
        return max(candidates, key=lambda candidate: candidate.share)


class Lowest:
    """The lowest of a measure of the deployment; a random one of several equals."""

    def __init__(
        self, random: Random, measure: Callable[[Deployment[Any], float], float], *, enforces_limits: bool
    ) -> None:
        self.enforces_limits = enforces_limits
        self._random = random.random
        self._measure = measure

    def pick(self, candidates: Sequence[D], now: float, *, stream: bool) -> D:
        """Return a candidate with the lowest measure."""
        measures = [self._measure(candidate, now) for candidate in candidates]
        lowest = min(measures)
        best = [candidate for candidate, value in zip(candidates, measures, strict=True) if value == lowest]
        return best[int(self._random() * len(best))]


class LowestLatency:
    """The fastest by seconds per output token, or by seconds to the first token for streams.

    Deployments without a recent measurement go first, so that every one gets measured.
    """

    enforces_limits = False

    def __init__(self, random: Random, arguments: LatencyArguments) -> None:
        self._random = random.random
        self._ttl = arguments.ttl
        self._buffer = arguments.lowest_latency_buffer

    def pick(self, candidates: Sequence[D], now: float, *, stream: bool) -> D:
        """Return a random candidate among the unmeasured ones, else among those close to the fastest."""
        means = [
            (candidate.health.first_tokens if stream else candidate.health.latencies).mean(now, ttl=self._ttl)
            for candidate in candidates
        ]
        measured = [mean for mean in means if mean is not None]
        if len(measured) < len(means):
            best = [candidate for candidate, mean in zip(candidates, means, strict=True) if mean is None]
        else:
            limit = min(measured) * (1 + self._buffer)
            best = [candidate for candidate, mean in zip(candidates, measured, strict=True) if mean <= limit]
        return best[int(self._random() * len(best))]


def _in_flight(deployment: Deployment[Any], now: float) -> float:
    return deployment.health.in_flight


def _tokens(deployment: Deployment[Any], now: float) -> float:
    deployment.health.roll(now)
    return deployment.health.tokens


def _price(deployment: Deployment[Any], now: float) -> float:
    return math.inf if deployment.price is None else deployment.price


_FACTORIES: dict[str, Callable[[Policy, Random], Strategy]] = {
    "simple-shuffle": lambda policy, random: SimpleShuffle(random),
    "least-busy": lambda policy, random: Lowest(random, _in_flight, enforces_limits=False),
    "usage-based-routing": lambda policy, random: Lowest(random, _tokens, enforces_limits=True),
    "usage-based-routing-v2": lambda policy, random: Lowest(random, _tokens, enforces_limits=True),
    "cost-based-routing": lambda policy, random: Lowest(random, _price, enforces_limits=True),
    "latency-based-routing": lambda policy, random: LowestLatency(random, policy.routing_strategy_args),
}

STRATEGIES = frozenset(_FACTORIES)
"""The values that `routing_strategy` may have."""


def create_strategy(policy: Policy, random: Random) -> Strategy:
    """Build the policy's strategy. Raises `ConfigurationError` when there is none of that name."""
    factory = _FACTORIES.get(policy.routing_strategy)
    if factory is None:
        names = ", ".join(sorted(_FACTORIES))
        raise ConfigurationError(
            [f"routing_strategy: unknown strategy '{policy.routing_strategy}'; use one of {names}"]
        )
    return factory(policy, random)


def assign_shares(deployments: Sequence[Deployment[Any]]) -> None:
    """Set each deployment's share of its group: the first of `weight`, `rpm`, `tpm` that any of them sets.

    One that lacks it counts like the smallest positive value, so that unknown capacity never takes the most.
    """
    for key in ("weight", "rpm", "tpm"):
        values: list[float | None] = [getattr(deployment, key) for deployment in deployments]
        known = [value for value in values if value is not None]
        if known:
            missing = min((value for value in known if value > 0), default=1.0)
            for deployment, value in zip(deployments, values, strict=True):
                deployment.share = float(missing if value is None else value)
            return
