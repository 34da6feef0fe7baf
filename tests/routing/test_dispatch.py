"""One request's journey: attempts, retries, fallbacks, and what is counted on the way."""

import random

import pytest

from headgate.core.errors import (
    Category,
    InvalidRequestError,
    ModelNotFoundError,
    NoDeploymentError,
    NotSupportedError,
    UpstreamError,
)
from headgate.core.usage import Usage
from headgate.routing import Dispatch, Policy, Router
from tests.routing.support import Time, deployment, failure, router_of, supports_all

GENERAL = [Category.RATE_LIMIT, Category.TIMEOUT, Category.INTERNAL, Category.CONNECTION, Category.PROTOCOL]
ELSEWHERE = [Category.AUTHENTICATION, Category.PERMISSION, Category.NOT_FOUND]
SAME_EVERYWHERE = [Category.BAD_REQUEST, Category.CONTEXT_WINDOW, Category.CONTENT_POLICY]
UNFIT = InvalidRequestError("This model gives one choice per request.", param="n")


def begun(router: Router[str], model: str = "g", **arguments: object) -> Dispatch[str]:
    dispatch = router.dispatch(model, supports=supports_all, **arguments)  # type: ignore[arg-type]
    dispatch.begin()
    return dispatch


def in_flight(router: Router[str]) -> int:
    return sum(each.health.in_flight for each in router.all_deployments())


def test_an_attempt_is_in_flight_until_it_succeeds() -> None:
    router = router_of(["a"])
    dispatch = router.dispatch("g", supports=supports_all)
    assert in_flight(router) == 0
    assert dispatch.begin().id == "a"
    assert (in_flight(router), dispatch.attempts) == (1, 1)
    dispatch.succeed(seconds=1.0)
    assert in_flight(router) == 0
    assert (dispatch.retries, dispatch.fallbacks, dispatch.group, dispatch.wildcard) == (0, 0, "g", "")


def test_tokens_are_counted_from_the_start_and_corrected_at_the_end() -> None:
    router = router_of(["a"])
    (only,) = router.deployments("g")
    dispatch = begun(router, input_tokens=100)
    assert only.health.tokens == 100
    dispatch.succeed(seconds=1.0, usage=Usage(input_tokens=90, output_tokens=20))
    assert only.health.tokens == 110


def test_a_correction_in_a_later_window_counts_only_what_was_not_counted() -> None:
    time = Time()
    router = router_of(["a"], time=time)
    (only,) = router.deployments("g")
    dispatch = begun(router, input_tokens=100)
    time.now += 61
    dispatch.succeed(seconds=61.0, usage=Usage(input_tokens=90, output_tokens=20))
    assert only.health.tokens == 10
    dispatch = begun(router, input_tokens=100)
    time.now += 61
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(Category.CONTENT_POLICY))
    assert only.health.tokens == 0


def test_failed_attempts_give_their_tokens_back() -> None:
    router = router_of(["a"])
    with pytest.raises(UpstreamError):
        begun(router, input_tokens=100).fail(failure(Category.BAD_REQUEST))
    assert router.deployments("g")[0].health.tokens == 0


def test_abandoning_has_no_effect_on_health_and_is_harmless_twice() -> None:
    router = router_of(["a"])
    dispatch = begun(router)
    dispatch.abandon()
    dispatch.abandon()
    health = router.deployments("g")[0].health
    assert (health.in_flight, health.successes, health.failures) == (0, 0, 0)


def test_calls_out_of_turn_are_refused() -> None:
    router = router_of(["a"])
    dispatch = begun(router)
    with pytest.raises(RuntimeError, match="begins once"):
        dispatch.begin()
    dispatch.succeed(seconds=1.0)
    with pytest.raises(RuntimeError, match="no attempt"):
        dispatch.succeed(seconds=1.0)
    with pytest.raises(RuntimeError, match="no attempt"):
        dispatch.fail(failure(Category.TIMEOUT))
    assert in_flight(router) == 0


def test_an_answer_that_broke_off_counts_as_a_failure_without_another_attempt() -> None:
    router = router_of(["a", "b"])
    dispatch = begun(router)
    dispatch.fail_finally(failure(Category.CONNECTION))
    assert dispatch.deployment.health.failures == 1
    assert (in_flight(router), dispatch.attempts) == (0, 1)


@pytest.mark.parametrize("category", GENERAL)
def test_a_single_deployment_is_tried_again_after_a_growing_delay(category: Category) -> None:
    router = router_of(["a"], Policy(num_retries=3))
    dispatch = begun(router)
    delays = [dispatch.fail(failure(category)).delay_seconds for _ in range(3)]
    assert [0.25 <= delays[0] <= 0.5, 0.5 <= delays[1] <= 1.0, 1.0 <= delays[2] <= 2.0] == [True] * 3
    with pytest.raises(UpstreamError) as raised:
        dispatch.fail(failure(category))
    assert raised.value.category is category
    assert (dispatch.attempts, dispatch.retries, in_flight(router)) == (4, 3, 0)


