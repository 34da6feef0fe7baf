from pathlib import Path

import pytest
from pydantic import ValidationError

from headgate.config import ModelGroupAlias, RouterSettings
from tests.config.test_load import load, problems

_DEMO = "model_list: [{model_name: a, litellm_params: {model: demo/demo}}]\n"


def test_nothing_set_leaves_the_defaults(tmp_path: Path) -> None:
    configuration = load(tmp_path, _DEMO + "router_settings: null\ngeneral_settings: {}\n")
    assert configuration.router == RouterSettings()
    assert configuration.general.master_key is None
    assert configuration.general.max_request_bytes == 50 * 1024 * 1024
    assert configuration.litellm.ssl_verify is True


def test_router_settings_win_over_litellm_settings_over_the_environment(tmp_path: Path) -> None:
    environ = {
        "DEFAULT_MAX_RETRIES": "7",
        "REQUEST_TIMEOUT": "70",
        "DEFAULT_ALLOWED_FAILS": "8",
        "DEFAULT_COOLDOWN_TIME_SECONDS": "9.5",
        "ROUTER_MAX_FALLBACKS": "2",
    }
    text = "litellm_settings: {num_retries: 5, request_timeout: 50}\nrouter_settings: {num_retries: 3}\n"
    router = load(tmp_path, _DEMO + text, **environ).router
    assert (router.num_retries, router.timeout, router.allowed_fails) == (3, 50, 8)
    assert (router.cooldown_time, router.max_fallbacks) == (9.5, 2)


def test_the_file_s_master_key_wins_over_the_environment(tmp_path: Path) -> None:
    environ = {"PROXY_MASTER_KEY": "p", "LITELLM_MASTER_KEY": "l", "HEADGATE_MASTER_KEY": "h"}

    def key(text: str) -> str:
        found = load(tmp_path, _DEMO + text, **environ).general.master_key
        return "" if found is None else found.get_secret_value()

    assert key("general_settings: {master_key: file}") == "file"
    assert key("") == "h"
    environ["HEADGATE_MASTER_KEY"] = ""
    assert key("") == "l"
    assert key("environment_variables: {HEADGATE_MASTER_KEY: variables}") == "variables"
    del environ["LITELLM_MASTER_KEY"]
    assert key("") == "p"


def test_the_request_limit_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"MAX_REQUEST_SIZE_MB": "0.5"}
    assert load(tmp_path, _DEMO, **environ).general.max_request_bytes == 512 * 1024
    assert (
        load(tmp_path, _DEMO + "general_settings: {max_request_size_mb: 2}", **environ).general.max_request_size_mb == 2
    )


def test_a_variable_that_does_not_fit_is_named_without_its_value(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, _DEMO, REQUEST_TIMEOUT="secret")
    assert problem.startswith("The environment variable REQUEST_TIMEOUT: input should be a valid number")
    assert "secret" not in problem


@pytest.mark.parametrize(("given", "expected"), [("False", False), ("true", True), ("/ca.pem", "/ca.pem")])
def test_certificate_verification_is_a_flag_or_a_file(tmp_path: Path, given: str, expected: bool | str) -> None:
    assert load(tmp_path, _DEMO, SSL_VERIFY=given).litellm.ssl_verify == expected
    assert load(tmp_path, _DEMO + f"litellm_settings: {{ssl_verify: {given}}}").litellm.ssl_verify == expected


def test_fallbacks_are_brought_into_one_mapping(tmp_path: Path) -> None:
    text = "router_settings: {fallbacks: [{a: [a]}, {'*': a}, {a: [a]}], context_window_fallbacks: {a: [a]}}"
    router = load(tmp_path, _DEMO + text).router
    assert router.fallbacks == {"a": ("a", "a"), "*": ("a",)}
    assert router.context_window_fallbacks == {"a": ("a",)}


def test_policies_keep_litellm_s_names(tmp_path: Path) -> None:
    text = """router_settings:
  retry_policy: {TimeoutErrorRetries: 4, RateLimitErrorRetries: null}
  model_group_retry_policy: {a: {BadRequestErrorRetries: 1}}
  allowed_fails_policy: {InternalServerErrorAllowedFails: 2}
"""
    router = load(tmp_path, _DEMO + text).router
    assert router.retry_policy == {"TimeoutErrorRetries": 4}
    assert router.model_group_retry_policy == {"a": {"BadRequestErrorRetries": 1}}
    assert router.allowed_fails_policy == {"InternalServerErrorAllowedFails": 2}


def test_an_alias_is_a_name_or_a_name_with_a_flag(tmp_path: Path) -> None:
    text = "router_settings: {model_group_alias: {b: a, c: {model: a, hidden: true}}}"
    assert load(tmp_path, _DEMO + text).router.model_group_alias == {
        "b": ModelGroupAlias(model="a"),
        "c": ModelGroupAlias(model="a", hidden=True),
    }


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("router_settings:\n  routing_strategy: fastest", "3: router_settings.routing_strategy", "'simple-shuffle'"),
        ("router_settings:\n  fallbacks: [a]", "3: router_settings.fallbacks", "[{model: [other-model]}]"),
        ("router_settings:\n  fallbacks: [{a: [1]}]", "3: router_settings.fallbacks", "list of model names"),
        (
            "router_settings:\n  retry_policy:\n    TimeoutErrorRetries: x",
            "4: router_settings.retry_policy.Time",
            "integer",
        ),
        ("router_settings:\n  retry_policy: 3", "3: router_settings.retry_policy", "dictionary"),
        ("router_settings: [a]", "2: router_settings takes", "lines"),
        ("litellm_settings:\n  json_logs: maybe", "3: litellm_settings.json_logs", "boolean"),
        ("general_settings:\n  litellm_key_header_name: 'a b'", "3: general_settings.litellm_key_header", "pattern"),
        ("general_settings:\n  master_key: ''", "3: general_settings.master_key", "at least 1"),
    ],
)
def test_a_setting_that_does_not_fit_is_an_error(tmp_path: Path, text: str, place: str, words: str) -> None:
    (problem,) = problems(tmp_path, _DEMO + text)
    assert problem.startswith(place)
    assert words in problem


def test_a_configuration_can_not_be_changed(tmp_path: Path) -> None:
    configuration = load(tmp_path, _DEMO)
    with pytest.raises(ValidationError, match="frozen"):
        configuration.router.num_retries = 5
