"""docs/verifying.md names every check and shows what is printed."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.deploy.compose import _target
from headgate.deploy.compose._verify import HIDDEN_PATHS
from headgate.deploy.ecs import Account
from headgate.deploy.ecs._outputs import outputs
from headgate.deploy.ecs._verify import CERTIFICATE_DAYS, INTERNAL_PATHS, verify
from headgate.deploy.settings import Environment
from headgate.deploy.verification import Answer
from tests.deploy.compose.docker_double import DockerDouble
from tests.deploy.compose.test_compose_verify import TARGETS
from tests.deploy.ecs.environments import environment
from tests.doubles.web import ScriptedWeb

PAGE = (Path(__file__).parents[3] / "docs/verifying.md").read_text()
URL = "http://headgate-dev-1.us-east-1.elb.amazonaws.com"


def _documented(after: str) -> set[str]:
    """Return the checks of the table that follows a line."""
    table = PAGE.partition(after)[2].lstrip("\n").partition("\n\n")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert rows, after
    return {name for row in rows for name in row.split(", ")}


def test_every_check_on_ecs_is_documented(account: Account) -> None:
    web = ScriptedWeb(URL)
    chat = {"alb": {"OpenWebUiUrl": "https://chat.example.com"}}
    worlds: list[tuple[Environment, dict[str, dict[str, str]]]] = [
        (environment("prod", open_webui=True), chat),
        (environment("dev"), {"alb": {"Url": URL}}),
        (environment("dev"), {}),
    ]
    seen = {check.name for of, given in worlds for check in verify(of, account, given, web)}
    named = {re.sub(r"^(secret|service) .*", r"\1 NAME", name) for name in seen}
    assert named == _documented("On both platforms, at the gateway's public address:") | _documented("On ECS besides:")


def test_what_the_page_says_of_paths_and_days_is_so() -> None:
    paths = ", ".join(f"`{path}`" for path in INTERNAL_PATHS)
    on_one_machine = ", ".join(f"`{path}`" for path in HIDDEN_PATHS)
    assert f"on ECS {paths}, on one machine {on_one_machine} |" in PAGE
    assert f"it is accepted and has {CERTIFICATE_DAYS} days left" in PAGE


def test_the_line_that_lists_models_is_the_one_that_is_told(account: Account) -> None:
    [block] = re.findall(r"```sh\n(.*?)\n```", PAGE, re.DOTALL)
    assert block == outputs(environment("dev"), account, {"alb": {"Url": URL}})["gateway"]["list_models"]


def test_a_reader_on_one_machine_sees_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = DockerDouble(tmp_path / "bin")
    monkeypatch.setenv("PATH", docker.environ["PATH"])
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    for words in (["deploy", "init"], ["deploy", "up"]):
        assert run.invoke(app, words).exit_code == 0
    targets = b'{"data": {"activeTargets": [{"health": "up"}, {"health": "up"}]}}'
    key = (tmp_path / ".headgate/dev/secrets/master_key").read_text().strip()
    web = ScriptedWeb("http://127.0.0.1:4000", key, answers={TARGETS: Answer(200, body=targets)})
    monkeypatch.setattr(_target, "Internet", lambda: web)
    [session] = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    command, _, shown = session.partition("\n")
    result = run.invoke(app, command.removeprefix("$ headgate ").split())
    assert result.exit_code == 0
    assert re.fullmatch(re.escape(shown.strip()).replace(r"\.\.\.", ".*"), result.output.strip()), result.output
    names = {line.split("  ")[1].strip() for line in result.output.splitlines() if line.startswith("passed ")}
    both = _documented("On both platforms, at the gateway's public address:")
    assert names | {"encryption", "open-webui"} == both | _documented("On one machine besides:")
