from pathlib import Path

import pytest

from headgate.config import load_configuration
from headgate.core.errors import ConfigurationError

_MODEL = "model_list:\n  - model_name: {name}\n    litellm_params: {{model: demo/demo}}\n"


def write(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path / "main.yaml"


def test_lists_extend_and_the_rest_replaces(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.yaml").write_text("include: [deep.yaml]\n" + _MODEL.format(name="second"))
    (tmp_path / "sub" / "deep.yaml").write_text(_MODEL.format(name="third") + "router_settings: {timeout: 5}\n")
    first = _MODEL.format(name="first")
    main = write(tmp_path, main=first + "include: [sub/more.yaml]\nrouter_settings: {num_retries: 9}\n")
    configuration = load_configuration(main, {})
    assert [entry.model_name for entry in configuration.models] == ["first", "second", "third"]
    assert (configuration.router.timeout, configuration.router.num_retries) == (5, 2)
    assert configuration.warnings == (
        f"{tmp_path}/sub/deep.yaml:4: router_settings replaces the whole of router_settings in {main}:5. "
        "Keep one of them.",
    )


def test_a_problem_is_told_with_the_file_that_has_it(tmp_path: Path) -> None:
    main = write(tmp_path, main="include: [more.yaml]\n", more="model_list:\n  - model_name: a\n")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(main, {})
    assert caught.value.problems[0].startswith(f"{tmp_path}/more.yaml:2: A model needs litellm_params")


def test_an_included_name_may_come_from_the_environment(tmp_path: Path) -> None:
    main = write(tmp_path, main="include: [os.environ/MORE]\n", more=_MODEL.format(name="a"))
    assert [entry.model_name for entry in load_configuration(main, {"MORE": "more.yaml"}).models] == ["a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("include: [main.yaml]\n", "main.yaml:1: main.yaml includes itself."),
        ("include: [other.yaml]\n", "other.yaml:1: main.yaml includes itself."),
        ("include: [gone.yaml]\n", "There is no file"),
        ("include: more.yaml\n", "include takes a list"),
        ("include: [{a: b}]\n", "include takes names of files"),
        ("include: [os.environ/GONE]\n", "include takes names of files"),
        ('include: ["a\\0b"]\n', "include takes names of files"),
        ("include: [broken.yaml]\n", "broken.yaml:2: Not valid YAML"),
        ("include: [list.yaml]\n", "list.yaml:1: Expected settings"),
        (f"include: [{', '.join(['empty.yaml'] * 200)}]\n", "More than 100 files"),
    ],
)
def test_an_include_that_leads_nowhere_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    main = write(
        tmp_path, main=text, other="include: [main.yaml]\n", broken="a: [\n", list="- 1\n", empty="model_list: []\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(main, {})
    assert any(words in problem for problem in caught.value.problems)
