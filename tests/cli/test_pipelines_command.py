"""`headgate pipelines` from the outside."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from headgate import __version__
from headgate.cli import app
from headgate.cli._deploy import deploy_app
from headgate.core.errors import ConfigurationError


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["pipelines", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_files_are_written_for_the_named_environments(tmp_path: Path) -> None:
    result = _run("github", str(tmp_path), "--environment", "test", "--environment", "live", "--environment", "test")
    assert result.exit_code == 0
    workflow = (tmp_path / ".github/workflows/deploy-alb.yml").read_text()
    assert "options: [test, live]" in workflow
    assert f"headgate[deploy]=={__version__}" in (tmp_path / ".github/headgate/requirements.txt").read_text()
    assert "created    .github/workflows/deploy-alb.yml" in result.stdout


def test_the_project_names_cluster_and_repository(tmp_path: Path) -> None:
    _run("azure", str(tmp_path), "--project", "llm")
    assert (
        'repository="llm-$HEADGATE_ENVIRONMENT"' in (tmp_path / "azure-devops/templates/aws-ecr-build.yml").read_text()
    )
    assert 'f"llm-{os' in (tmp_path / "azure-devops/azure-pipelines-litellm-update.yml").read_text()


def test_files_that_differ_are_named_and_kept_unless_forced(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("mine: true\n")
    refused = _run("gitlab", str(tmp_path), "--platform", "compose")
    assert refused.exit_code == 1
    assert "differs    .gitlab-ci.yml" in refused.stderr
    assert "Nothing was written" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".gitlab-ci.yml"]
    forced = _run("gitlab", str(tmp_path), "--platform", "compose", "--force")
    assert forced.exit_code == 0
    assert "replaced   .gitlab-ci.yml" in forced.stdout
    assert "mine" not in (tmp_path / ".gitlab-ci.yml").read_text()


def test_the_same_as_data(tmp_path: Path) -> None:
    first = json.loads(_run("gitlab", str(tmp_path), "--json").stdout)
    files = [".gitlab-ci.yml", ".gitlab/headgate/pipeline.yml", ".gitlab/headgate/requirements.txt"]
    assert first == {"directory": str(tmp_path), "created": files, "replaced": [], "unchanged": [], "kept": []}
    assert json.loads(_run("gitlab", str(tmp_path), "--json").stdout)["unchanged"] == files


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["jenkins"], "no provider 'jenkins'; there are azure, github, gitlab"),
        (["azure", "--platform", "eks"], "no platform 'eks'"),
        (["azure", "--environment", "a b"], "'a b' is not the name"),
    ],
)
def test_what_there_is_not_is_refused(arguments: list[str], words: str, tmp_path: Path) -> None:
    provider, *options = arguments
    with pytest.raises(ConfigurationError, match=words):
        _run(provider, str(tmp_path), *options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["bootstrap", "plan", "up", "down", "status", "verify", "outputs"])
def test_every_verb_that_pipelines_call_exists_and_takes_their_options(verb: str) -> None:
    group = typer.main.get_group(deploy_app)
    command = group.commands[verb]
    options = {option for parameter in command.params for option in parameter.opts}
    wanted = {"--env"} | ({"--confirm"} if verb in ("up", "down") else set())
    assert wanted <= options