@pytest.mark.parametrize("category", [*GENERAL, *ELSEWHERE])
def test_another_deployment_is_tried_at_once(category: Category) -> None:
    router = router_of(["a", "b", "c"])
    dispatch = begun(router)
    used = [dispatch.deployment.id]
    for _ in range(2):
        retry = dispatch.fail(failure(category))
        assert retry.delay_seconds == 0
        assert retry.deployment is dispatch.deployment
        used.append(retry.deployment.id)
    assert sorted(used) == ["a", "b", "c"]
    assert in_flight(router) == 1


@pytest.mark.parametrize("category", ELSEWHERE)
def test_what_a_deployment_will_answer_again_is_not_repeated_on_it(category: Category) -> None:
    alone = begun(router_of(["a"]))
    with pytest.raises(UpstreamError):
        alone.fail(failure(category))
    pair = begun(router_of(["a", "b"]))
    pair.fail(failure(category))
    with pytest.raises(UpstreamError):
        pair.fail(failure(category))
    assert (alone.attempts, pair.attempts) == (1, 2)


@pytest.mark.parametrize("category", SAME_EVERYWHERE)
@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_what_every_deployment_would_refuse_is_not_repeated(category: Category, names: list[str]) -> None:
    router = router_of(names)
    with pytest.raises(UpstreamError) as raised:
        begun(router).fail(failure(category))
    assert raised.value.category is category
    assert all(each.health.failures == 0 for each in router.all_deployments())


def test_the_deadline_ends_retries() -> None:
    router = router_of(["a"])
    with pytest.raises(UpstreamError):
        begun(router).fail(failure(Category.INTERNAL), remaining_seconds=0.2)
    with pytest.raises(UpstreamError):
        begun(router_of(["a", "b"])).fail(failure(Category.INTERNAL), remaining_seconds=0.0)
    assert in_flight(router) == 0


def test_retry_after_is_honoured_up_to_a_minute() -> None:
    retry = begun(router_of(["a"])).fail(failure(Category.RATE_LIMIT, retry_after=7))
    assert 7.0 <= retry.delay_seconds <= 7.5
    with pytest.raises(UpstreamError):
        begun(router_of(["a"])).fail(failure(Category.RATE_LIMIT, retry_after=61))


def test_an_unknown_model_has_a_short_clear_error() -> None:
    with pytest.raises(ModelNotFoundError) as raised:
        router_of(["a"]).dispatch("x" * 5000, supports=supports_all)
    assert raised.value.param == "model"
    assert raised.value.message.startswith("Invalid model name passed in model=xxx")
    assert len(raised.value.message) < 250


def test_no_deployment_for_an_operation() -> None:
    dispatch = router_of(["a"]).dispatch("g", supports=lambda provider: provider == "other")
    with pytest.raises(NotSupportedError):
        dispatch.begin()


def test_when_all_cool_down_the_client_learns_how_long() -> None:
    time = Time()
    router = router_of(["a", "b"], time=time)
    for seconds, each in zip((9.5, 4.2), router.deployments("g"), strict=True):
        each.health.cooled_until = time.now + seconds
    with pytest.raises(NoDeploymentError) as raised:
        router.dispatch("g", supports=supports_all).begin()
    assert raised.value.headers == (("retry-after", "5"),)
    assert "Try again in 5 seconds" in raised.value.message
    time.now += 4.2
    assert begun(router).deployment.id == "b"


@pytest.mark.parametrize("category", [*GENERAL, *ELSEWHERE])
def test_general_fallbacks_are_tried_in_order(category: Category) -> None:
    router = router_of(["a"], Policy(num_retries=0, fallbacks={"g": ["h", "i"]}), h=["b"], i=["c"])
    dispatch = begun(router)
    retry = dispatch.fail(failure(category))
    assert (retry.deployment.id, retry.delay_seconds, dispatch.group) == ("b", 0.0, "h")
    assert dispatch.fail(failure(category)).deployment.id == "c"
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(category))
    assert (dispatch.attempts, dispatch.retries, dispatch.fallbacks, in_flight(router)) == (3, 0, 2, 0)


def test_each_fallback_group_gets_its_full_retries() -> None:
    router = router_of(["a"], Policy(num_retries=1, fallbacks={"g": ["h"]}), h=["b"])
    dispatch = begun(router)
    used = [dispatch.fail(failure(Category.INTERNAL)).deployment.id for _ in range(3)]
    assert used == ["a", "b", "b"]
    assert (dispatch.retries, dispatch.fallbacks) == (2, 1)


