from pathlib import Path

import pytest

from headgate.config import Configuration, load_configuration
from headgate.core.errors import ConfigurationError


def load(tmp_path: Path, text: str, **environ: str) -> Configuration:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_configuration(path, environ)


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, **environ)
    prefix = f"{tmp_path / 'config.yaml'}:"
    return [problem.removeprefix(prefix) for problem in caught.value.problems]


MODEL = """model_list:
  - model_name: ok
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/KEY
      rpm: 100
      temperature: 0.2
"""


def test_a_model_is_read_with_its_parameters_resolved(tmp_path: Path) -> None:
    configuration = load(tmp_path, MODEL, KEY="sk-secret")
    (entry,) = configuration.models
    assert (entry.model_name, entry.line) == ("ok", 2)
    assert entry.parameters.resolved() == {
        "model": "openai/gpt-4o",
        "api_key": "sk-secret",
        "rpm": 100,
        "temperature": 0.2,
    }
    assert configuration.warnings == ()


def test_every_problem_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = MODEL.replace("rpm: 100", "rpm: many") + "router_settings:\n  num_retries: -1\n  fallbacks: [{ok: [gone]}]\n"
    assert problems(tmp_path, text) == [
        "5: model_list.0.litellm_params.api_key refers to the environment variable KEY, which is not set. "
        "Set KEY, or remove the key.",
        "6: model_list.0.litellm_params.rpm: input should be a valid integer, unable to parse string as an integer.",
        "9: router_settings.num_retries: input should be greater than or equal to 0.",
        "10: router_settings.fallbacks.ok: there is no model 'gone' to fall back to. There are: ok.",
    ]


def test_a_variable_that_has_no_effect_yet_is_told_without_its_value(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgres://secret", "LITELLM_MODE": "PRODUCTION", "STORE_MODEL_IN_DB": ""}
    [warning] = load(tmp_path, MODEL, KEY="k", **environ).warnings
    assert warning == "The environment variable DATABASE_URL is ignored. Not yet: nothing is kept in a database."
