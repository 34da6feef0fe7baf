"""docs/pipelines.md shows what the command prints, and names what the files contain."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.deploy.pipelines import Provider
from tests.deploy.pipelines.rendering import rendered

PAGE = Path(__file__).parents[3] / "docs" / "pipelines.md"
TEXT = PAGE.read_text()
EXAMPLES = re.findall(r"^```console\n\$ headgate (.*)\n((?:.*\n)*?)```$", TEXT, re.MULTILINE)


def test_there_is_an_example_for_each_provider() -> None:
    assert [command.split()[1] for command, _ in EXAMPLES] == list(Provider)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_an_example_prints_what_the_page_shows(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0
    assert result.stdout == shown


@pytest.mark.parametrize("name", ["AWS_REGION", "HEADGATE_PLAN_ROLE_ARN", "HEADGATE_DEPLOY_ROLE_ARN"])
def test_the_variables_of_the_page_are_those_of_the_files(name: str) -> None:
    assert f"`{name}`" in TEXT
    for provider in Provider:
        assert name in "\n".join(rendered(provider, "ecs").values())
