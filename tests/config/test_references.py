from pathlib import Path

import pytest

import headgate.config
import headgate.providers
from tests.config.test_load import load, problems

_MODELS = """model_list:
  - {model_name: fast, litellm_params: {model: demo/demo}}
  - {model_name: openai/*, litellm_params: {model: openai/*}}
"""


def test_the_providers_are_those_that_there_are() -> None:
    assert set(headgate.providers.PROVIDERS) == headgate.config.PROVIDERS


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("{model: antropic/claude}", "Unknown provider 'antropic'. Did you mean anthropic?"),
        ("{model: vertex_ai/gemini}", "For any API like OpenAI's: openai/ with api_base."),
        ("{model: x, custom_llm_provider: opena}", "Unknown provider 'opena'. Did you mean openai?"),
    ],
)
def test_an_unknown_provider_is_an_error(tmp_path: Path, parameters: str, words: str) -> None:
    (problem,) = problems(tmp_path, f"model_list: [{{model_name: a, litellm_params: {parameters}}}]")
    assert words in problem


@pytest.mark.parametrize(
    "parameters",
    [
        "{model: gpt-4o}",
        "{model: openai/org/model}",
        "{model: org/model, custom_llm_provider: openai}",
        "{model: 'arn:aws:bedrock:us-east-1:1:inference-profile/x', custom_llm_provider: bedrock}",
        "{model: 'anthropic.claude-v2:1/x'}",
    ],
)
def test_a_model_without_a_prefix_of_its_own_is_left_to_the_providers(tmp_path: Path, parameters: str) -> None:
    assert load(tmp_path, f"model_list: [{{model_name: a, litellm_params: {parameters}}}]").models


@pytest.mark.parametrize("section", ["router_settings", "litellm_settings"])
def test_a_fallback_to_nowhere_is_an_error(tmp_path: Path, section: str) -> None:
    text = f"""{_MODELS}{section}:
  fallbacks: [{{fast: [openai/gpt-4o, fasd]}}]
  context_window_fallbacks: [{{fast: [gone]}}]
  default_fallbacks: [nowhere]
"""
    found = problems(tmp_path, text)
    assert [problem.partition(":")[0] for problem in found] == ["5", "6", "7"]
    assert "no model 'fasd' to fall back to. Did you mean fast?" in found[0]


def test_an_alias_is_a_model_to_fall_back_to(tmp_path: Path) -> None:
    text = _MODELS + "router_settings: {model_group_alias: {quick: fast}, fallbacks: [{'*': [quick]}]}"
    assert load(tmp_path, text).warnings == ()


def test_an_alias_of_nothing_is_an_error(tmp_path: Path) -> None:
    text = _MODELS + "router_settings:\n  model_group_alias:\n    a: fast\n    quick: fasst\n    b: a\n"
    first, second = problems(tmp_path, text)
    assert first == "7: The alias 'quick' stands for 'fasst', which is not a model. Did you mean fast?"
    assert "The alias 'b' stands for 'a', which is not a model." in second


def test_settings_for_a_model_that_is_not_there_are_warned_about(tmp_path: Path) -> None:
    text = _MODELS + "router_settings:\n  fallbacks: [{gone: [fast]}]\n  model_group_retry_policy: {fats: {}}\n"
    first, second = load(tmp_path, text).warnings
    assert "router_settings.fallbacks.gone: there is no model 'gone', so this has no effect." in first
    assert second.endswith("so this has no effect. Did you mean fast?")


@pytest.mark.parametrize("text", ["general_settings: {}\n", "model_list: []\n", "model_list: null\n"])
def test_a_configuration_without_models_is_warned_about(tmp_path: Path, text: str) -> None:
    (warning,) = load(tmp_path, text).warnings
    assert "so no model can be called" in warning


def test_a_model_list_that_is_none_is_an_error(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "model_list: {a: b}\n")
    assert problem.startswith("1: model_list takes a list of models")
