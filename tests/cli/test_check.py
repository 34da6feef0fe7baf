import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.cli import app

_DEMO = "model_list:\n  - model_name: a\n    litellm_params: {model: demo/demo}\n"


def check(path: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", str(path), *options])
    return result.exit_code, result.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_a_sound_file_is_reported_key_by_key(path: Path) -> None:
    path.write_text(_DEMO)
    code, output = check(path)
    assert code == 0
    lines = output.splitlines()
    assert lines[0].split()[:2] == ["honoured", "model_list"]
    assert lines[-1] == f"{path}: 0 errors, 0 warnings, 0 infos"


def test_each_finding_has_its_place(path: Path) -> None:
    path.write_text(_DEMO + "litellm_settings:\n  cache: true\n  drop_parms: true\n")
    code, output = check(path)
    assert code == 2
    assert f"warning: {path}:5: litellm_settings.cache is ignored. Not yet: answers are not cached.\n" in output
    assert f"error: {path}:6: litellm_settings.drop_parms is not a key that has an effect. Did you mean " in output
    assert "unknown   litellm_settings.drop_parms" in output
    assert output.endswith(f"{path}: 1 error, 1 warning, 0 infos\n")


def test_warnings_alone_exit_with_one(path: Path) -> None:
    path.write_text(_DEMO + "litellm_settings: {cache: true}\n")
    assert check(path)[0] == 1


def test_the_report_as_data(path: Path) -> None:
    path.write_text(_DEMO + "general_settings: {allowed_ips: [a]}\n")
    code, output = check(path, "--json")
    report = json.loads(output)
    assert code == report["exit_code"] == 2
    assert report["findings"] == [
        {
            "severity": "error",
            "file": str(path),
            "line": 4,
            "key": "general_settings.allowed_ips",
            "message": "general_settings.allowed_ips is refused. "
            "Whoever has the master key would come in all the same. Remove the key to accept that.",
            "suggestion": None,
            "disposition": "refused",
        }
    ]
    assert {"model_list.*.litellm_params.model": "honoured"}.items() <= {
        use["key"]: use["disposition"] for use in report["keys"]
    }.items()


def test_what_only_the_provider_knows_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path.write_text("model_list:\n  - model_name: a\n    litellm_params: {model: openai/gpt-4o, api_base: 'no url'}\n")
    code, output = check(path)
    assert code == 2
    assert f"error: {path}:2: " in output


def test_the_environment_of_the_process_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(_DEMO + "general_settings: {master_key: os.environ/MY_KEY}\n")
    monkeypatch.delenv("MY_KEY", raising=False)
    assert check(path)[0] == 2
    monkeypatch.setenv("MY_KEY", "sk-mine")
    code, output = check(path)
    assert code == 0
    assert "sk-mine" not in output


def test_a_catch_all_is_checked_for_each_provider_that_it_stands_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("model_list:\n  - model_name: '*'\n    litellm_params: {model: '*'}\n")
    monkeypatch.setenv("GROQ_API_KEY", "sk-value")
    assert check(path)[0] == 0
    path.write_text("model_list:\n  - model_name: '*'\n    litellm_params: {model: '*', api_key: sk-value}\n")
    code, output = check(path)
    assert (code, "api_key belongs to one" in output) == (2, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_list:\n  - model_name: 'a*b*'\n    litellm_params: {model: demo/demo}\n", "one '*' only"),
        (
            "model_list:\n  - model_name: a\n    litellm_params: {model: openai/x, api_key: k}\n"
            "    model_info: {health_check_model: azure/x}\n",
            "health_check_model: azure/x has no api_base",
        ),
        (_DEMO + "general_settings: {master_key: '{'}\n", "master key begins as a JSON object"),
    ],
    ids=["wildcard", "health-check", "master-key"],
)
def test_whatever_keeps_the_gateway_from_starting_is_an_error(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    code, output = check(path)
    assert code == 2
    assert words in output
