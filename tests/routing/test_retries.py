"""Numbers of retries, and the delays between them."""

import random

import pytest

from headgate.core.errors import Category, ConfigurationError, UpstreamError
from headgate.routing import Policy, Router
from tests.routing.support import Time, deployment, failure, router_of, supports_all


def attempts(router: Router[str], category: Category, num_retries: int | None = None) -> int:
    """Let every attempt fail; return their number."""
    dispatch = router.dispatch("g", supports=supports_all, num_retries=num_retries)
    dispatch.begin()
    with pytest.raises(UpstreamError):  # noqa: PT012 - the one that ends the loop is the point
        while True:
            dispatch.fail(failure(category))
    return dispatch.attempts


def test_the_number_is_the_deployments_then_the_policys_then_the_clients_then_the_routers() -> None:
    retry_policy = {"TimeoutErrorRetries": 4}
    group_policy = {"g": {"TimeoutErrorRetries": 1}}
    assert attempts(router_of(["a"]), Category.TIMEOUT) == 3
    assert attempts(router_of(["a"]), Category.TIMEOUT, num_retries=3) == 4
    assert attempts(router_of(["a"], Policy(retry_policy=retry_policy)), Category.TIMEOUT, num_retries=3) == 5
    both = Policy(retry_policy=retry_policy, model_group_retry_policy=group_policy)
    assert attempts(router_of(["a"], both), Category.TIMEOUT) == 2
    own = Router([deployment("a", num_retries=0)], both, clock=Time(), random=random.Random(0))
    assert attempts(own, Category.TIMEOUT) == 1


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("BadRequestErrorRetries", Category.BAD_REQUEST),
        ("ContentPolicyViolationErrorRetries", Category.CONTENT_POLICY),
        ("RateLimitErrorRetries", Category.RATE_LIMIT),
        ("TimeoutErrorRetries", Category.TIMEOUT),
        ("InternalServerErrorRetries", Category.INTERNAL),
        ("InternalServerErrorRetries", Category.CONNECTION),
        ("InternalServerErrorRetries", Category.PROTOCOL),
    ],
)
def test_a_retry_policy_counts_for_its_kind_of_error(name: str, category: Category) -> None:
    router = router_of(["a"], Policy(num_retries=0, retry_policy={name: 3}))
    assert attempts(router, category) == 4


def test_an_authentication_policy_counts_for_other_deployments() -> None:
    policy = Policy(num_retries=0, retry_policy={"AuthenticationErrorRetries": 9})
    assert attempts(router_of(["a"], policy), Category.AUTHENTICATION) == 1
    assert attempts(router_of(["a", "b", "c"], policy), Category.PERMISSION) == 3


@pytest.mark.parametrize("key", ["retry_policy", "allowed_fails_policy"])
def test_an_unknown_kind_of_error_is_refused(key: str) -> None:
    policy = Policy(retry_policy={"Timeout": 1}) if key == "retry_policy" else Policy(allowed_fails_policy={"X": 1})
    with pytest.raises(ConfigurationError, match=f"^{key}: unknown name"):
        router_of(["a"], policy)


def test_delays_grow_to_their_limit_and_differ() -> None:
    dispatch = router_of(["a"], Policy(num_retries=40)).dispatch("g", supports=supports_all)
    dispatch.begin()
    delays = [dispatch.fail(failure(Category.INTERNAL)).delay_seconds for _ in range(40)]
    ceilings = [min(0.5 * 2**number, 8.0) for number in range(40)]
    assert all(ceiling / 2 <= delay <= ceiling for delay, ceiling in zip(delays, ceilings, strict=True))
    assert len(set(delays)) == len(delays)


def test_retry_after_of_the_configuration_is_the_least_delay() -> None:
    dispatch = router_of(["a"], Policy(retry_after=6.0)).dispatch("g", supports=supports_all)
    dispatch.begin()
    assert dispatch.fail(failure(Category.INTERNAL)).delay_seconds == 6.0
    assert dispatch.fail(failure(Category.RATE_LIMIT, retry_after=1)).delay_seconds == 6.0


def test_when_all_have_failed_one_is_tried_again_after_a_delay() -> None:
    policy = Policy(disable_cooldowns=True, num_retries=3)
    dispatch = router_of(["a", "b"], policy).dispatch("g", supports=supports_all)
    dispatch.begin()
    delays = [dispatch.fail(failure(Category.INTERNAL)).delay_seconds for _ in range(3)]
    assert delays[0] == 0
    assert 0.25 <= delays[1] <= 0.5
    assert 0.5 <= delays[2] <= 1.0


def test_a_retry_goes_down_the_order() -> None:
    members = [deployment("a", order=1), deployment("b", order=2), deployment("c")]
    router = Router(members, Policy(), clock=Time(), random=random.Random(0))
    dispatch = router.dispatch("g", supports=supports_all)
    used = [dispatch.begin().id]
    used += [dispatch.fail(failure(Category.INTERNAL)).deployment.id for _ in range(2)]
    assert used == ["a", "b", "c"]


def test_the_retry_after_of_one_deployment_does_not_delay_another() -> None:
    members = [deployment("a", order=1), deployment("b", order=2)]
    router = Router(members, Policy(disable_cooldowns=True), clock=Time(), random=random.Random(0))
    dispatch = router.dispatch("g", supports=supports_all)
    dispatch.begin()
    dispatch.fail(failure(Category.INTERNAL))
    retry = dispatch.fail(failure(Category.RATE_LIMIT, retry_after=30))
    assert retry.deployment.id == "a"
    assert retry.delay_seconds < 1