def test_the_error_is_that_of_the_requested_group() -> None:
    router = router_of(["a"], Policy(num_retries=0, fallbacks={"g": ["h"]}), h=["b"])
    dispatch = begun(router)
    original = failure(Category.RATE_LIMIT)
    dispatch.fail(original)
    with pytest.raises(UpstreamError) as raised:
        dispatch.fail(failure(Category.BAD_REQUEST))
    assert raised.value is original


def test_a_client_mistake_does_not_fall_back() -> None:
    router = router_of(["a"], Policy(fallbacks={"*": ["h"]}, default_fallbacks=["h"]), h=["b"])
    with pytest.raises(UpstreamError):
        begun(router).fail(failure(Category.BAD_REQUEST))


@pytest.mark.parametrize("category", [Category.CONTEXT_WINDOW, Category.CONTENT_POLICY])
def test_special_fallbacks_go_before_general_ones(category: Category) -> None:
    policy = Policy(
        context_window_fallbacks={"g": ["large"]}, content_policy_fallbacks={"g": ["lax"]}, fallbacks={"g": ["h"]}
    )
    dispatch = begun(router_of(["a"], policy, h=["b"], large=["c"], lax=["d"]))
    dispatch.fail(failure(category))
    assert dispatch.group == ("large" if category is Category.CONTEXT_WINDOW else "lax")
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(category))


def test_a_special_list_without_an_entry_leads_to_the_general_ones() -> None:
    policy = Policy(context_window_fallbacks={"other": ["large"]}, default_fallbacks=["h"])
    dispatch = begun(router_of(["a"], policy, h=["b"], large=["c"]))
    assert dispatch.fail(failure(Category.CONTEXT_WINDOW)).deployment.id == "b"


def test_fallbacks_of_fallbacks_come_first_and_no_group_comes_twice() -> None:
    fallbacks = {"g": ["h", "i"], "h": ["j", "g"], "j": ["h", "i"]}
    router = router_of(["a"], Policy(num_retries=0, fallbacks=fallbacks), h=["b"], i=["c"], j=["d"])
    dispatch = begun(router)
    used = [dispatch.fail(failure(Category.TIMEOUT)).deployment.id for _ in range(3)]
    assert used == ["b", "d", "c"]
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(Category.TIMEOUT))


def test_depth_is_limited() -> None:
    fallbacks = {"g": ["h"], "h": ["i"], "i": ["j"]}
    policy = Policy(num_retries=0, fallbacks=fallbacks, max_fallbacks=2)
    dispatch = begun(router_of(["a"], policy, h=["b"], i=["c"], j=["d"]))
    dispatch.fail(failure(Category.TIMEOUT))
    dispatch.fail(failure(Category.TIMEOUT))
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(Category.TIMEOUT))


def test_a_group_without_a_free_deployment_is_passed_over() -> None:
    router = router_of(["a"], Policy(fallbacks={"g": ["h"], "h": ["i"]}), h=["b"], i=["c"])
    for name in ("g", "h"):
        router.deployments(name)[0].health.cooled_until = 2000.0
    dispatch = router.dispatch("g", supports=supports_all)
    assert dispatch.begin().id == "c"
    assert (dispatch.attempts, dispatch.fallbacks, dispatch.group) == (1, 1, "i")


def test_a_client_can_name_its_own_fallbacks_or_none() -> None:
    policy = Policy(num_retries=0, fallbacks={"g": ["h"], "i": ["h"]}, max_fallbacks=2)
    router = router_of(["a"], policy, h=["b"], i=["c"], j=["d"], k=["e"])
    dispatch = begun(router, fallbacks=["nowhere", "i", "j"])
    assert dispatch.fail(failure(Category.INTERNAL)).deployment.id == "c"
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(Category.INTERNAL))
    with pytest.raises(UpstreamError):
        begun(router, disable_fallbacks=True).fail(failure(Category.INTERNAL))
    window = begun(router, context_window_fallbacks=["k"], content_policy_fallbacks=["j"])
    assert window.fail(failure(Category.CONTEXT_WINDOW)).deployment.id == "e"
    policy_dispatch = begun(router, context_window_fallbacks=["k"], content_policy_fallbacks=["j"])
    assert policy_dispatch.fail(failure(Category.CONTENT_POLICY)).deployment.id == "d"


@pytest.mark.parametrize(("asked", "attempts"), [(0, 1), (1, 2), (100, 6), (-3, 1)])
def test_a_clients_number_of_retries_is_capped(asked: int, attempts: int) -> None:
    dispatch = begun(router_of(["a"]), num_retries=asked)
    for _ in range(attempts - 1):
        dispatch.fail(failure(Category.INTERNAL))
    with pytest.raises(UpstreamError):
        dispatch.fail(failure(Category.INTERNAL))


