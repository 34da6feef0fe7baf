"""Which failures cool a deployment down, and for how long."""

import math

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.routing import Deployment, Policy, Router
from tests.routing.support import Time, deployment, failure, router_of, supports_all


def fail(
    router: Router[str], category: Category, *, name: str = "a", model: str = "g", retry_after: float | None = None
) -> None:
    dispatch = router.dispatch(model, supports=lambda provider: provider == name)
    dispatch.begin()
    dispatch.fail_finally(failure(category, retry_after))


def succeed(router: Router[str], name: str = "a") -> None:
    dispatch = router.dispatch("g", supports=lambda provider: provider == name)
    dispatch.begin()
    dispatch.succeed(seconds=1.0)


def first(router: Router[str]) -> Deployment[str]:
    return router.all_deployments()[0]


def cooled(router: Router[str]) -> float:
    """Seconds for which the first deployment is cooled from the start of the test's clock."""
    return max(first(router).health.cooled_until - Time().now, 0.0)


BLAMED = [
    Category.RATE_LIMIT,
    Category.TIMEOUT,
    Category.INTERNAL,
    Category.CONNECTION,
    Category.PROTOCOL,
    Category.AUTHENTICATION,
    Category.NOT_FOUND,
]


@pytest.mark.parametrize("category", list(Category))
def test_one_of_several_cools_down_for_what_it_is_to_blame_for(category: Category) -> None:
    router = router_of(["a", "b"])
    fail(router, category)
    assert cooled(router) == (5.0 if category in BLAMED else 0.0)


@pytest.mark.parametrize("category", list(Category))
def test_the_only_one_cools_down_only_for_what_will_not_pass(category: Category) -> None:
    router = router_of(["a"])
    fail(router, category)
    assert cooled(router) == (5.0 if category in (Category.AUTHENTICATION, Category.NOT_FOUND) else 0.0)


def test_one_of_several_cools_down_when_more_than_half_of_a_minute_failed() -> None:
    router = router_of(["a", "b"])
    for _ in range(2):
        succeed(router)
    for expected in (0.0, 0.0, 5.0):
        fail(router, Category.INTERNAL)
        assert cooled(router) == expected


def test_the_only_one_cools_down_after_a_thousand_failures_and_no_success() -> None:
    router = router_of(["a"])
    for _ in range(999):
        fail(router, Category.INTERNAL)
    assert cooled(router) == 0
    fail(router, Category.INTERNAL)
    assert cooled(router) == 5.0


def test_failures_of_an_earlier_minute_do_not_count() -> None:
    time = Time()
    router = router_of(["a", "b"], Policy(allowed_fails=1), time=time)
    fail(router, Category.INTERNAL)
    time.now += 60
    fail(router, Category.INTERNAL)
    assert first(router).health.cooled_until == -math.inf
    fail(router, Category.INTERNAL)
    assert first(router).health.cooled_until == time.now + 5


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_allowed_fails_counts_also_when_it_is_three(names: list[str]) -> None:
    router = router_of(names, Policy(allowed_fails=3))
    for expected in (0.0, 0.0, 0.0, 5.0):
        fail(router, Category.RATE_LIMIT)
        assert cooled(router) == expected


def test_allowed_fails_can_depend_on_the_kind_of_error() -> None:
    policy = Policy(allowed_fails=9, allowed_fails_policy={"TimeoutErrorAllowedFails": 0})
    router = router_of(["a", "b"], policy)
    fail(router, Category.INTERNAL)
    assert cooled(router) == 0
    fail(router, Category.TIMEOUT)
    assert cooled(router) == 5.0


def test_how_long_the_deployment_says_then_the_upstream_then_the_router() -> None:
    router = router_of(["a", "b"], Policy(cooldown_time=3))
    fail(router, Category.RATE_LIMIT)
    assert cooled(router) == 3.0
    router = router_of(["a", "b"])
    fail(router, Category.RATE_LIMIT, retry_after=17)
    assert cooled(router) == 17.0
    router = router_of(["a", "b"])
    fail(router, Category.RATE_LIMIT, retry_after=1e9)
    assert cooled(router) == 300.0
    router = router_of(["a", "b"])
    first(router).cooldown_time = 2.0
    fail(router, Category.RATE_LIMIT, retry_after=17)
    assert cooled(router) == 2.0


def test_a_late_failure_does_not_shorten_a_cooldown() -> None:
    router = router_of(["a", "b"])
    late = router.dispatch("g", supports=lambda provider: provider == "a")
    late.begin()
    fail(router, Category.RATE_LIMIT, retry_after=60)
    late.fail_finally(failure(Category.RATE_LIMIT))
    assert cooled(router) == 60.0


def test_cooldowns_can_be_disabled() -> None:
    router = router_of(["a", "b"], Policy(disable_cooldowns=True))
    fail(router, Category.AUTHENTICATION)
    assert cooled(router) == 0


def test_a_model_that_does_not_exist_does_not_take_a_wildcard_away() -> None:
    import random

    router = Router([deployment("a", group="openai/*")], Policy(), clock=Time(), random=random.Random(0))
    fail(router, Category.NOT_FOUND, model="openai/nothing")
    assert cooled(router) == 0
    fail(router, Category.AUTHENTICATION, model="openai/nothing")
    assert cooled(router) == 5.0


def test_a_cooling_deployment_gets_nothing_until_it_is_over() -> None:
    time = Time()
    router = router_of(["a", "b"], time=time)
    fail(router, Category.RATE_LIMIT)

    def picked() -> set[str]:
        return {router.dispatch("g", supports=supports_all).begin().id for _ in range(50)}

    assert picked() == {"b"}
    time.now += 5
    assert picked() == {"a", "b"}


def test_no_retry_goes_to_a_deployment_that_cools_down() -> None:
    router = router_of(["a", "b"])
    dispatch = router.dispatch("g", supports=supports_all)
    dispatch.begin()
    dispatch.fail(failure(Category.RATE_LIMIT))
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(Category.RATE_LIMIT))
