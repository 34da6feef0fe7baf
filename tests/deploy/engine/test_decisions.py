import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.engine import (
    Choice,
    ConfirmationNeededError,
    ExitCode,
    Graph,
    Health,
    Mode,
    Operation,
    Plan,
    Risk,
    Trait,
    confirm_all,
    decide,
    mode_from,
    plan_up,
)
from tests.deploy.engine.world import Part, User

ASKING = Mode(interactive=True)
SILENT = Mode(interactive=False)


def existing(*, trait: Trait = Trait.NORMAL) -> Plan:
    """Redis and what requires it, both healthy and out of date."""
    return plan_up(
        Graph(
            [
                Part("redis", health=Health.HEALTHY, outdated=True, trait=trait),
                Part("gateway", ("redis",), Health.HEALTHY, outdated=True),
            ]
        )
    )


def working(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps if step.works]


def test_nothing_is_left_out_without_a_terminal() -> None:
    user = User()
    assert working(decide(existing(), SILENT, user)) == ["redis", "gateway"]
    assert user.asked == []


def test_what_is_healthy_is_skipped_when_the_mode_says_so() -> None:
    user = User()
    assert working(decide(existing(), Mode(interactive=False, auto_skip_healthy=True), user)) == []
    assert user.warnings == ["redis is skipped although there is what depends on it: gateway."]


def test_what_a_dependent_in_this_run_needs_is_not_skipped() -> None:
    graph = Graph([Part("redis", health=Health.HEALTHY, outdated=True), Part("gateway", ("redis",))])
    assert working(decide(plan_up(graph), Mode(interactive=False, auto_skip_healthy=True), User())) == [
        "redis",
        "gateway",
    ]


def test_skip_and_proceed_are_asked_for_from_the_top_down() -> None:
    user = User([Choice.PROCEED, Choice.SKIP, Choice.PROCEED])
    assert working(decide(existing(), ASKING, user)) == ["redis", "gateway"]
    assert user.asked == ["gateway", "redis", "redis"]
    assert user.warnings == ["redis can not be skipped: this run changes what depends on it: gateway."]
    assert working(decide(existing(), ASKING, User([Choice.SKIP, Choice.PROCEED]))) == ["redis"]


def test_skipping_something_critical_warns() -> None:
    user = User([Choice.SKIP, Choice.SKIP])
    assert working(decide(existing(trait=Trait.CRITICAL), ASKING, user)) == []
    assert user.warnings == ["redis is skipped although others stand and fall with it."]


def test_view_shows_the_step_and_asks_again() -> None:
    user = User([Choice.VIEW, Choice.PROCEED, Choice.PROCEED])
    decide(existing(), ASKING, user)
    assert user.shown == ["gateway"]


def test_auto_skips_all_that_is_healthy_from_there_on() -> None:
    user = User([Choice.AUTO])
    assert working(decide(existing(), ASKING, user)) == []
    assert user.asked == ["gateway"]


def test_quit_changes_nothing() -> None:
    with pytest.raises(ConfirmationNeededError, match="Nothing was changed") as caught:
        decide(existing(), ASKING, User([Choice.QUIT]))
    assert caught.value.exit_code is ExitCode.CONFIRMATION


def test_what_does_not_exist_is_not_asked_about() -> None:
    user = User()
    assert working(decide(plan_up(Graph([Part("redis"), Part("sick", health=Health.UNHEALTHY)])), ASKING, user)) == [
        "redis",
        "sick",
    ]
    assert user.asked == []


def risky(*risks: Risk) -> Plan:
    return plan_up(Graph([Part("secrets", risks=risks)]))


PASSWORD = Risk("redis-password", Operation.REGENERATE)
KEY = Risk("master-key", Operation.REGENERATE)


@pytest.mark.parametrize(
    ("risk", "confirmed", "enough"),
    [
        (PASSWORD, (), False),
        (PASSWORD, ("master-key",), False),
        (PASSWORD, ("redis-password",), True),
        (KEY, (), False),
        (KEY, ("master-key",), False),
        (KEY, ("master-key", "master-key"), True),
    ],
)
def test_without_a_terminal_only_the_command_line_says_yes(
    risk: Risk, confirmed: tuple[str, ...], enough: bool
) -> None:
    user = User()
    mode = Mode(interactive=False, confirmed=confirmed)
    if enough:
        confirm_all(risky(risk).confirmations(), mode, user)
    else:
        with pytest.raises(ConfirmationNeededError) as caught:
            confirm_all(risky(risk).confirmations(), mode, user)
        assert f"--confirm={risk.resource}" in caught.value.options
        assert f"--confirm={risk.resource}" in str(caught.value)
    assert user.asked == []


def test_every_missing_yes_is_named_at_once() -> None:
    with pytest.raises(ConfirmationNeededError) as caught:
        confirm_all(risky(PASSWORD, KEY).confirmations(), SILENT, User())
    assert caught.value.options == ("--confirm=redis-password", "--confirm=master-key", "--confirm=master-key")


def test_at_a_terminal_one_yes_is_asked_for_and_two_are_typed_first() -> None:
    user = User()
    confirm_all(risky(PASSWORD, KEY).confirmations(), ASKING, user)
    assert user.asked == [
        "redis-password: Redis restarts. Go on?",
        "type master-key",
        "master-key: whoever uses the present one is locked out. Go on?",
    ]


@pytest.mark.parametrize("user", [User(agrees=False), User(types=False)])
def test_anything_but_a_yes_changes_nothing(user: User) -> None:
    with pytest.raises(ConfirmationNeededError, match=r"master-key was not confirmed\. Nothing was changed"):
        confirm_all(risky(KEY).confirmations(), ASKING, user)


@pytest.mark.parametrize(
    ("environ", "terminal", "mode"),
    [
        ({}, True, Mode(interactive=True)),
        ({}, False, Mode(interactive=False)),
        ({"INTERACTIVE_MODE": "false"}, True, Mode(interactive=False)),
        ({"INTERACTIVE_MODE": "true"}, False, Mode(interactive=False)),
        ({"SKIP_ALL": "TRUE"}, True, Mode(interactive=False)),
        ({"AUTO_SKIP_HEALTHY": "true"}, True, Mode(interactive=True, auto_skip_healthy=True)),
    ],
)
def test_the_scripts_variables_mean_what_they_mean_there(environ: dict[str, str], terminal: bool, mode: Mode) -> None:
    assert mode_from(environ, terminal=terminal) == mode


def test_a_variable_that_is_neither_true_nor_false_is_an_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        mode_from({"INTERACTIVE_MODE": "maybe", "AUTO_SKIP_HEALTHY": "often"}, terminal=True)
    assert caught.value.problems == (
        "INTERACTIVE_MODE should be true or false.",
        "AUTO_SKIP_HEALTHY should be true or false.",
    )
