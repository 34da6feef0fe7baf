"""What the deployment file and the gateway's configuration decide without AWS."""

from pathlib import Path

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._capacity import alarms, configuration, connections, is_protected, way_out
from headgate.deploy.engine import Verdict
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.preflights import subject


def configured(tmp_path: Path, text: str, **changes: object) -> Environment:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return environment("dev", configuration=path, **changes)


@pytest.mark.parametrize(
    ("name", "changes", "expected", "sentence"),
    [
        (
            "prod",
            {},
            Verdict.PASSED,
            "2 tasks x 1 workers x 10 connections = 20 of 100; scaled out 4 tasks x 1 workers x 10 connections = 40",
        ),
        (
            "benchmark",
            {},
            Verdict.WARNING,
            "4 tasks x 4 workers x 10 connections = 160 of 200, but scaled out 10 tasks x 4 workers x 10 connections"
            " = 400 of 200: lower max_tasks",
        ),
        (
            "benchmark",
            {"tasks": 6},
            Verdict.FAILED,
            "6 tasks x 4 workers x 10 connections = 240 of 200: raise max_connections",
        ),
    ],
)
def test_connections_are_counted_in_the_open(
    account: Account, name: str, changes: dict[str, object], expected: Verdict, sentence: str
) -> None:
    verdict, message = connections(subject(environment(name, **changes), account))
    assert verdict is expected
    assert message.startswith(sentence)


def test_models_outside_of_aws_need_a_way_out(account: Account, tmp_path: Path) -> None:
    entries = [
        *(
            f"{{model_name: m, litellm_params: {{model: {one}}}}}"
            for one in ("bedrock/a", "demo", "demo/x", "openai/b")
        ),
        "{model_name: own, litellm_params: {model: hosted_vllm/c, api_base: http://vllm.internal}}",
        *(f"{{model_name: m, litellm_params: {{model: groq/{one}}}}}" for one in ("d", "e", "f")),
    ]
    of = configured(tmp_path, "".join(["model_list:\n", *(f"  - {one}\n" for one in entries)]))
    verdict, message = way_out(subject(of, account))
    assert verdict is Verdict.WARNING
    assert message.startswith("groq/d, groq/e, groq/f and 1 more can not be reached")


def test_models_in_aws_need_none(account: Account, tmp_path: Path) -> None:
    of = configured(tmp_path, "model_list: [{model_name: m, litellm_params: {model: bedrock/a}}]")
    assert way_out(subject(of, account)) == (Verdict.PASSED, "no model lies outside of AWS")


@pytest.mark.parametrize(
    ("changes", "expected", "sentence"),
    [
        ({"alarm_email": "a@example.com", "budget_dollars": 5}, Verdict.PASSED, "alarms go to a@example.com"),
        ({"alarm_email": "a@example.com"}, Verdict.WARNING, "set `budget_dollars`"),
        ({"budget_dollars": 5}, Verdict.WARNING, "nobody is told of alarms and the budget has no effect"),
        ({}, Verdict.WARNING, "nobody is told of alarms: set `alarm_email`."),
    ],
)
def test_somebody_should_be_told(
    account: Account, changes: dict[str, object], expected: Verdict, sentence: str
) -> None:
    verdict, message = alarms(subject(environment("prod", **changes), account))
    assert verdict is expected
    assert sentence in message


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (environment("prod", deletion_protection=False), True),
        (environment("dev", deletion_protection=True), True),
        (environment("dev"), False),
    ],
)
def test_production_is_protected(account: Account, of: Environment, expected: bool) -> None:
    assert is_protected(subject(of, account)) is expected


def test_a_configuration_is_counted(account: Account, tmp_path: Path) -> None:
    of = configured(
        tmp_path,
        "model_list: [{model_name: m, litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}}]",
    )
    assert configuration(subject(of, account)) == (Verdict.PASSED, "1 models, 1 variables of the environment")


def test_a_configuration_that_can_not_be_read_fails(account: Account, tmp_path: Path) -> None:
    verdict, message = configuration(subject(configured(tmp_path, "model_list: [\n"), account))
    assert verdict is Verdict.FAILED
    assert "config.yaml:" in message


def test_a_configuration_that_headgate_does_not_start_with_fails(account: Account, tmp_path: Path) -> None:
    text = "router_settings: {num_retries: many}\nmodel_list: []\n"
    verdict, message = configuration(subject(configured(tmp_path, text), account))
    assert verdict is Verdict.FAILED
    assert "config.yaml:1" in message
    # Another gateway may read it otherwise.
    of = configured(tmp_path, text, image="litellm")
    assert configuration(subject(of, account))[0] is Verdict.PASSED


def test_what_a_variable_may_hold_is_not_held_against_a_configuration(account: Account, tmp_path: Path) -> None:
    of = configured(tmp_path, "router_settings: {num_retries: os.environ/RETRIES}\nmodel_list: []\n")
    assert configuration(subject(of, account))[0] is Verdict.PASSED