def test_a_fallback_can_be_a_model_behind_a_wildcard() -> None:
    policy = Policy(num_retries=0, fallbacks={"openai/gpt-4o": ["openai/gpt-4o-mini"]})
    deployments = [deployment("w", group="openai/*")]
    router = Router(deployments, policy, clock=Time(), random=random.Random(0))
    dispatch = begun(router, "openai/gpt-4o")
    assert (dispatch.group, dispatch.wildcard) == ("openai/*", "gpt-4o")
    dispatch.fail(failure(Category.INTERNAL))
    assert (dispatch.group, dispatch.wildcard) == ("openai/*", "gpt-4o-mini")


@pytest.mark.parametrize("key", ["fast", "openai/gpt-4o", "gpt-4o", "openai/*", "*"])
def test_fallbacks_are_found_under_every_name_of_the_model(key: str) -> None:
    policy = Policy(num_retries=0, fallbacks={key: ["h"]}, model_group_alias={"fast": "openai/gpt-4o"})
    deployments = [deployment("w", group="openai/*"), deployment("b", group="h")]
    router = Router(deployments, policy, clock=Time(), random=random.Random(0))
    assert begun(router, "fast").fail(failure(Category.INTERNAL)).deployment.id == "b"


def test_a_deployment_that_can_not_express_the_request_is_skipped_without_a_trace() -> None:
    router = router_of(["a", "b", "c"], Policy(num_retries=0))
    dispatch = begun(router, input_tokens=100)
    used = [dispatch.deployment.id]
    for _ in range(2):
        again = dispatch.skip(UNFIT)
        assert again.delay_seconds == 0
        used.append(again.deployment.id)
    assert sorted(used) == ["a", "b", "c"]
    assert (dispatch.retries, dispatch.fallbacks, in_flight(router)) == (0, 0, 1)
    seen = {each.id: each.health for each in router.all_deployments()}
    assert [(seen[name].requests, seen[name].tokens, seen[name].failures) for name in used] == [
        (0, 0, 0),
        (0, 0, 0),
        (1, 100, 0),
    ]
    with pytest.raises(InvalidRequestError) as raised:
        dispatch.skip(UNFIT)
    assert raised.value is UNFIT
    assert in_flight(router) == 0


def test_what_no_deployment_can_express_does_not_fall_back() -> None:
    dispatch = begun(router_of(["a"], Policy(fallbacks={"g": ["h"]}), h=["b"]))
    with pytest.raises(InvalidRequestError):
        dispatch.skip(UNFIT)


def test_a_deployment_that_rests_may_still_be_able_to() -> None:
    time = Time()
    router = router_of(["a", "b"], time=time)
    dispatch = begun(router)
    (other,) = [each for each in router.deployments("g") if each is not dispatch.deployment]
    other.health.cooled_until = time.now + 9
    with pytest.raises(NoDeploymentError) as raised:
        dispatch.skip(UNFIT)
    assert raised.value.headers == (("retry-after", "9"),)


def test_a_skipped_retry_goes_to_the_deployment_that_failed() -> None:
    router = router_of(["a", "b"], Policy(num_retries=1, disable_cooldowns=True, fallbacks={"g": ["h"]}), h=["c"])
    dispatch = begun(router)
    first = dispatch.deployment
    assert dispatch.fail(failure(Category.RATE_LIMIT, retry_after=7)).deployment is not first
    again = dispatch.skip(UNFIT)
    assert again.deployment is first
    assert 7.0 <= again.delay_seconds <= 7.5
    assert dispatch.retries == 1
    assert dispatch.fail(failure(Category.RATE_LIMIT)).deployment.id == "c"


def test_a_skipped_retry_with_nothing_left_falls_back_as_the_failure_did() -> None:
    policy = Policy(num_retries=2, fallbacks={"g": ["h"]})
    dispatch = begun(router_of(["a", "b"], policy, h=["c"]))
    refused = failure(Category.AUTHENTICATION)
    dispatch.fail(refused)
    assert dispatch.skip(UNFIT).deployment.id == "c"
    assert (dispatch.retries, dispatch.fallbacks) == (0, 1)
    # The fallback can not express it either: the answer is what the requested group said.
    with pytest.raises(UpstreamError) as raised:
        dispatch.skip(UNFIT)
    assert raised.value is refused


def test_nothing_is_begun_after_the_deadline() -> None:
    dispatch = begun(router_of(["a", "b"]))
    with pytest.raises(InvalidRequestError):
        dispatch.skip(UNFIT, remaining_seconds=0.0)
