from pathlib import Path

import pytest

from headgate.config import Configuration, ModelEntry
from tests.config.test_load import load, problems

_SECRETS = """model_list:
  - model_name: a
    litellm_params:
      model: bedrock/anthropic.claude
      api_key: sk-hidden-1
      aws_secret_access_key: sk-hidden-2
      api_base: https://user:sk-hidden-3@host/
      extra_headers: {x-key: sk-hidden-4}
      vertex_credentials: sk-hidden-5
general_settings: {master_key: sk-hidden-6}
router_settings: {default_litellm_params: {token: sk-hidden-7}}
environment_variables: {DATABASE_PASSWORD: sk-hidden-8}
"""


def model(tmp_path: Path, parameters: str, info: str = "{}", **environ: str) -> ModelEntry:
    text = f"model_list: [{{model_name: a, litellm_params: {parameters}, model_info: {info}}}]"
    return load(tmp_path, text, **environ).models[0]


def test_no_secret_is_in_any_text_of_the_configuration(tmp_path: Path) -> None:
    configuration = load(tmp_path, _SECRETS)
    shown = f"{configuration!r}{configuration}{configuration.warnings}{configuration.models[0].parameters!r}"
    assert "sk-hidden" not in shown
    assert configuration.models[0].parameters.resolved()["aws_secret_access_key"] == "sk-hidden-2"


def test_no_secret_is_in_a_problem(tmp_path: Path) -> None:
    text = _SECRETS.replace("sk-hidden-1", "[sk-hidden-1]").replace("{x-key: sk-hidden-4}", "sk-hidden-4")
    text = text.replace("master_key: sk-hidden-6", "master_key: [sk-hidden-6]")
    found = problems(tmp_path, text)
    assert len(found) == 3
    assert "sk-hidden" not in "".join(found)


def test_everything_that_was_set_is_in_the_resolved_parameters(tmp_path: Path) -> None:
    text = "{model: openai/x, rpm: '5', tpm: null, copy: 1, model_config: 2, resolved: 3, nested: {a: [null]}}"
    assert model(tmp_path, text).parameters.resolved() == {
        "model": "openai/x",
        "rpm": 5,
        "copy": 1,
        "model_config": 2,
        "resolved": 3,
        "nested": {"a": [None]},
    }


def test_a_base_url_is_an_api_base(tmp_path: Path) -> None:
    assert model(tmp_path, "{model: openai/x, base_url: http://a}").parameters.api_base == "http://a"
    assert (
        model(tmp_path, "{model: openai/x, base_url: http://a, api_base: http://b}").parameters.api_base == "http://b"
    )


def test_default_parameters_fill_what_an_entry_does_not_set(tmp_path: Path) -> None:
    text = """model_list:
  - {model_name: a, litellm_params: {model: openai/x, timeout: 1}}
  - {model_name: b, litellm_params: {model: openai/x, drop_params: false}}
litellm_settings: {drop_params: true}
router_settings: {default_litellm_params: {timeout: 9, top_k: 1}}
"""
    first, second = (entry.parameters.resolved() for entry in load(tmp_path, text).models)
    assert first == {"model": "openai/x", "timeout": 1, "top_k": 1, "drop_params": True}
    assert second == {"model": "openai/x", "timeout": 9, "top_k": 1, "drop_params": False}


def test_prices_are_numbers_however_yaml_reads_them(tmp_path: Path) -> None:
    entry = model(
        tmp_path,
        "{model: openai/x, input_cost_per_token: 1e-6, output_cost_per_token: os.environ/PRICE}",
        "{input_cost_per_token: 5, cache_read_input_token_cost: 0.5}",
        PRICE="0.25",
    )
    assert entry.costs == {
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 0.25,
        "cache_read_input_token_cost": 0.5,
    }


