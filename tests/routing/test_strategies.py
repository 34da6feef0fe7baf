"""Each strategy's choice among healthy deployments."""

import random
from collections import Counter
from typing import Any

import pytest

from headgate.core.errors import Category, ConfigurationError, NoDeploymentError
from headgate.core.usage import Usage
from headgate.routing import STRATEGIES, Deployment, LatencyArguments, Policy, Router
from tests.routing.support import Time, deployment, failure, supports_all


def router(strategy: str, *deployments: Deployment[str], time: Time | None = None, **arguments: Any) -> Router[str]:
    policy = Policy(routing_strategy=strategy, routing_strategy_args=LatencyArguments(**arguments))
    return Router(deployments, policy, clock=time or Time(), random=random.Random(11))


def picks(router: Router[str], number: int = 4000, **arguments: Any) -> Counter[str]:
    """Count who is picked, each attempt ended before the next begins."""
    counted: Counter[str] = Counter()
    for _ in range(number):
        dispatch = router.dispatch("g", supports=supports_all, **arguments)
        counted[dispatch.begin().id] += 1
        dispatch.abandon()
    return counted


def measure(router: Router[str], name: str, seconds: float, first: float | None = None, tokens: int = 1) -> None:
    """Let the named deployment answer once."""
    dispatch = router.dispatch("g", supports=lambda provider: provider == name)
    dispatch.begin()
    dispatch.succeed(seconds=seconds, first_token_seconds=first, usage=Usage(output_tokens=tokens))


def assert_shares(counted: Counter[str], **expected: float) -> None:
    total = sum(counted.values())
    assert {name: counted[name] / total for name in expected} == pytest.approx(expected, abs=0.03)


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="unknown strategy 'fastest'; use one of cost-based-routing"):
        router("fastest", deployment("a"))


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_strategy_spreads_equals_evenly(strategy: str) -> None:
    assert_shares(picks(router(strategy, deployment("a"), deployment("b"), deployment("c"))), a=1 / 3, b=1 / 3, c=1 / 3)


@pytest.mark.parametrize("key", ["weight", "rpm", "tpm"])
def test_shuffle_goes_by_weight_rpm_or_tpm(key: str) -> None:
    members = [deployment("a"), deployment("b"), deployment("c")]
    for member, value in zip(members, (6, 3, 1), strict=True):
        setattr(member, key, value)
    assert_shares(picks(router("simple-shuffle", *members)), a=0.6, b=0.3, c=0.1)


def test_shuffle_takes_the_first_key_that_any_deployment_sets() -> None:
    members = [deployment("a", rpm=100, weight=1), deployment("b", rpm=1, weight=3), deployment("c", rpm=1)]
    assert_shares(picks(router("simple-shuffle", *members)), a=0.2, b=0.6, c=0.2)


def test_shuffle_gives_nothing_to_a_weight_of_zero() -> None:
    members = [deployment("a", weight=0), deployment("b"), deployment("c", weight=2)]
    assert_shares(picks(router("simple-shuffle", *members)), a=0.0, b=0.5, c=0.5)
    zeros = [deployment("a", weight=0), deployment("b", weight=0)]
    assert_shares(picks(router("simple-shuffle", *zeros)), a=0.5, b=0.5)


def test_shuffle_keeps_proportions_among_those_that_are_left() -> None:
    members = [deployment("a", weight=6), deployment("b", weight=3), deployment("c", weight=1)]
    members[0].health.cooled_until = 1e9
    assert_shares(picks(router("simple-shuffle", *members)), a=0.0, b=0.75, c=0.25)


def test_least_busy_evens_out_what_is_in_flight() -> None:
    busy = router("least-busy", deployment("a"), deployment("b"), deployment("c"))
    for _ in range(7):
        busy.dispatch("g", supports=supports_all).begin()
    assert sorted(each.health.in_flight for each in busy.deployments("g")) == [2, 2, 3]


