"""docs/backups.md does what it says, on both platforms."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headgate.cli import app
from headgate.deploy.ecs import Account, Caller
from tests.deploy.compose.test_compose_backup import Machine
from tests.deploy.ecs.conftest import empty_world, moto_port
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.restorable import Time, deploy
from tests.doubles.databases import Databases, lively_databases
from tests.doubles.postgres import Postgres, postgres

__all__ = ["empty_world", "moto_port"]

PAGE = (Path(__file__).parents[2] / "docs/backups.md").read_text()


def sessions(section: str) -> list[tuple[str, str]]:
    """Return commands of ours, and what they print, of one section."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    steps = [step for block in blocks for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, shown) for command, _, shown in (step.partition("\n") for step in steps)]


def follow(steps: list[tuple[str, str]]) -> int:
    """Type what the page types; return how many commands were run, those of aws left out."""
    run = 0
    for command, shown in steps:
        program, *words = shlex.split(command)
        if program == "aws":
            continue
        assert program == "headgate"
        result = CliRunner().invoke(app, words)
        said = result.output + (f"exit code {result.exit_code}\n" if result.exit_code else "")
        pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, said.strip(), re.DOTALL), f"{command} said\n{said}"
        run += 1
    return run


@pytest.fixture
def databases() -> Iterator[Databases]:
    with lively_databases() as databases:
        yield databases


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        with server.admin() as connection:
            connection.execute("CREATE ROLE headgate SUPERUSER LOGIN PASSWORD 'canary'")
            connection.execute("CREATE DATABASE headgate OWNER headgate")
        yield server


def test_one_machine(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headgate.deploy.yaml").write_text("platform: compose\nenvironments: {dev: {}}\n")
    machine = Machine(server, tmp_path, tmp_path / ".headgate" / "dev")
    machine.write("monday")
    monkeypatch.setenv("PATH", str(machine.bin))
    assert follow(sessions("On one machine")) == 3
    assert machine.read() == "monday"


def test_ecs(databases: Databases, empty_world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headgate.deploy.yaml").write_text("platform: ecs\nenvironments: {dev: {allow_plaintext: true}}\n")
    monkeypatch.setattr(Caller, "wait", lambda self, seconds: None)
    deploy(Account("us-east-1", call=Caller(sleep=Time().sleep)), databases, environment("dev"))
    assert follow(sessions("On ECS")) == 4
    assert databases.takes(databases.secret())
    assert databases.restarts[-1]