@pytest.mark.parametrize("price", ["free", "-1", ".inf", "true"])
def test_a_price_that_is_none_is_an_error(tmp_path: Path, price: str) -> None:
    text = f"model_list: [{{model_name: a, litellm_params: {{model: openai/x, output_cost_per_token: {price}}}}}]"
    (problem,) = problems(tmp_path, text)
    assert "litellm_params.output_cost_per_token: should be a number of dollars, 0 or more." in problem


def test_a_price_that_is_none_hides_no_other_problem(tmp_path: Path) -> None:
    lines = ["model_list:", "- model_name: a", "  litellm_params:", "    model: openai/x", "    timeout: -1"]
    lines += ["    input_cost_per_token: free", "    output_cost_per_token: free"]
    found = problems(tmp_path, "\n".join(lines))
    assert [problem.partition(": ")[0].rpartition(":")[2] for problem in found] == ["5", "6", "7"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("timeout: 0", "greater than 0"),
        ("timeout: true", "a number, not true or false"),
        ("timeout: .nan", "finite number"),
        ("rpm: -1", "greater than or equal to 0"),
        ("rpm: 1.5", "valid integer"),
        ("weight: heavy", "valid number"),
        ("api_key: ''", "at least 1"),
        ("tags: free", "valid tuple"),
        ("extra_headers: [a]", "valid dictionary"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error(tmp_path: Path, setting: str, words: str) -> None:
    name = setting.partition(":")[0]
    (problem,) = problems(
        tmp_path, f"model_list:\n- model_name: a\n  litellm_params:\n    model: openai/x\n    {setting}\n"
    )
    assert problem.startswith(f"5: model_list.0.litellm_params.{name}: ")
    assert words in problem


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{litellm_params: {model: openai/x}}", "needs a model_name"),
        ("{model_name: a}", "needs litellm_params"),
        ("{model_name: a, litellm_params: openai/x}", "needs litellm_params"),
        ("{model_name: a, litellm_params: {}}", "litellm_params.model: field required"),
        ("{model_name: [a], litellm_params: {model: openai/x}}", "needs a model_name"),
        ("{model_name: a, litellm_params: {model: openai/x}, model_info: 5}", "model_info takes"),
        ('{model_name: a, litellm_params: {model: openai/x}, model_info: {id: "a\\nb"}}', "printable ASCII"),
        ("openai/x", "needs a model_name"),
    ],
)
def test_an_entry_that_is_no_model_is_an_error(tmp_path: Path, entry: str, words: str) -> None:
    assert any(words in problem for problem in problems(tmp_path, f"model_list: [{entry}]"))


def ids(configuration: Configuration) -> list[str]:
    return [entry.info.id for entry in configuration.models]


def test_ids_are_stable_and_never_shared(tmp_path: Path) -> None:
    entry = "  - {model_name: a, litellm_params: {model: openai/x, api_key: os.environ/KEY}}\n"
    other = "  - {model_name: a, litellm_params: {model: openai/y, api_key: os.environ/KEY}}\n"
    first = ids(load(tmp_path, f"model_list:\n{entry}{entry}{other}", KEY="one"))
    assert len(set(first)) == 3
    assert ids(load(tmp_path, f"model_list:\n{other}{entry}", KEY="two")) == [first[2], first[0]]


def test_an_id_does_not_depend_on_a_secret(tmp_path: Path) -> None:
    text = "model_list: [{{model_name: a, litellm_params: {{model: openai/x, api_key: {}}}}}]"
    assert ids(load(tmp_path, text.format("sk-1"))) == ids(load(tmp_path, text.format("sk-2")))


def test_a_given_id_counts_and_may_occur_once(tmp_path: Path) -> None:
    entry = "  - {model_name: a, litellm_params: {model: openai/x}, model_info: {id: mine}}\n"
    assert ids(load(tmp_path, f"model_list:\n{entry}")) == ["mine"]
    assert problems(tmp_path, f"model_list:\n{entry}{entry}") == [
        "3: The id mine is already used by the model in line 2. Choose another."
    ]