def test_latency_tries_the_unmeasured_first_then_the_fastest() -> None:
    fast = router("latency-based-routing", deployment("a"), deployment("b"), deployment("c"))
    measure(fast, "a", 1.0)
    assert picks(fast)["a"] == 0
    measure(fast, "b", 4.0, tokens=8)
    measure(fast, "c", 2.0)
    assert set(picks(fast, 50)) == {"b"}


def test_latency_spreads_within_the_buffer() -> None:
    close = router("latency-based-routing", *map(deployment, "abc"), lowest_latency_buffer=0.5)
    for name, seconds in (("a", 1.0), ("b", 1.5), ("c", 1.6)):
        measure(close, name, seconds)
    assert_shares(picks(close), a=0.5, b=0.5, c=0.0)


def test_latency_keeps_the_recent_samples() -> None:
    recent = router("latency-based-routing", deployment("a"), deployment("b"), max_latency_list_size=3)
    measure(recent, "b", 2.0)
    for seconds in (9.0, 9.0, 1.0, 1.0, 1.0):
        measure(recent, "a", seconds)
    assert set(picks(recent, 50)) == {"a"}


def test_latency_samples_expire() -> None:
    time = Time()
    expiring = router("latency-based-routing", deployment("a"), deployment("b"), time=time, ttl=60)
    measure(expiring, "a", 1.0)
    measure(expiring, "b", 2.0)
    assert set(picks(expiring, 50)) == {"a"}
    time.now += 59
    measure(expiring, "a", 1.0)
    time.now += 2
    assert set(picks(expiring, 50)) == {"b"}


def test_streams_go_by_the_time_to_the_first_token() -> None:
    streams = router("latency-based-routing", deployment("a"), deployment("b"))
    measure(streams, "a", 1.0, first=0.9)
    measure(streams, "b", 2.0, first=0.1)
    assert set(picks(streams, 50, stream=True)) == {"b"}
    assert set(picks(streams, 50, stream=False)) == {"a"}


def test_a_timeout_makes_a_deployment_slow() -> None:
    time = Time()
    slow = router("latency-based-routing", deployment("a"), deployment("b"), time=time)
    slow.dispatch("g", supports=lambda provider: provider == "b").begin()
    measure(slow, "a", 1.0, first=1.0)
    dispatch = slow.dispatch("g", supports=lambda provider: provider == "b", num_retries=0)
    dispatch.begin()
    time.now += 30
    dispatch.fail_finally(failure(Category.TIMEOUT))
    time.now += 10
    assert set(picks(slow, 50)) == {"a"}
    assert set(picks(slow, 50, stream=True)) == {"a"}


@pytest.mark.parametrize("strategy", ["usage-based-routing", "usage-based-routing-v2"])
def test_usage_goes_to_the_fewest_tokens_of_this_minute(strategy: str) -> None:
    time = Time()
    used = router(strategy, deployment("a"), deployment("b"), time=time)
    measure(used, "a", 1.0, tokens=500)
    measure(used, "b", 1.0, tokens=400)
    assert set(picks(used, 50)) == {"b"}
    measure(used, "b", 1.0, tokens=200)
    assert set(picks(used, 50)) == {"a"}
    time.now += 60
    assert set(picks(used, 50)) == {"a", "b"}


def test_cost_goes_to_the_cheapest_and_to_unknown_prices_last() -> None:
    members = [deployment("a"), deployment("b", price=3), deployment("c", price=2), deployment("d", price=2)]
    assert set(picks(router("cost-based-routing", *members), 50)) == {"c", "d"}
    for each in members[1:]:
        each.health.cooled_until = 1e9
    assert set(picks(router("cost-based-routing", *members), 50)) == {"a"}


@pytest.mark.parametrize("strategy", ["usage-based-routing", "usage-based-routing-v2", "cost-based-routing"])
def test_strategies_by_usage_and_cost_respect_limits(strategy: str) -> None:
    limited = router(strategy, deployment("a", rpm=2, price=1), deployment("b", tpm=100, price=2))
    used = picks(limited, 5, input_tokens=30)
    assert used == {"a": 2, "b": 3}
    with pytest.raises(NoDeploymentError):
        picks(limited, 1, input_tokens=30)
