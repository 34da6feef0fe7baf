"""Which models a configuration makes a gateway list."""

from pathlib import Path

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.verification import ServedModels, configured_models


def _written(directory: Path, text: str) -> Path:
    path = directory / "config.yaml"
    path.write_text(text)
    return path


def test_names_of_groups_count_once_also_those_of_included_files(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("model_list:\n- {model_name: c, litellm_params: {model: openai/c}}\n")
    path = _written(
        tmp_path,
        "include: [more.yaml]\nmodel_list:\n"
        "- {model_name: a, litellm_params: {model: openai/a}}\n- {model_name: a, litellm_params: {model: openai/b}}\n",
    )
    assert configured_models(path, "headgate", {}) == ServedModels(frozenset({"a", "c"}), closed=True)


@pytest.mark.parametrize(
    "more",
    [
        '- {model_name: "openai/*", litellm_params: {model: "openai/*"}}\n',
        "- {model_name: os.environ/NAME, litellm_params: {model: openai/b}}\n",
        "router_settings: {model_group_alias: {b: a}}\n",
    ],
)
def test_what_stands_for_other_names_leaves_the_list_open(more: str, tmp_path: Path) -> None:
    path = _written(tmp_path, f"model_list:\n- {{model_name: a, litellm_params: {{model: openai/a}}}}\n{more}")
    assert configured_models(path, "headgate", {}) == ServedModels(frozenset({"a"}), closed=False)


def test_without_a_configuration_the_image_says() -> None:
    assert configured_models(None, "headgate") == ServedModels(frozenset({"demo"}), closed=False)
    assert configured_models(None, "litellm") == ServedModels(frozenset(), closed=False)


def test_a_configuration_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"config\.yaml"):
        configured_models(_written(tmp_path, "model_list: [\n"), "headgate", {})
