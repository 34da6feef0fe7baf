"""The journey of one request over deployments: first attempt, retries, fallbacks."""

import math
from random import Random
from typing import Generic, NamedTuple

from headgate.core.clock import Clock
from headgate.core.errors import Category, GatewayError, InvalidRequestError, NoDeploymentError, UpstreamError
from headgate.core.usage import Usage
from headgate.routing._cooldowns import Cooldowns
from headgate.routing._deployment import Deployment, P
from headgate.routing._errors import NOT_HERE
from headgate.routing._fallbacks import FallbackRules, Wishes
from headgate.routing._health import Health
from headgate.routing._names import Names, Target
from headgate.routing._policy import Policy
from headgate.routing._retries import RetryRules
from headgate.routing._selection import Demand, Selector


class Retry(NamedTuple, Generic[P]):
    """Another attempt: on which deployment, after how many seconds."""

    deployment: Deployment[P]
    delay_seconds: float


class Rules(Generic[P]):
    """What all dispatches of a router share."""

    __slots__ = ("clock", "cooldowns", "fallbacks", "names", "retries", "sample_size", "selector")

    def __init__(self, policy: Policy, names: Names[P], clock: Clock, random: Random) -> None:
        self.clock = clock
        self.names = names
        self.selector: Selector[P] = Selector(policy, random)
        self.cooldowns: Cooldowns[P] = Cooldowns(policy)
        self.retries = RetryRules(policy, random)
        self.fallbacks = FallbackRules(policy)
        measures = policy.routing_strategy == "latency-based-routing"
        self.sample_size = policy.routing_strategy_args.max_latency_list_size if measures else 0


class _Trouble(Generic[P]):
    """What a dispatch remembers from its first failure on; most never need it."""

    __slots__ = ("answer", "depth", "failure", "group_retries", "pending", "tried", "unfit", "visited", "waits")

    def __init__(self, model: str, answer: GatewayError) -> None:
        self.answer = answer
        """The error to answer with when nothing helps: the latest of the requested group."""
        self.depth = 0
        self.visited = {model}
        self.pending: list[tuple[str, int]] = []
        """Names to fall back to, each with the number of fallbacks that lead there."""
        self.enter_group(0)

    def enter_group(self, depth: int) -> None:
        self.depth = depth
        self.failure: UpstreamError | None = None
        """How the latest attempt in this group failed."""
        self.tried: list[Deployment[P]] = []
        self.unfit: list[Deployment[P]] = []
        """Those that can not express the request."""
        self.group_retries = 0
        self.waits = 0


