import json
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from headgate.deploy.compose import ComposeTarget
from headgate.deploy.engine import (
    Action,
    DeployError,
    ExitCode,
    Health,
    Journal,
    Plan,
    RunResult,
    execute,
    plan_down,
    plan_up,
)
from headgate.deploy.settings import Environment
from tests.deploy.compose.docker_double import DockerDouble

ORDER = [
    *("docker", "secrets", "files", "postgres", "redis", "jaeger", "gateway", "nginx"),
    *("alertmanager", "prometheus", "grafana"),
]


class Machine:
    """A machine with Docker and one environment."""

    def __init__(self, path: Path) -> None:
        self.docker = DockerDouble(path / "bin")
        self.directory = path / "state"
        self.settings: dict[str, Any] = {"name": "dev", "platform": "compose", "tasks": 2}
        self.said: list[str] = []

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets"

    def target(self, **changes: Any) -> ComposeTarget:
        self.settings |= changes
        return ComposeTarget(Environment(**self.settings), self.directory, self.docker.environ)

    def plan(self, *only: str) -> Plan:
        return plan_up(self.target().graph(), only)

    def actions(self, *only: str) -> dict[str, str]:
        return {step.name: step.change.action.value for step in self.plan(*only).steps}

    def run(self, plan: Plan) -> RunResult:
        journal = Journal(self.target().store, lambda: 0.0)
        return execute(plan, journal, "headgate deploy up", lambda event: self.said.append(event.message), lambda: 0.0)

    def up(self, *only: str) -> RunResult:
        return self.run(self.plan(*only))

    def down(self, *only: str, delete_data: bool = False) -> RunResult:
        return self.run(plan_down(self.target().teardown(delete_data=delete_data), only))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bring a machine up once; tests that begin with one take a copy."""
    path = tmp_path_factory.mktemp("running")
    assert Machine(path).up().exit_code is ExitCode.DONE
    return path


@pytest.fixture
def running(template: Path, tmp_path: Path) -> Machine:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Machine(tmp_path)


def outcomes(result: RunResult) -> dict[str, str]:
    return {step.component: step.outcome.value for step in result.steps}


def only(values: Iterable[str]) -> set[str]:
    return set(values)


def test_a_machine_without_docker_can_still_be_planned_for(machine: Machine) -> None:
    machine.docker.set(down=True)
    plan = machine.plan()
    assert [step.name for step in plan.steps] == ORDER
    states = {step.name: step.state.health for step in plan.steps}
    assert {name for name, health in states.items() if health is Health.UNKNOWN} == {*ORDER} - {"secrets", "files"}
    assert "Cannot connect to the Docker daemon" in plan.steps[0].state.reason
    assert {step.change.action for step in plan.steps} == {Action.CREATE}
    assert not machine.directory.exists()


def test_a_run_without_docker_stops_before_it_changes_anything(machine: Machine) -> None:
    machine.docker.set(down=True)
    result = machine.up()
    assert outcomes(result)["docker"] == "failed"
    assert only(outcomes(result).values()) == {"failed", "not reached"}
    assert not machine.secrets.exists()
    assert machine.docker.changes() == []


def test_no_docker_on_the_path_is_said(tmp_path: Path) -> None:
    settings = Environment(name="dev", platform="compose", tasks=2)
    target = ComposeTarget(settings, tmp_path / "state", {"PATH": str(tmp_path)})
    assert "Docker is not installed" in plan_up(target.graph()).steps[0].state.reason


@pytest.mark.parametrize(
    ("world", "said"),
    [({"version": "2.3.1"}, "2.24 or newer"), ({"images": []}, "docker build --tag headgate:0.1.0 .")],
)
def test_what_is_missing_is_found_before_anything_starts(world: dict[str, Any], said: str, machine: Machine) -> None:
    machine.docker.set(**world)
    result = machine.up()
    assert said in result.steps[0].message
    assert machine.docker.changes() == []


def test_an_image_of_a_registry_needs_not_be_there(machine: Machine) -> None:
    machine.docker.set(images=[])
    machine.target(image="litellm")
    assert machine.actions()["docker"] == "skip"


def test_up_starts_everything_in_order_and_once(machine: Machine) -> None:
    assert only(machine.actions().values()) == {"skip", "create"}
    result = machine.up()
    assert result.exit_code is ExitCode.DONE
    started = [call[7:] for call in machine.docker.changes()]
    assert started[0] == ["postgres"]
    assert [names[0] for names in started] == [
        *("postgres", "redis-primary", "jaeger", "gateway-1", "nginx", "alertmanager", "prometheus", "grafana")
    ]
    options = ["--detach", "--wait", "--wait-timeout", "300", "--no-deps", "--remove-orphans"]
    assert machine.docker.changes()[0][:7] == ["up", *options]
    again = machine.plan()
    assert only(machine.actions().values()) == {"skip"}
    assert machine.run(again).exit_code is ExitCode.DONE
    assert len(machine.docker.changes()) == 8


def test_one_component_can_be_brought_up_where_its_requirements_are(machine: Machine) -> None:
    assert machine.actions("jaeger") == {"jaeger": "blocked"}
    assert outcomes(machine.up("docker", "secrets", "files", "jaeger"))["jaeger"] == "done"
    assert set(machine.docker.world()["containers"]) == {"jaeger"}


def test_monitoring_is_brought_up_alone_and_applications_where_their_stores_are(machine: Machine) -> None:
    monitoring = ("alertmanager", "prometheus", "jaeger", "grafana")
    assert machine.up("docker", "secrets", "files", *monitoring).exit_code is ExitCode.DONE
    assert set(machine.docker.world()["containers"]) == set(monitoring)
    assert machine.actions("gateway", "nginx") == {"gateway": "blocked", "nginx": "blocked"}
    machine.up("postgres", "redis")
    assert outcomes(machine.up("gateway", "nginx")) == {"gateway": "done", "nginx": "done"}


def test_what_changed_is_replaced_and_nothing_else(running: Machine) -> None:
    running.target(workers=4)
    actions = running.actions()
    assert {name for name, action in actions.items() if action != "skip"} == {"files", "gateway"}
    assert actions["gateway"] == "replace"
    assert running.up().exit_code is ExitCode.DONE
    assert running.docker.changes()[-1][7:] == ["gateway-1", "gateway-2"]
    assert only(running.actions().values()) == {"skip"}


def test_a_key_of_a_provider_reaches_the_gateways(running: Machine) -> None:
    (running.secrets / "providers.env").write_text("OPENAI_API_KEY=sk-of-a-provider\n")
    assert running.actions()["gateway"] == "replace"
    assert running.up().exit_code is ExitCode.DONE
    assert only(running.actions().values()) == {"skip"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"State": "exited", "ExitCode": 137}, "gateway-2 is exited (exit code 137)"),
        ({"Health": "unhealthy"}, "gateway-2 is unhealthy"),
        ({"Health": "starting"}, "gateway-2 is starting"),
    ],
)
def test_what_is_not_well_is_unhealthy_and_says_why(change: dict[str, Any], reason: str, running: Machine) -> None:
    running.docker.change("gateway-2", **change)
    [step] = running.plan("gateway").steps
    assert step.state.health is Health.UNHEALTHY
    assert step.state.reason == reason
    assert step.change.action is Action.UPDATE
    assert running.up().exit_code is ExitCode.DONE


def test_a_failure_tells_the_last_words_without_secrets_and_continues(machine: Machine) -> None:
    machine.up("docker", "secrets")
    key = (machine.secrets / "master_key").read_text().strip()
    machine.docker.set(failing=["gateway-2"], log=f"could not use {key}")
    result = machine.up()
    assert result.exit_code is ExitCode.FAILED
    failed = next(step for step in result.steps if step.component == "gateway")
    assert "container gateway-2 exited (1)" in failed.message
    assert "gateway-2 is exited (exit code 1)" in failed.message
    assert "could not use [hidden]" in failed.message
    assert key not in failed.message
    machine.docker.set(failing=[])
    assert machine.up().exit_code is ExitCode.DONE


@pytest.mark.parametrize(
    ("file", "resource", "options"),
    [
        ("master_key", "master-key", 2),
        ("database_password", "database-url", 2),
        ("redis_password", "redis-password", 1),
    ],
)
def test_a_lost_secret_is_only_made_again_with_a_yes(file: str, resource: str, options: int, running: Machine) -> None:
    (running.secrets / file).unlink()
    plan = running.plan()
    assert [one.options for one in plan.confirmations()] == [(f"--confirm={resource}",) * options]


def test_a_lost_salt_key_blocks_everything(running: Machine) -> None:
    before = len(running.docker.changes())
    (running.secrets / "salt_key").unlink()
    actions = running.actions()
    assert actions["secrets"] == "blocked"
    result = running.up()
    assert result.exit_code is ExitCode.BLOCKED
    assert "never allowed" in next(step.message for step in result.steps if step.component == "secrets")
    assert not (running.secrets / "salt_key").exists()
    assert len(running.docker.changes()) == before


def test_without_a_volume_a_lost_secret_is_just_made(machine: Machine) -> None:
    machine.up("docker", "secrets")
    (machine.secrets / "salt_key").unlink()
    assert machine.plan("secrets", "docker").confirmations() == ()
    assert machine.actions("docker", "secrets")["secrets"] == "update"


def test_listening_beyond_this_machine_needs_its_own_yes(machine: Machine) -> None:
    machine.target(listen_address="0.0.0.0")
    plan = machine.plan()
    [confirmation] = plan.confirmations()
    assert confirmation.options == ("--confirm=nginx.security",)
    assert "0.0.0.0:4000, without TLS" in confirmation.reason


def test_open_webui_waits_for_a_key_of_its_own(machine: Machine) -> None:
    machine.target(open_webui=True)
    result = machine.up()
    assert result.exit_code is ExitCode.BLOCKED
    assert outcomes(result)["open-webui"] == "blocked"
    assert outcomes(result)["nginx"] == "done"
    assert "POST /key/generate" in result.steps[-1].message
    (machine.secrets / "open_webui_key").write_text("sk-scoped-to-open-webui\n")
    assert machine.up().exit_code is ExitCode.DONE
    assert "OPENAI_API_KEY=sk-scoped-to-open-webui\n" in (machine.secrets / "open-webui.env").read_text()


def test_down_keeps_volumes_and_secrets(running: Machine) -> None:
    volumes = running.docker.world()["volumes"]
    (running.directory / "prometheus" / "rules" / "own.yml").write_text("groups: []\n")
    result = running.down()
    assert result.exit_code is ExitCode.DONE
    assert outcomes(result)["secrets"] == "skipped"
    assert running.docker.world()["containers"] == {}
    assert running.docker.world()["volumes"] == volumes
    assert (running.secrets / "master_key").is_file()
    assert not (running.directory / "compose.yaml").exists()
    assert (running.directory / "prometheus" / "rules" / "own.yml").is_file()
    assert ["down", "--remove-orphans"] in running.docker.changes()
    assert running.up().exit_code is ExitCode.DONE


def test_down_deletes_data_only_when_told_twice(running: Machine) -> None:
    plan = plan_down(running.target().teardown(delete_data=True))
    assert {one.resource: len(one.options) for one in plan.confirmations()} == {"everything": 2, "data": 2}
    assert running.down(delete_data=True).exit_code is ExitCode.DONE
    assert running.docker.world()["volumes"] == []
    assert not running.secrets.exists()


def test_data_that_was_kept_can_be_deleted_later(running: Machine) -> None:
    running.down()
    running.up("docker", "secrets", "files")
    assert running.docker.world()["volumes"]
    assert running.down(delete_data=True).exit_code is ExitCode.DONE
    assert running.docker.world()["volumes"] == []


def test_one_component_is_removed_when_nothing_needs_it(running: Machine) -> None:
    assert outcomes(running.down("redis")) == {"redis": "blocked"}
    assert outcomes(running.down("grafana")) == {"grafana": "done"}
    assert "grafana" not in running.docker.world()["containers"]


def test_rendering_writes_everything_but_secrets(machine: Machine, tmp_path: Path) -> None:
    written = machine.target().render(tmp_path / "out")
    assert "compose.yaml" in written
    assert all((tmp_path / "out" / path).is_file() for path in written)
    assert (tmp_path / "out" / "grafana" / "dashboards").is_dir()
    assert not (tmp_path / "out" / "secrets").exists()
    assert machine.docker.calls() == []


def test_what_is_written_is_its_owner_s_and_readable_inside_containers(running: Machine) -> None:
    assert stat.S_IMODE(running.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.directory / "nginx" / "nginx.conf").stat().st_mode) == 0o644


def test_outputs_name_files_instead_of_secrets(running: Machine) -> None:
    outputs = running.target(open_webui=True, listen_address="0.0.0.0").outputs()
    assert outputs["gateway"] == {"url": "http://127.0.0.1:4000", "key_file": str(running.secrets / "master_key")}
    assert set(outputs) >= {"grafana", "prometheus", "alertmanager", "jaeger", "open-webui"}


def test_logs_hide_secrets_and_know_their_components(running: Machine) -> None:
    running.docker.set(log=(running.secrets / "grafana_password").read_text().strip())
    assert running.target().logs("gateway", 10) == "gateway-1-1  | [hidden]\ngateway-2-1  | [hidden]\n"
    with pytest.raises(DeployError, match="files writes no log; there are postgres, redis"):
        running.target().logs("files", 10)


def test_no_secret_is_anywhere_but_in_its_own_files(machine: Machine) -> None:
    machine.target(open_webui=True)
    machine.up()
    (machine.secrets / "providers.env").write_text("OPENAI_API_KEY=sk-canary-of-a-provider\n")
    (machine.secrets / "open_webui_key").write_text("sk-canary-of-open-webui\n")
    target = machine.target()
    plan = machine.plan()
    result = machine.run(plan)
    said = [json.dumps(plan.data()), json.dumps(result.data()), json.dumps(target.outputs()), *machine.said]
    said += [json.dumps(call) for call in machine.docker.calls()]
    said += [
        path.read_text() for path in machine.directory.rglob("*") if path.is_file() and path.parent != machine.secrets
    ]
    names = ("master_key", "salt_key", "database_password", "redis_password", "grafana_password", "open_webui_secret")
    canaries = [(machine.secrets / name).read_text().strip() for name in names]
    canaries += ["sk-canary-of-a-provider", "sk-canary-of-open-webui"]
    assert (machine.directory / "state" / "journal.json").is_file()
    assert len(said) > 20
    assert [canary for canary in canaries if any(canary in text for text in said)] == []
