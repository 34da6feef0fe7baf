"""Filters before the strategy: limits, context window, tags, order."""

import random
from typing import Any

import pytest

from headgate.core.errors import Category, GatewayError, NoDeploymentError, PermissionDeniedError, UpstreamError
from headgate.core.usage import Usage
from headgate.routing import Deployment, Policy, Router
from tests.routing.support import Time, deployment, supports_all

CHECKS = Policy(enable_pre_call_checks=True)


def router(policy: Policy, *members: Deployment[str], time: Time | None = None) -> Router[str]:
    return Router(members, policy, clock=time or Time(), random=random.Random(5))


def picked(router: Router[str], **arguments: Any) -> set[str]:
    """Everyone who gets a request, each abandoned at once."""
    names = set()
    for _ in range(40):
        dispatch = router.dispatch("g", supports=supports_all, **arguments)
        names.add(dispatch.begin().id)
        dispatch.abandon()
    return names


def refusal(router: Router[str], **arguments: Any) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        router.dispatch("g", supports=supports_all, **arguments).begin()
    return raised.value


def test_only_deployments_that_support_the_operation_are_picked() -> None:
    two = router(Policy(), deployment("a"), deployment("b"))
    for _ in range(20):
        assert two.dispatch("g", supports=lambda provider: provider == "b").begin().id == "b"


def test_requests_per_minute() -> None:
    time = Time()
    one = router(CHECKS, deployment("a", rpm=2), time=time)
    for _ in range(2):
        one.dispatch("g", supports=supports_all).begin()
    time.now += 45
    error = refusal(one)
    assert isinstance(error, NoDeploymentError)
    assert error.headers == (("retry-after", "15"),)
    time.now += 15
    one.dispatch("g", supports=supports_all).begin()


def test_tokens_per_minute() -> None:
    one = router(CHECKS, deployment("a", tpm=100))
    dispatch = one.dispatch("g", supports=supports_all, input_tokens=60)
    dispatch.begin()
    assert isinstance(refusal(one, input_tokens=41), NoDeploymentError)
    dispatch.succeed(seconds=1.0, usage=Usage(input_tokens=60, output_tokens=40))
    assert isinstance(refusal(one), NoDeploymentError)


def test_rates_are_not_limits_without_pre_call_checks() -> None:
    one = router(Policy(), deployment("a", rpm=1, tpm=1, max_input_tokens=1))
    assert picked(one, input_tokens=50) == {"a"}


def test_parallel_requests_are_limited_always() -> None:
    one = router(Policy(), deployment("a", max_parallel_requests=1))
    dispatch = one.dispatch("g", supports=supports_all)
    dispatch.begin()
    assert refusal(one).headers == (("retry-after", "1"),)
    dispatch.abandon()
    one.dispatch("g", supports=supports_all).begin()


def test_the_context_window_filters_and_falls_back() -> None:
    members = [deployment("a", max_input_tokens=100), deployment("b", max_input_tokens=200)]
    two = router(CHECKS, *members)
    assert picked(two, input_tokens=100) == {"a", "b"}
    assert picked(two, input_tokens=101) == {"b"}
    error = refusal(two, input_tokens=201)
    assert isinstance(error, UpstreamError)
    assert (error.category, error.status) == (Category.CONTEXT_WINDOW, 400)
    assert error.message == "The request has about 201 input tokens; model=g takes at most 200."
    policy = Policy(enable_pre_call_checks=True, context_window_fallbacks={"g": ["large"]})
    with_fallback = router(policy, *members, deployment("c", group="large"))
    assert picked(with_fallback, input_tokens=201) == {"c"}


def test_an_unknown_length_passes() -> None:
    assert picked(router(CHECKS, deployment("a", max_input_tokens=100))) == {"a"}


TAGGED = [
    deployment("free", tags=frozenset({"free"})),
    deployment("paid", tags=frozenset({"paid", "eu"})),
    deployment("rest", tags=frozenset({"default"})),
    deployment("plain"),
]


@pytest.mark.parametrize(
    ("tags", "any_tag", "expected"),
    [
        ((), True, {"rest"}),
        (("free",), True, {"free"}),
        (("free", "eu"), True, {"free", "paid"}),
        (("paid", "eu"), False, {"paid"}),
        (("free", "eu"), False, {"rest"}),
        (("unknown",), True, {"rest"}),
    ],
)
def test_tags(tags: tuple[str, ...], any_tag: bool, expected: set[str]) -> None:
    policy = Policy(enable_tag_filtering=True, tag_filtering_match_any=any_tag)
    assert picked(router(policy, *TAGGED), tags=tags) == expected


def test_tags_count_only_when_filtering_is_on() -> None:
    assert picked(router(Policy(), *TAGGED), tags=("free",)) == {"free", "paid", "rest", "plain"}


def test_without_a_default_untagged_requests_go_anywhere_and_unknown_tags_nowhere() -> None:
    members = [deployment("a", tags=frozenset({"x"})), deployment("b")]
    tagged = router(Policy(enable_tag_filtering=True, fallbacks={"g": ["h"]}), *members, deployment("c", group="h"))
    assert picked(tagged) == {"a", "b"}
    assert isinstance(refusal(tagged, tags=("y",)), PermissionDeniedError)


def test_a_tagged_deployment_that_cools_down_is_no_matter_of_permission() -> None:
    cooling = deployment("a", tags=frozenset({"x"}))
    cooling.health.cooled_until = 1003.0
    tagged = router(Policy(enable_tag_filtering=True), cooling, deployment("b"))
    assert refusal(tagged, tags=("x",)).headers == (("retry-after", "3"),)


def test_the_lowest_order_goes_first_and_none_last() -> None:
    members = [deployment("c"), deployment("b", order=2), deployment("a", order=1), deployment("a2", order=1)]
    ordered = router(Policy(), *members)
    assert picked(ordered) == {"a", "a2"}
    members[2].health.cooled_until = members[3].health.cooled_until = 1e9
    assert picked(ordered) == {"b"}
    members[1].health.cooled_until = 1e9
    assert picked(ordered) == {"c"}
