"""docs/deploying.md does what it says. `python -m tests.deploy.test_deploying_page` writes its table of settings."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.deploy.engine import ExitCode
from headgate.deploy.settings import PRESETS, Environment, load_settings
from headgate.deploy.settings._presets import has_effect
from tests.deploy.compose.docker_double import DockerDouble

PAGE = Path(__file__).parents[2] / "docs/deploying.md"
_TABLE = re.compile(r"(<!-- table: settings -->\n).*?(<!-- end -->)", re.DOTALL)
_DECIDED_ELSEWHERE = {"redis": "by `tasks`"}


def _shown(value: Any) -> str:
    if value is None or value == {}:
        return ""
    text = str(value).lower() if isinstance(value, bool) else ", ".join(value) if isinstance(value, tuple) else value
    return f"`{text}`"


def rendered(page: str) -> str:
    """Return the page with its table as the code has it."""
    head = ["setting", "platform", "default", *PRESETS, ""]
    rows = [head, ["---"] * len(head)]
    for name, field in Environment.model_fields.items():
        if name in ("name", "platform"):
            continue
        platforms = [platform for platform in ("ecs", "compose") if has_effect(name, platform)]
        default = _DECIDED_ELSEWHERE.get(name) or _shown(field.get_default(call_default_factory=True))
        presets = [_shown(preset.get(name)) for preset in PRESETS.values()]
        place = "both" if len(platforms) == 2 else platforms[0]
        rows.append([f"`{name}`", place, default, *presets, field.description or ""])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return _TABLE.sub(lambda match: f"{match[1]}{table}{match[2]}", page)


def test_every_setting_is_documented_as_the_code_has_it() -> None:
    assert rendered(PAGE.read_text()) == PAGE.read_text(), "run `python -m tests.deploy.test_deploying_page`"


def test_every_setting_says_what_it_is() -> None:
    fields = {name: field for name, field in Environment.model_fields.items() if name not in ("name", "platform")}
    assert [name for name, field in fields.items() if not field.description] == []


def test_a_reader_gets_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = DockerDouble(tmp_path / "bin")
    docker.set(log="ready")
    monkeypatch.setenv("PATH", docker.environ["PATH"])
    for name in ("INTERACTIVE_MODE", "AUTO_SKIP_HEALTHY", "SKIP_ALL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    sessions = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    steps = [step for session in sessions for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]]
    assert len(steps) == 9
    for step in steps:
        command, _, shown = step.partition("\n")
        program, *words = shlex.split(command)
        assert program == "headgate"
        result = CliRunner().invoke(app, words)
        said = result.output + (f"exit code {result.exit_code}\n" if result.exit_code else "")
        pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, said.strip(), re.DOTALL), f"{command} said\n{said}"


def test_the_example_file_has_nothing_wrong_with_it(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "config.yaml").write_text("model_list: []\n")
    (tmp_path / "headgate.deploy.yaml").write_text(example)
    settings = load_settings(tmp_path / "headgate.deploy.yaml", os.environ)
    assert settings.environment("dev").workers == 2
    assert settings.warnings == ()


def test_every_exit_code_is_documented() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert [int(code) for code in codes] == list(ExitCode)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
