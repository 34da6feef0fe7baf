import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from headgate.cli import app
from headgate.deploy.engine import Backup, Holder, LocalStore, MemoryStore, Progress, held_lock, locked
from tests.deploy.compose.docker_double import DockerDouble


class Desk(NamedTuple):
    """A working directory with a deployment file, and a Docker."""

    path: Path
    docker: DockerDouble

    @property
    def state(self) -> Path:
        return self.path / ".headgate" / "dev"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["deploy", *words])

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        result = self.run(*words, "--json")
        assert result.exit_code == code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    docker = DockerDouble(tmp_path / "bin")
    for name in ("INTERACTIVE_MODE", "AUTO_SKIP_HEALTHY", "SKIP_ALL", "AWS_REGION", "AWS_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", docker.environ["PATH"])
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["deploy", "init"]).exit_code == 0
    return Desk(tmp_path, docker)


def append(desk: Desk, text: str) -> None:
    path = desk.path / "headgate.deploy.yaml"
    path.write_text(path.read_text() + text)


def outcomes(run: dict[str, Any]) -> dict[str, str]:
    return {step["component"]: step["outcome"] for step in run["steps"]}


def test_init_writes_a_file_that_plans_and_leaves_one_that_is_there_alone(desk: Desk) -> None:
    before = (desk.path / "headgate.deploy.yaml").read_text()
    again = desk.run("init", "--platform", "ecs")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert (desk.path / "headgate.deploy.yaml").read_text() == before
    other = desk.run("init", "--platform", "ecs", "--file", "ecs.yaml")
    assert other.exit_code == 0
    assert "platform: ecs" in (desk.path / "ecs.yaml").read_text()
    assert desk.data("init", "--file", "third.yaml") == {"file": "third.yaml"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--platform", "eks", "--file", "new.yaml"], "There is no platform 'eks'; there are compose and ecs."),
        (["--file", "no/where.yaml"], "no/where.yaml can not be written: No such file or directory."),
    ],
)
def test_init_says_what_is_wrong(words: list[str], said: str, desk: Desk) -> None:
    result = desk.run("init", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert desk.data("init", *words, code=2)["error"] == said


def test_plan_changes_nothing_and_works_without_docker(desk: Desk) -> None:
    desk.docker.set(down=True)
    found = desk.data("plan")
    assert {step["state"] for step in found["steps"]} == {"unknown", "absent"}
    assert found["connections"] == {
        "needed": 20,
        "limit": 100,
        "arithmetic": "2 tasks x 1 workers x 10 connections = 20 of 100",
    }
    shown = desk.run("plan")
    assert shown.exit_code == 0
    assert "Plan: 11 create" in shown.stdout
    assert "Cannot connect to the Docker daemon" in shown.stdout
    assert not desk.state.exists()


def test_up_status_outputs_logs_and_down(desk: Desk) -> None:
    assert desk.data("status", code=1)["lock"] is None
    run = desk.data("up")
    assert set(outcomes(run).values()) == {"done", "skipped"}
    status = desk.data("status")
    assert {one["state"] for one in status["components"]} == {"healthy"}
    assert status["last_run"]["command"] == "headgate deploy up --env dev"
    assert desk.data("outputs")["gateway"]["key_file"] == str(desk.state / "secrets" / "master_key")
    desk.docker.set(log="ready")
    assert desk.data("logs", "nginx") == {"component": "nginx", "lines": ["nginx-1  | ready"]}
    down = desk.data("down", "--confirm", "everything", "--confirm", "everything")
    assert outcomes(down)["gateway"] == "done"
    assert desk.docker.world()["containers"] == {}


def test_what_people_read_says_the_same(desk: Desk) -> None:
    up = desk.run("up")
    assert up.exit_code == 0
    assert "gateway: done: 2 running" in up.stdout
    assert "10 done, 1 skipped" in up.stdout
    status = desk.run("status")
    assert status.exit_code == 0
    assert "postgres      healthy    1 running" in status.stdout
    assert "Last run: headgate deploy up --env dev" in status.stdout
    assert "http://127.0.0.1:4000" in desk.run("outputs").stdout
    desk.docker.set(log="ready")
    assert desk.run("logs", "nginx", "-n", "5").stdout == "nginx-1  | ready\n"
    assert "requires docker, secrets" in desk.run("list").stdout


def test_a_yes_that_is_missing_is_exit_code_3_and_changes_nothing(desk: Desk) -> None:
    desk.run("up")
    before = (desk.docker.world(), desk.docker.changes())
    refused = desk.data("down", code=3)
    assert refused["options"] == ["--confirm=everything", "--confirm=everything"]
    assert "Nothing was changed" in refused["error"]
    assert desk.run("down", "--confirm=everything").exit_code == 3
    assert desk.run("down", "--delete-data", "--confirm=everything", "--confirm=everything").exit_code == 3
    assert (desk.docker.world(), desk.docker.changes()) == before
    assert held_lock(LocalStore(desk.state / "state")) is None


def test_data_goes_only_with_two_yeses_more(desk: Desk) -> None:
    desk.run("up")
    yes = [f"--confirm={name}" for name in ("everything", "everything", "data", "data")]
    assert desk.data("down", "--delete-data", *yes)["exit_code"] == 0
    assert desk.docker.world()["volumes"] == []


def test_opening_the_gateway_is_called_out_and_needs_a_yes(desk: Desk) -> None:
    path = desk.path / "headgate.deploy.yaml"
    path.write_text(path.read_text().replace("listen_address: 127.0.0.1", "listen_address: 0.0.0.0"))
    assert "security: others than this machine reach 0.0.0.0:4000, without TLS" in desk.run("plan").stdout
    assert desk.data("up", code=3)["options"] == ["--confirm=nginx.security"]
    assert desk.docker.changes() == []
    assert desk.run("up", "--confirm=nginx.security").exit_code == 0


def test_a_failure_says_why_and_how_to_continue(desk: Desk) -> None:
    desk.docker.set(failing=["gateway-1"], log="no such model")
    result = desk.run("up")
    assert result.exit_code == 1
    assert "container gateway-1 exited (1)" in result.stderr
    assert "no such model" in result.stderr
    assert "To continue: headgate deploy up --env dev" in result.stderr
    named = desk.run("up", "files", "gateway", "--file", "headgate.deploy.yaml")
    assert "To continue: headgate deploy up files gateway --env dev --file headgate.deploy.yaml" in named.stderr
    desk.docker.set(failing=[])
    again = desk.run("up")
    assert again.exit_code == 0
    assert "The last run stopped at gateway" in again.stdout


def test_healthy_ones_are_skipped_where_the_variable_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run("up")
    append(desk, "    max_connections: 300\n")
    assert {step["component"]: step["action"] for step in desk.data("plan")["steps"]}["postgres"] == "replace"
    monkeypatch.setenv("AUTO_SKIP_HEALTHY", "true")
    result = desk.run("up")
    assert result.exit_code == 0
    assert "warning: postgres is skipped although others stand and fall with it." in result.stderr


def test_a_lock_is_respected_shown_and_broken_with_a_yes(desk: Desk) -> None:
    store = LocalStore(desk.state / "state")
    with locked(store, Holder("ann", "laptop", 7, "headgate deploy up"), lambda: 0.0):
        refused = desk.run("up")
        assert refused.exit_code == 4
        assert "Locked by ann on laptop (process 7)" in refused.stderr
        assert desk.docker.changes() == []
        assert desk.data("status", code=1)["lock"]["owner"] == "ann"
        assert desk.run("unlock").exit_code == 3
        assert held_lock(store) is not None
        assert desk.data("unlock", "--confirm=lock")["unlocked"]["owner"] == "ann"
        assert held_lock(store) is None
    assert desk.data("unlock") == {"unlocked": None}


def test_commands_in_sentences_are_about_the_same_environment_and_file(desk: Desk) -> None:
    append(desk, "  staging:\n    like: dev\n")
    where = ("--env", "staging", "--file", "headgate.deploy.yaml")
    store = LocalStore(desk.path / ".headgate" / "staging" / "state")
    with locked(store, Holder("ann", "laptop", 7, "headgate deploy up"), lambda: 0.0):
        advice = "run `headgate deploy unlock --env staging --file headgate.deploy.yaml` when that run is dead"
        assert advice in desk.run("up", *where).stderr
        assert advice in desk.data("up", *where, code=4)["error"]


def test_what_blocks_is_told_at_the_end_and_what_it_blocks_is_not(desk: Desk) -> None:
    assert desk.run("up").exit_code == 0
    (desk.state / "secrets" / "salt_key").unlink()
    append(desk, "    workers: 3\n")
    result = desk.run("up")
    assert result.exit_code == 5
    assert "grafana: blocked: it requires secrets and files, which are blocked" in result.stdout
    assert "secrets blocked: to regenerate the salt-key" in result.stderr
    assert "grafana blocked" not in result.stderr
    assert "To continue: headgate deploy up --env dev" in result.stderr


def test_render_writes_everything_but_secrets(desk: Desk) -> None:
    desk.docker.set(down=True)
    found = desk.data("render", "out")
    assert "compose.yaml" in found["files"]
    assert all((desk.path / "out" / name).is_file() for name in found["files"])
    assert str(Path("out") / "compose.yaml") in desk.run("render", "out").stdout


def test_list_shows_what_there_is(desk: Desk) -> None:
    found = desk.data("list")
    assert found["components"][0] == {"component": "docker", "requires": [], "trait": "compulsory"}
    shown = desk.run("list").stdout
    assert [line.split()[0] for line in shown.partition("\n\n")[0].splitlines()] == [
        component["component"] for component in found["components"]
    ]
    for command in ("up", "up NAME...", "verify"):
        assert f"`headgate deploy {command}`" in shown


@pytest.mark.parametrize("platform", ["compose", "ecs"])
def test_files_are_validated_without_anything_else(platform: str, desk: Desk) -> None:
    file = desk.path / "other.yaml"
    desk.run("init", "--platform", platform, "--file", str(file))
    assert desk.run("validate", "--file", str(file)).exit_code == 0
    assert {one["verdict"] for one in desk.data("validate", "--file", str(file))["checks"]} == {"passed"}

    file.write_text(file.read_text().replace("  # configuration: config.yaml", "  configuration: config.yaml"))
    (desk.path / "config.yaml").write_text(
        "model_list: [{model_name: m, litellm_params: {model: openay/gpt, api_key: os.environ/OPENAI_API_KEY}}]\n"
    )
    checks = desk.data("validate", "--file", str(file), code=1)["checks"]
    [failed] = [one["message"] for one in checks if one["verdict"] == "failed"]
    assert "config.yaml:1: Unknown provider 'openay'. Did you mean openai?" in failed
    assert not desk.state.exists()


def test_a_variable_that_tasks_are_not_given_is_told(desk: Desk) -> None:
    file = desk.path / "ecs.yaml"
    desk.run("init", "--platform", "ecs", "--file", str(file))
    file.write_text(file.read_text().replace("  # configuration: config.yaml", "  configuration: config.yaml"))
    (desk.path / "config.yaml").write_text(
        "model_list: [{model_name: m, litellm_params: {model: groq/m, api_key: os.environ/GROQ_API_KEY}}]\n"
    )
    checks = desk.data("validate", "--file", str(file), code=1)["checks"]
    assert "GROQ_API_KEY, which is not set" in next(one for one in checks if one["verdict"] == "failed")["message"]


def test_one_machine_needs_no_foundation(desk: Desk) -> None:
    assert "nothing to do" in desk.run("bootstrap").stdout
    assert desk.data("bootstrap") == {"steps": []}
    assert not desk.state.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "--env", "prd"], "no environment is called 'prd'; there are dev."),
        (["plan", "postgre"], "There is no component 'postgre'; there are docker, secrets"),
        (["plan", "--file", "none.yaml"], "none.yaml: Cannot be read"),
    ],
)
def test_a_request_that_makes_no_sense_is_exit_code_2(words: list[str], said: str, desk: Desk) -> None:
    result = desk.run(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert said in desk.data(*words, code=2)["error"]


def test_a_setting_without_effect_is_told_by_the_plan(desk: Desk) -> None:
    append(desk, "    waf: true\n")
    assert "waf has no effect on the platform compose" in desk.run("plan").stderr
    assert desk.data("plan")["warnings"]


def test_no_verb_shows_a_secret(desk: Desk) -> None:
    said = [desk.run("up").output]
    secrets = desk.state / "secrets"
    (secrets / "providers.env").write_text("OPENAI_API_KEY=sk-canary-of-a-provider\n")
    names = ("master_key", "salt_key", "database_password", "redis_password", "grafana_password", "open_webui_secret")
    canaries = [(secrets / name).read_text().strip() for name in names]
    desk.docker.set(log=" ".join(canaries))
    for words in (
        ["plan"],
        ["up"],
        ["status"],
        ["outputs"],
        ["logs", "gateway"],
        ["list"],
        ["render", "out"],
        ["unlock"],
    ):
        said += [desk.run(*words).output, desk.run(*words, "--json").output]
    said += [desk.run("down", "--confirm=everything", "--confirm=everything").output]
    said += [path.read_text() for path in (desk.path / "out").rglob("*") if path.is_file()]
    said += [path.read_text() for path in (desk.state / "state").iterdir()]
    leaks = [canary for canary in (*canaries, "sk-canary-of-a-provider") if any(canary in text for text in said)]
    assert leaks == []
    assert any("[hidden]" in text for text in said)


def on_a_terminal(desk: Desk, words: list[str], answers: str) -> tuple[int, str]:
    """Run the command line on a terminal of its own, type the answers, and return exit code and screen."""
    main, side = os.openpty()
    code = "from headgate.cli import main; main()"
    environ = {**os.environ, "TERM": "dumb", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-c", code, "deploy", *words], stdin=side, stdout=side, stderr=side, cwd=desk.path, env=environ
    ) as process:
        os.close(side)
        os.write(main, answers.encode())
        screen = b""
        try:
            while piece := os.read(main, 65536):
                screen += piece
        except OSError:
            # Linux says so when the last one has left the terminal.
            pass
        process.wait(60)
    os.close(main)
    return process.returncode, screen.decode()


def test_at_a_terminal_it_asks_before_it_acts(desk: Desk) -> None:
    code, screen = on_a_terminal(desk, ["up"], "n\n")
    assert code == 3, screen
    assert "Nothing was changed" in screen
    assert desk.docker.changes() == []
    code, screen = on_a_terminal(desk, ["up"], "\x04")
    assert code == 130, screen
    assert held_lock(LocalStore(desk.state / "state")) is None
    assert desk.docker.changes() == []
    code, screen = on_a_terminal(desk, ["up"], "y\n")
    assert code == 0, screen
    assert "+ gateway" in screen


def test_at_a_terminal_existing_ones_are_skipped_viewed_or_left_by_choice(desk: Desk) -> None:
    desk.run("up")
    append(desk, "    workers: 3\n")
    code, screen = on_a_terminal(desk, ["up"], "nonsense\nv\nq\n")
    assert code == 3, screen
    assert "state     healthy: 2 running" in screen
    code, screen = on_a_terminal(desk, ["up"], "s\ny\n")
    assert code == 0, screen
    assert "gateway is skipped although others stand and fall with it" in screen


def test_at_a_terminal_everything_goes_only_after_a_word_and_a_yes(desk: Desk) -> None:
    desk.run("up")
    assert on_a_terminal(desk, ["down"], "yes\n")[0] == 3
    assert desk.docker.world()["containers"]
    code, screen = on_a_terminal(desk, ["down"], "destroy\ny\ny\n")
    assert code == 0, screen
    assert desk.docker.world()["containers"] == {}


class Saved:
    """A target that backs up into memory."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.kept: list[Backup] = []
        self.locked: list[bool] = []

    def backups(self) -> list[Backup]:
        return self.kept

    def backup(self, name: str, progress: Progress) -> Backup:
        self.locked.append(held_lock(self.store) is not None)
        progress("saving")
        made = Backup(name, 86400.0, "everything", complete=not self.kept)
        self.kept.append(made)
        return made

    def restore(self, name: str, progress: Progress) -> None:
        self.locked.append(held_lock(self.store) is not None)
        progress(f"bringing {name} back")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_signal_stops_the_work_and_gives_the_lock_back(
    number: signal.Signals, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Saved()
    monkeypatch.setattr(saved, "backup", lambda name, progress: signal.raise_signal(number))
    monkeypatch.setattr("headgate.deploy.compose.ComposeTarget", lambda *given: saved)
    # A shell in the background ignores Ctrl-C, and has what it starts do so too.
    usual = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, usual)
    try:
        stopped = desk.data("backup", "monday", code=130)
        assert signal.getsignal(number) is usual
    finally:
        signal.signal(number, before)
    assert stopped["error"] == "Stopped."
    assert held_lock(saved.store) is None


def test_a_lost_connection_is_no_matter_below_nohup(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Saved()

    def hang_up() -> list[Backup]:
        signal.raise_signal(signal.SIGHUP)
        return []

    monkeypatch.setattr(saved, "backups", hang_up)
    monkeypatch.setattr("headgate.deploy.compose.ComposeTarget", lambda *given: saved)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert desk.data("backup", "--list") == {"backups": []}
    finally:
        signal.signal(signal.SIGHUP, before)


def test_backups_are_made_listed_and_brought_back_with_two_yeses(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Saved()
    monkeypatch.setattr("headgate.deploy.compose.ComposeTarget", lambda *given: saved)
    assert "There are no backups." in desk.run("backup", "--list").stdout
    assert desk.run("backup", "monday").stdout == "saving\nmonday holds everything.\n"
    assert desk.data("backup")["backup"] == saved.kept[1].name
    assert desk.data("backup", "--list")["backups"] == [one.data() for one in saved.kept]
    listed = desk.run("backup", "--list").stdout
    assert "monday  1970-01-02 00:00 UTC  everything\n" in listed
    assert listed.endswith("(not complete)\n")

    refused = desk.data("restore", "monday", code=3)
    assert refused["options"] == ["--confirm=restore"] * 2
    assert desk.data("restore", "monday", "--confirm", "restore", code=3)["exit_code"] == 3
    assert desk.data("restore", "monday", "--confirm", "restore", "--confirm", "restore") == {"restored": "monday"}
    assert saved.locked == [True, True, True]
