from typing import Any

import pytest

from headgate.config import ModelEntry, ModelInfo, ModelParameters, expand_entry
from headgate.core.errors import ConfigurationError

KEYS = {"OPENAI_API_KEY": "sk-of-openai", "GROQ_API_KEY": "sk-of-groq"}


def catch_all(name: str = "*", **parameters: Any) -> ModelEntry:
    return ModelEntry(
        model_name=name,
        parameters=ModelParameters.model_validate({"model": "*", **parameters}),
        info=ModelInfo.model_validate({"id": "any"}),
    )


def test_each_provider_with_credentials_gets_an_entry_of_its_own() -> None:
    entries = expand_entry(catch_all("all/*", rpm=5, temperature=0.5), KEYS)
    assert [(one.info.id, one.model_name, one.parameters.model) for one in entries] == [
        ("any/openai", "all/openai/*", "openai/*"),
        ("any/groq", "all/groq/*", "groq/*"),
    ]
    assert all(one.parameters.resolved()["temperature"] == 0.5 and one.parameters.rpm == 5 for one in entries)


def test_groups_that_others_have_are_left_to_them() -> None:
    assert [one.model_name for one in expand_entry(catch_all(), KEYS, {"openai/*"})] == ["groq/*"]


@pytest.mark.parametrize("parameters", [{"model": "openai/*"}, {"custom_llm_provider": "groq", "api_key": "sk-key"}])
def test_any_other_entry_stays_as_it_is(parameters: dict[str, str]) -> None:
    entry = catch_all(**parameters)
    assert expand_entry(entry, KEYS) == [entry]


@pytest.mark.parametrize(
    ("entry", "environ", "words"),
    [
        (catch_all(api_key="sk-secret"), KEYS, "api_key belongs to one; write for example openai/*."),
        (catch_all(api_base="https://one.example"), KEYS, "api_base belongs to one"),
        (catch_all("gpt"), KEYS, 'write model_name: "*" too.'),
        (catch_all(), {}, "there are none; set OPENAI_API_KEY"),
    ],
)
def test_what_can_not_work_says_what_to_write(entry: ModelEntry, environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        expand_entry(entry, environ)
    assert words in str(caught.value)
    assert "sk-secret" not in str(caught.value)
