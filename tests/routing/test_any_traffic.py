"""Whatever happens in whatever order: counts come out even, cooling deployments rest, journeys end."""

import random

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from headgate.core.errors import Category, GatewayError
from headgate.core.usage import Usage
from headgate.routing import STRATEGIES, Deployment, Dispatch, LatencyArguments, Policy, Retry, Router
from tests.routing.support import Time, deployment, failure, supports_all

RETRIES = 2
GROUPS = {"one": ["a"], "two": ["b", "c"], "three": ["d", "e", "f"], "wild/*": ["g"]}
NAMES = ["one", "two", "three", "wild/x", "wild/y", "alias"]
MOST_ATTEMPTS = (1 + RETRIES) * (len(NAMES) - 1)
"""Each model gets its retries once; the alias is another name of one of them."""
FALLBACKS = {"one": ["two", "wild/x"], "two": ["three", "one"], "wild/x": ["wild/y"], "*": ["one", "nowhere", "three"]}


class Traffic(RuleBasedStateMachine):
    journeys = Bundle("journeys")

    @initialize(strategy=st.sampled_from(sorted(STRATEGIES)), checks=st.booleans(), seed=st.integers(0, 9))
    def start(self, strategy: str, checks: bool, seed: int) -> None:
        self.time = Time()
        self.seed = seed
        self.policy = Policy(
            routing_strategy=strategy,
            routing_strategy_args=LatencyArguments(lowest_latency_buffer=0.3, max_latency_list_size=2),
            num_retries=RETRIES,
            fallbacks=FALLBACKS,
            context_window_fallbacks={"two": ["three"]},
            default_fallbacks=["two"],
            max_fallbacks=3,
            enable_pre_call_checks=checks,
            model_group_alias={"alias": "two"},
        )
        self.under_way: list[Dispatch[str]] = []
        self.router = self.build()

    def build(self) -> Router[str]:
        members = [deployment(name, group) for group, names in GROUPS.items() for name in names]
        members[1].rpm = 3
        members[2].order = 1
        members[3].max_parallel_requests = 2
        members[4].tpm = 500
        return Router(members, self.policy, clock=self.time, random=random.Random(self.seed))

    def check_pick(self, dispatch: Dispatch[str], picked: Deployment[str]) -> None:
        assert picked is dispatch.deployment
        assert picked.health.cooled_until <= self.time.now
        # The first group has no attempt when it had no deployment to begin with.
        assert dispatch.attempts - dispatch.retries - dispatch.fallbacks in (0, 1)
        assert dispatch.attempts <= MOST_ATTEMPTS

    @rule(target=journeys, model=st.sampled_from(NAMES), tokens=st.none() | st.integers(0, 300), stream=st.booleans())
    def begin(self, model: str, tokens: int | None, stream: bool) -> list[Dispatch[str]]:
        dispatch = self.router.dispatch(model, supports=supports_all, input_tokens=tokens, stream=stream)
        try:
            picked = dispatch.begin()
        except GatewayError:
            return []
        self.under_way.append(dispatch)
        self.check_pick(dispatch, picked)
        return [dispatch]

    @rule(journey=consumes(journeys), tokens=st.none() | st.integers(0, 300), seconds=st.floats(0, 100))
    def succeed(self, journey: list[Dispatch[str]], tokens: int | None, seconds: float) -> None:
        for dispatch in journey:
            self.under_way.remove(dispatch)
            usage = None if tokens is None else Usage(input_tokens=tokens, output_tokens=tokens // 2)
            dispatch.succeed(seconds=seconds, first_token_seconds=seconds / 2, usage=usage)

    @rule(
        target=journeys,
        journey=consumes(journeys),
        category=st.sampled_from(Category),
        retry_after=st.none() | st.floats(0, 100),
        remaining=st.floats(-1, 100),
    )
    def fail(
        self, journey: list[Dispatch[str]], category: Category, retry_after: float | None, remaining: float
    ) -> list[Dispatch[str]]:
        for dispatch in journey:
            try:
                retry: Retry[str] = dispatch.fail(failure(category, retry_after), remaining_seconds=remaining)
            except GatewayError:
                self.under_way.remove(dispatch)
                return []
            assert 0 <= retry.delay_seconds < remaining
            self.check_pick(dispatch, retry.deployment)
        return journey

    @rule(journey=consumes(journeys), category=st.sampled_from(Category))
    def fail_until_it_ends(self, journey: list[Dispatch[str]], category: Category) -> None:
        for dispatch in journey:
            self.under_way.remove(dispatch)
            for _ in range(MOST_ATTEMPTS):
                try:
                    dispatch.fail(failure(category))
                except GatewayError:
                    break
            else:
                raise AssertionError("the journey goes on for ever")

    @rule(journey=consumes(journeys), category=st.sampled_from(Category))
    def break_off(self, journey: list[Dispatch[str]], category: Category) -> None:
        for dispatch in journey:
            self.under_way.remove(dispatch)
            dispatch.fail_finally(failure(category))

    @rule(journey=consumes(journeys))
    def abandon(self, journey: list[Dispatch[str]]) -> None:
        for dispatch in journey:
            self.under_way.remove(dispatch)
            dispatch.abandon()

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @rule()
    def reload(self) -> None:
        previous, self.router = self.router, self.build()
        self.router.adopt(previous)

    @invariant()
    def counts_are_even(self) -> None:
        if not hasattr(self, "router"):
            return
        expected = [dispatch.deployment.id for dispatch in self.under_way]
        for each in self.router.all_deployments():
            assert each.health.in_flight == expected.count(each.id)
            assert min(each.health.tokens, each.health.requests, each.health.failures) >= 0

    def teardown(self) -> None:
        for dispatch in getattr(self, "under_way", []):
            dispatch.abandon()
        if hasattr(self, "router"):
            assert all(each.health.in_flight == 0 for each in self.router.all_deployments())


TestTraffic = Traffic.TestCase
