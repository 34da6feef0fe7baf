"""Names, listings, and what outlives a reload."""

import random

import pytest

import headgate.routing
from headgate.core.errors import Category, ConfigurationError, ModelNotFoundError
from headgate.routing import Policy, Router
from tests.routing.support import Time, deployment, failure, router_of, supports_all


def router(*groups: str, **policy: object) -> Router[str]:
    members = [deployment(f"d{number}", group=group) for number, group in enumerate(groups)]
    return Router(members, Policy(**policy), clock=Time(), random=random.Random(0))  # type: ignore[arg-type]


def test_the_face_exports_what_exists() -> None:
    assert all(hasattr(headgate.routing, name) for name in headgate.routing.__all__)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", ("gpt-4o", "")),
        ("openai/gpt-4o", ("openai/*", "gpt-4o")),
        ("openai/o3-mini", ("openai/o*", "3-mini")),
        ("bedrock/us.anthropic.claude", ("bedrock/us.*", "anthropic.claude")),
        ("bedrock/eu.anthropic.claude", ("bedrock/*", "eu.anthropic.claude")),
        ("groq/x-large", ("*-large", "groq/x")),
        ("anything", ("*", "anything")),
        ("openai/", ("*", "openai/")),
    ],
)
def test_the_most_specific_name_wins(model: str, expected: tuple[str, str]) -> None:
    names = router("*", "openai/*", "openai/o*", "gpt-4o", "bedrock/*", "bedrock/us.*", "*-large")
    assert names.resolve(model) == expected


def test_a_pattern_has_one_wildcard() -> None:
    with pytest.raises(ConfigurationError, match="one '\\*' only"):
        router("a*b*")


@pytest.mark.parametrize("model", ["", "gpt-5", "openai/", "GPT-4o", "x" * 3000, "*"])
def test_other_names_are_unknown(model: str) -> None:
    with pytest.raises(ModelNotFoundError):
        router("gpt-4o", "openai/*").resolve(model)


def test_a_name_beyond_every_limit_matches_no_wildcard() -> None:
    with pytest.raises(ModelNotFoundError):
        router("*").resolve("x" * 2049)


def test_aliases_lead_to_groups_and_go_before_them() -> None:
    aliases = {"gpt-4": "gpt-4o", "fast": "openai/gpt-4o-mini"}
    names = router("gpt-4o", "gpt-4", "openai/*", model_group_alias=aliases, hidden_aliases=frozenset({"fast"}))
    assert names.resolve("gpt-4") == ("gpt-4o", "")
    assert names.resolve("fast") == ("openai/*", "gpt-4o-mini")
    assert names.groups() == ("gpt-4o", "gpt-4", "openai/*")
    assert [each.group for each in names.deployments("fast")] == ["openai/*"]


def test_visible_aliases_are_listed() -> None:
    assert router("a", model_group_alias={"b": "a"}).groups() == ("a", "b")


def test_an_alias_to_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="model_group_alias 'b': there is no model 'c'"):
        router("a", model_group_alias={"b": "c"})


def test_deployments_of_a_name() -> None:
    names = router("a", "openai/*")
    assert [each.id for each in names.deployments("openai/*")] == ["d1"]
    assert [each.id for each in names.deployments("openai/x")] == ["d1"]
    assert names.deployments("b") == ()
    assert [each.id for each in names.all_deployments()] == ["d0", "d1"]


def test_health_outlives_a_reload() -> None:
    before = router_of(["a", "b", "gone"])
    dispatch = before.dispatch("g", supports=lambda provider: provider == "a")
    dispatch.begin()
    failing = before.dispatch("g", supports=lambda provider: provider == "b")
    failing.begin()
    failing.fail_finally(failure(Category.RATE_LIMIT))
    after = router_of(["a", "b", "new"])
    after.adopt(before)
    a, b, new = after.deployments("g")
    assert (a.health.in_flight, b.health.cooled_until, new.health.in_flight) == (1, 1005.0, 0)
    dispatch.succeed(seconds=1.0)
    assert a.health.in_flight == 0
    assert {after.dispatch("g", supports=supports_all).begin().id for _ in range(40)} == {"a", "new"}