class Dispatch(Generic[P]):
    """A state machine: `begin`, then for each attempt one of `succeed`, `fail`, `skip`, `fail_finally`, `abandon`.

    While an attempt is under way it is counted in flight on its deployment. Calls out of turn raise RuntimeError,
    except `abandon`, which then does nothing and so fits a `finally`.

    `attempts` counts those begun, `retries` the ones that repeated another in the same group, and `fallbacks` the
    groups that were tried in place of another. `deployment` is that of the current or last attempt.
    """

    __slots__ = (
        "_demand",
        "_reserved",
        "_rules",
        "_started",
        "_target",
        "_trouble",
        "_under_way",
        "_window_end",
        "_wishes",
        "attempts",
        "deployment",
        "fallbacks",
        "retries",
    )

    deployment: Deployment[P]

    def __init__(self, rules: Rules[P], target: Target[P], demand: Demand[P], wishes: Wishes) -> None:
        self._rules = rules
        self._target = target
        self._demand = demand
        self._wishes = wishes
        self._trouble: _Trouble[P] | None = None
        self._under_way = False
        self.attempts = 0
        self.retries = 0
        self.fallbacks = 0

    @property
    def group(self) -> str:
        """The name of the model group of the current or last attempt."""
        return self._target.group.name

    @property
    def wildcard(self) -> str:
        """What the `*` of that group's name stands for; empty without one."""
        return self._target.wildcard

    def begin(self) -> Deployment[P]:
        """Pick the first deployment, in a fallback group when the requested one has none free.

        Raises `NoDeploymentError` with a `retry-after` header when every deployment cools down or is at its limit,
        `NotSupportedError` when none supports the operation, `PermissionDeniedError` when the tags match none, and
        `UpstreamError` (CONTEXT_WINDOW) when pre-call checks find the input too long for all.
        """
        if self.attempts:
            raise RuntimeError("a dispatch begins once")
        rules = self._rules
        now = rules.clock()
        deployment = rules.selector.select(self._target.group, self._demand, now)
        if deployment is not None:
            self._start(deployment, now)
            return deployment
        refusal = rules.selector.refusal(self._target, self._demand, now)
        category = _category(refusal)
        if category is None:
            raise refusal
        trouble: _Trouble[P] = _Trouble(self._target.model, refusal)
        self._trouble = trouble
        return self._fall_back(trouble, category, now)

    def succeed(self, *, seconds: float, first_token_seconds: float | None = None, usage: Usage | None = None) -> None:
        """End the attempt: it took `seconds`, for a stream `first_token_seconds` to the first token."""
        rules = self._rules
        now = rules.clock()
        health = self._end(now)
        health.successes += 1
        if usage is not None:
            # What begin() counted is corrected here, in the present window even when that one is over.
            health.tokens = max(health.tokens + usage.input_tokens + usage.output_tokens - self._reserved, 0)
        if rules.sample_size:
            tokens = usage.output_tokens if usage is not None else 0
            health.latencies.add(now, seconds / tokens if tokens else seconds, size=rules.sample_size)
            if first_token_seconds is not None:
                health.first_tokens.add(now, first_token_seconds, size=rules.sample_size)

    def fail(self, error: UpstreamError, *, remaining_seconds: float = math.inf) -> Retry[P]:
        """End the attempt as failed and begin the next one, in this group or in a fallback.

        The next attempt is in flight already while its delay passes. `remaining_seconds` is what the request's deadline
        leaves. When there is no other attempt, raises the error to answer with: the requested group's last one.
        """
        now = self._end_failed(error)
        trouble: _Trouble[P] = self._trouble or _Trouble(self._target.model, error)
        self._trouble = trouble
        trouble.failure = error
        if trouble.depth == 0:
            trouble.answer = error
        if remaining_seconds <= 0:
            raise trouble.answer
        retry = self._retry(trouble, error, now, remaining_seconds)
        if retry is None:
            retry = Retry(self._fall_back(trouble, error.category, now), 0.0)
        return retry

    def skip(self, error: InvalidRequestError, *, remaining_seconds: float = math.inf) -> Retry[P]:
        """End the attempt with nothing sent: its deployment can not express the request. Begin one on another.

        This is no failure of the deployment and no retry. When the group has nothing left to try, goes on as after the
        latest failure in it: with fallbacks, then with its error. Without a failure raises the first `error`, or
        `NoDeploymentError` while a deployment that was not asked cools down or is at its limit.
        """
        now = self._rules.clock()
        health = self._end(now)
        if health.window_end == self._window_end:
            health.tokens -= self._reserved
            health.requests -= 1
        trouble: _Trouble[P] = self._trouble or _Trouble(self._target.model, error)
        self._trouble = trouble
        trouble.unfit.append(self.deployment)
        if remaining_seconds <= 0:
            raise trouble.answer
        retry = self._repeat(trouble, trouble.failure, now, remaining_seconds)
        if retry is not None:
            return retry
        if trouble.failure is not None:
            # What was begun as a retry has sent nothing.
            self.retries -= 1
            return Retry(self._fall_back(trouble, trouble.failure.category, now), 0.0)
        refusal = self._rules.selector.refusal(self._target, self._demand, now, trouble.unfit)
        category = _category(refusal)
        if category is not None and trouble.depth == 0:
            trouble.answer = refusal
        return Retry(self._fall_back(trouble, category or Category.BAD_REQUEST, now), 0.0)

    def fail_finally(self, error: UpstreamError) -> None:
        """End the attempt as failed, without another one: its answer has begun to reach the client."""
        self._end_failed(error)

    def abandon(self) -> None:
        """End the attempt without any effect on the deployment's health: the client went away."""
        if self._under_way:
            self._end(self._rules.clock())

    def _start(self, deployment: Deployment[P], now: float, delay: float = 0.0) -> None:
        health = deployment.health
        if now >= health.window_end:
            health.roll(now)
        self._reserved = self._demand.input_tokens or 0
        self._window_end = health.window_end
        health.tokens += self._reserved
        health.requests += 1
        health.in_flight += 1
        self.deployment = deployment
        self.attempts += 1
        self._started = now + delay
        self._under_way = True

    def _end(self, now: float) -> Health:
        if not self._under_way:
            raise RuntimeError("no attempt is under way")
        self._under_way = False
        health = self.deployment.health
        health.in_flight -= 1
        if now >= health.window_end:
            health.roll(now)
        return health

    def _end_failed(self, error: UpstreamError) -> float:
        rules = self._rules
        now = rules.clock()
        health = self._end(now)
        if health.window_end == self._window_end:
            health.tokens -= self._reserved
        rules.cooldowns.record(self.deployment, self._target.group, error, now)
        if rules.sample_size and error.category is Category.TIMEOUT:
            # A timeout counts as an answer of one token that took all this time.
            for samples in (health.latencies, health.first_tokens):
                samples.add(now, now - self._started, size=rules.sample_size)
        return now

    def _retry(self, trouble: _Trouble[P], error: UpstreamError, now: float, remaining: float) -> Retry[P] | None:
        trouble.tried.append(self.deployment)
        allowed = self._rules.retries.allowed(
            self._target.group.name,
            error.category,
            deployment=self.deployment.num_retries,
            client=self._wishes.num_retries,
        )
        if trouble.group_retries >= allowed:
            return None
        retry = self._repeat(trouble, error, now, remaining)
        if retry is not None:
            trouble.group_retries += 1
            self.retries += 1
        return retry

    def _repeat(
        self, trouble: _Trouble[P], error: UpstreamError | None, now: float, remaining: float
    ) -> Retry[P] | None:
        """Begin another attempt in the group; None when there is nothing to try, or no time for it."""
        rules = self._rules
        deployment = rules.selector.select(self._target.group, self._demand, now, trouble.tried, trouble.unfit)
        if deployment is None:
            return None
        delay = 0.0
        if error is not None and deployment in trouble.tried:
            if error.category in NOT_HERE:
                return None
            delay = rules.retries.delay(trouble.waits, error if deployment is trouble.tried[-1] else None)
            if delay >= remaining:
                return None
            trouble.waits += 1
        self._start(deployment, now, delay)
        return Retry(deployment, delay)

    def _fall_back(self, trouble: _Trouble[P], category: Category, now: float) -> Deployment[P]:
        rules, demand, wishes = self._rules, self._demand, self._wishes
        target, depth = self._target, trouble.depth
        reason: Category | None = category
        while True:
            # A group's own fallbacks come before what its predecessor would try next.
            names = () if reason is None else rules.fallbacks.names(target, reason, wishes, depth)
            trouble.pending[:0] = [(name, depth + 1) for name in names]
            found = self._next_target(trouble)
            if found is None:
                raise trouble.answer
            target, depth = found
            deployment = rules.selector.select(target.group, demand, now)
            if deployment is not None:
                trouble.enter_group(depth)
                self._target = target
                self.fallbacks += 1
                self._start(deployment, now)
                return deployment
            reason = _category(rules.selector.refusal(target, demand, now))

    def _next_target(self, trouble: _Trouble[P]) -> tuple[Target[P], int] | None:
        while trouble.pending:
            name, depth = trouble.pending.pop(0)
            target = self._rules.names.find(name)
            if target is not None and target.model not in trouble.visited:
                trouble.visited.add(target.model)
                return target, depth
        return None


def _category(refusal: GatewayError) -> Category | None:
    """Return what a group without a deployment for the request counts as; None when no fallback is due."""
    if isinstance(refusal, UpstreamError):
        return refusal.category
    return Category.RATE_LIMIT if isinstance(refusal, NoDeploymentError) else None
