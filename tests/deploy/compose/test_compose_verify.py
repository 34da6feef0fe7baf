"""The stack of one machine is looked at: all is well, and each thing that is not is told with what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from headgate.deploy.compose._verify import verify
from headgate.deploy.engine import Check, Verdict
from headgate.deploy.verification import Answer, WebError
from tests.deploy.compose.brought_up import Stack, brought_up
from tests.doubles.web import ScriptedWeb

URL = "http://127.0.0.1:4000"
TARGETS = "http://127.0.0.1:9090/api/v1/targets?state=active"
KEY = "sk-canary-of-the-master-key"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "state" / "secrets").mkdir(parents=True, mode=0o700)
    (tmp_path / "state" / "secrets" / "master_key").write_text(f"{KEY}\n")
    return brought_up(tmp_path)


def _targets(**states: str) -> Answer:
    active = [
        {"health": health, "scrapeUrl": f"http://{name}:4000/metrics", "lastError": "" if health == "up" else "404"}
        for name, health in states.items()
    ]
    return Answer(200, body=json.dumps({"data": {"activeTargets": active}}).encode())


def _web(url: str = URL) -> ScriptedWeb:
    return ScriptedWeb(url, KEY, answers={TARGETS: _targets(gateway="up", grafana="up")})


def _checks(stack: Stack, web: ScriptedWeb | None = None) -> dict[str, Check]:
    checks = verify(stack.environment, stack.docker, stack.secrets, web or _web())
    for secret in stack.secrets.values():
        assert secret not in repr(checks)
    return {check.name: check for check in checks}


def test_all_is_well(stack: Stack) -> None:
    checks = _checks(stack)
    assert {check.verdict for check in checks.values()} == {Verdict.PASSED}
    assert list(checks) == [
        *("containers", "ports", "secrets", "prometheus"),
        *("liveliness", "readiness", "unknown key", "models", "internal paths", "answer"),
    ]
    assert checks["ports"].message == "the gateway at 127.0.0.1:4000, everything else on loopback or not at all"


@pytest.mark.parametrize(
    ("service", "changes", "name", "said"),
    [
        ("gateway-2", {"Health": "unhealthy"}, "containers", "gateway-2 is unhealthy: `headgate deploy up`"),
        ("postgres", {"State": "exited", "ExitCode": 137}, "containers", "postgres is exited (exit code 137)"),
        (
            "nginx",
            {"Publishers": [{"URL": "0.0.0.0", "PublishedPort": 4000}]},
            "ports",
            "nginx can be reached at 0.0.0.0:4000, which nobody asked for; nginx can not be reached at 127.0.0.1:4000",
        ),
        (
            "postgres",
            {"Publishers": [{"URL": "127.0.0.1", "PublishedPort": 5432}]},
            "ports",
            "postgres can be reached at 127.0.0.1:5432, which nobody asked for. `headgate deploy diff`",
        ),
        ("grafana", {"Publishers": None}, "ports", "grafana can not be reached at 127.0.0.1:3000"),
    ],
)
def test_what_is_not_as_it_should_be_fails(
    service: str, changes: dict[str, Any], name: str, said: str, stack: Stack
) -> None:
    stack.double.change(service, **changes)
    check = _checks(stack)[name]
    assert (check.verdict, said in check.message) == (Verdict.FAILED, True), check


def test_a_container_that_is_gone_fails(stack: Stack) -> None:
    containers = stack.double.world()["containers"]
    del containers["jaeger"]
    stack.double.set(containers=containers)
    assert "jaeger has no container" in _checks(stack)["containers"].message


def test_ports_that_docker_keeps_inside_are_none(stack: Stack) -> None:
    inside = [{"URL": "", "TargetPort": 5432, "PublishedPort": 0, "Protocol": "tcp"}]
    stack.double.change("postgres", Publishers=inside)
    assert _checks(stack)["ports"].verdict is Verdict.PASSED


def test_secrets_are_there_and_nobody_else_reads_them(stack: Stack) -> None:
    (stack.secrets.directory / "providers.env").chmod(0o644)
    assert "others may read providers.env: `chmod 600" in _checks(stack)["secrets"].message
    (stack.secrets.directory / "providers.env").chmod(0o600)
    (stack.secrets.directory / "grafana_password").write_text("another")
    assert _checks(stack)["secrets"].verdict is Verdict.WARNING
    (stack.secrets.directory / "salt_key").unlink()
    check = _checks(stack)["secrets"]
    assert (check.verdict, "missing or empty" in check.message) == (Verdict.FAILED, True)


def test_prometheus_is_a_warning_at_most(stack: Stack) -> None:
    web = _web()
    web.answers[TARGETS] = _targets(gateway="down", grafana="up")
    check = _checks(stack, web)["prometheus"]
    assert check == Check("prometheus", Verdict.WARNING, "no metrics come from http://gateway:4000/metrics (404)")
    web.answers[TARGETS] = Answer(200, body=b"<html>")
    assert "something else has its port" in _checks(stack, web)["prometheus"].message
    web.answers[TARGETS] = WebError("127.0.0.1 can not be reached: Connection refused.")
    check = _checks(stack, web)["prometheus"]
    assert check.verdict is Verdict.WARNING
    assert "Connection refused. `headgate deploy up prometheus` starts Prometheus." in check.message


def test_a_gateway_that_does_not_answer_says_where_to_look(stack: Stack) -> None:
    web = _web()
    web.answers[f"{URL}/health/readiness"] = Answer(502)
    assert "`headgate deploy logs gateway` why." in _checks(stack, web)["readiness"].message


def test_a_master_key_that_is_gone_is_told(stack: Stack) -> None:
    (stack.secrets.directory / "master_key").unlink()
    check = _checks(stack)["models"]
    assert check.verdict is Verdict.UNKNOWN
    assert "master_key holds nothing: `headgate deploy up`" in check.message


def test_without_docker_what_users_see_is_told_all_the_same(stack: Stack) -> None:
    stack.double.set(down=True)
    checks = _checks(stack)
    assert checks["containers"].verdict is checks["ports"].verdict is Verdict.UNKNOWN
    assert "Cannot connect to the Docker daemon" in checks["containers"].message
    assert checks["liveliness"].verdict is Verdict.PASSED


def test_an_address_for_all_is_asked_on_loopback_and_called_out(tmp_path: Path) -> None:
    stack = brought_up(tmp_path, listen_address="0.0.0.0", listen_port=8443)
    web = ScriptedWeb("http://127.0.0.1:8443", stack.secrets.master_key(), answers={TARGETS: _targets(gateway="up")})
    checks = _checks(stack, web)
    assert checks.pop("encryption").verdict is Verdict.WARNING
    assert {check.verdict for check in checks.values()} == {Verdict.PASSED}


@pytest.mark.parametrize(("status", "verdict"), [(200, Verdict.PASSED), (500, Verdict.FAILED)])
def test_open_webui_is_looked_at_where_there_is_one(status: int, verdict: Verdict, tmp_path: Path) -> None:
    stack = brought_up(tmp_path, open_webui=True)
    web = ScriptedWeb(URL, stack.secrets.master_key(), answers={TARGETS: _targets(gateway="up")})
    web.answers["http://127.0.0.1:8080/health"] = Answer(status)
    check = _checks(stack, web)["open-webui"]
    assert check.verdict is verdict
    assert ("`headgate deploy logs open-webui` shows why." in check.message) is (status == 500)
