"""What was changed by hand on this machine."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from headgate.deploy.compose._drift import differences
from headgate.deploy.compose._render import render
from headgate.deploy.engine import DeployError, Difference
from tests.deploy.compose.brought_up import Stack, brought_up

SET_BACK = "by hand, or the deployment file was changed since; the next `headgate deploy up` sets it back"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return brought_up(tmp_path)


def _found(stack: Stack) -> list[Difference]:
    def wanted() -> Mapping[str, str]:
        return render(stack.environment, stack.secrets.versions())

    return differences(stack.environment, stack.directory, stack.docker, wanted)


def test_nothing_was_changed(stack: Stack) -> None:
    assert _found(stack) == []


def test_files_that_were_edited_are_told_without_what_is_in_them(stack: Stack) -> None:
    nginx = stack.directory / "nginx/nginx.conf"
    lines = nginx.read_text().split("\n")
    lines[4] = "# sk-canary"
    nginx.write_text("\n".join(lines))
    (stack.directory / "redis/redis.conf").unlink()
    (stack.directory / "prometheus/prometheus.yml").write_bytes(b"\xff\xfe")
    with (stack.directory / "jaeger/jaeger.yaml").open("a") as file:
        file.write("more: sk-canary\n")
    jaeger = len((stack.directory / "jaeger/jaeger.yaml").read_text().split("\n")) - 1
    found = _found(stack)
    assert sorted(found, key=lambda one: one.resource) == [
        Difference("files", "jaeger/jaeger.yaml", f"it was changed from line {jaeger} on, {SET_BACK}"),
        Difference("files", "nginx/nginx.conf", f"it was changed from line 5 on, {SET_BACK}"),
        Difference("files", "prometheus/prometheus.yml", "it can not be read as text"),
        Difference("files", "redis/redis.conf", "it is gone; the next `headgate deploy up` writes it"),
    ]
    assert "canary" not in repr(found)


def test_containers_that_are_made_of_something_else_gone_or_too_many(stack: Stack) -> None:
    containers = stack.double.world()["containers"]
    containers["gateway-3"] = {**containers["gateway-1"], "Service": "gateway-3"}
    containers["redis-replica"]["Labels"] = "headgate.digest=another"
    del containers["grafana"]
    stack.double.set(containers=containers)
    assert _found(stack) == [
        Difference("redis", "redis-replica", f"its container is made of something else than its files, {SET_BACK}"),
        Difference("grafana", "grafana", "its container is gone; `headgate deploy up` makes it"),
        Difference(
            "gateway-3",
            "gateway-3",
            "its container is there, and nothing asks for it: `docker rm --force headgate-dev-gateway-3-1` removes it",
        ),
    ]


def test_ports_that_nobody_asked_for(stack: Stack) -> None:
    stack.double.change("postgres", Publishers=[{"URL": "0.0.0.0", "PublishedPort": 5432}])
    assert _found(stack) == [
        Difference("postgres", "postgres", "can be reached at 0.0.0.0:5432, which nobody asked for")
    ]


def test_a_stack_that_was_never_brought_up_has_no_differences(tmp_path: Path) -> None:
    stack = brought_up(tmp_path)
    stack.double.set(containers={})
    empty = Stack(stack.environment, tmp_path / "elsewhere", stack.double, stack.docker, stack.secrets)
    assert _found(empty) == []


def test_without_docker_it_can_not_be_told(stack: Stack) -> None:
    stack.double.set(down=True)
    with pytest.raises(DeployError, match="Cannot connect to the Docker daemon"):
        _found(stack)
