"""Tasks: what their containers run, why they stopped, how many there are."""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from headgate.deploy.ecs import StoppedTask, parse_template, scale_service, stopped_tasks, template_text
from tests.cli.serving import command, environment, wait_until

CONTAINERS = {
    one["Name"]: one
    for one in parse_template(template_text("gateway"))["Resources"]["TaskDefinition"]["Properties"][
        "ContainerDefinitions"
    ]
}
CONFIGURATION = b"model_list: []\n"


@pytest.fixture
def bucket() -> Iterator[str]:
    """Serve an object as S3 does, whatever its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONFIGURATION)))
            self.end_headers()
            self.wfile.write(CONFIGURATION)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _prepare(tmp_path: Path, url: str, key: str) -> subprocess.CompletedProcess[str]:
    for name in ("temporary", "configuration"):
        (tmp_path / name).mkdir(mode=0o755)
    container = CONTAINERS["prepare"]
    assert container["EntryPoint"] == ["python", "-c"]
    environ = {
        "PATH": os.environ["PATH"],
        "TEMPORARY": str(tmp_path / "temporary"),
        "CONFIGURATION": str(tmp_path / "configuration"),
        "CONFIGURATION_KEY": key,
        "BUCKET": "bucket",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    command = [sys.executable, "-c", *container["Command"]]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)


def test_a_task_prepares_its_configuration_and_its_temporary_folder(tmp_path: Path, bucket: str) -> None:
    result = _prepare(tmp_path, bucket, f"configuration/{hashlib.sha256(CONFIGURATION).hexdigest()}.yaml")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "configuration" / "config.yaml").read_bytes() == CONFIGURATION
    assert (tmp_path / "temporary").stat().st_mode & 0o7777 == 0o1777


def test_a_configuration_that_is_not_what_its_name_says_stops_the_task(tmp_path: Path, bucket: str) -> None:
    result = _prepare(tmp_path, bucket, f"configuration/{'0' * 64}.yaml")
    assert result.returncode != 0
    assert "does not hold what it is named after" in result.stderr
    assert not (tmp_path / "configuration" / "config.yaml").exists()


def test_a_task_without_a_configuration_of_its_own_reads_none(tmp_path: Path) -> None:
    assert _prepare(tmp_path, "http://127.0.0.1:9", "").returncode == 0


def test_the_health_check_asks_the_gateway(bucket: str) -> None:
    check = CONTAINERS["proxy"]["HealthCheck"]["Command"]
    assert check[:3] == ["CMD", "python", "-c"]
    for port, code in ((bucket.rpartition(":")[2], 0), ("9", 1)):
        done = subprocess.run(
            [sys.executable, *check[2:]], env={"PORT": port}, capture_output=True, timeout=20, check=False
        )
        assert (done.returncode == 0) is (code == 0)


def test_the_mock_runs_with_the_command_of_its_container(tmp_path: Path) -> None:
    parsed = parse_template(template_text("mock"))
    [container] = parsed["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    defaults = {name: str(one.get("Default")) for name, one in parsed["Parameters"].items()} | {"MockPort": "0"}
    words = [word if isinstance(word, str) else defaults[word["Ref"]] for word in container["Command"]]
    words[words.index("--host") + 1] = "127.0.0.1"
    out = tmp_path / "out"
    with (
        out.open("w") as written,
        subprocess.Popen(command(words), env=environment(tmp_path), stdout=written, stderr=subprocess.STDOUT) as mock,
    ):
        try:
            wait_until(lambda: "openai/mock" in out.read_text() or mock.poll() is not None, "the mock")
            found = re.search(r"127\.0\.0\.1:(\d+)", out.read_text())
            assert found, out.read_text()
            check = [sys.executable, *container["HealthCheck"]["Command"][2:]]
            assert subprocess.run(check, env={"PORT": found[1]}, timeout=20, check=False).returncode == 0
            mock.terminate()
            assert mock.wait(15) == 0
        finally:
            mock.kill()


class _Ecs:
    def __init__(self, tasks: list[dict[str, Any]]) -> None:
        self.tasks = tasks
        self.updated: list[dict[str, Any]] = []

    def list_tasks(self, **arguments: Any) -> Any:
        assert arguments == {"cluster": "headgate-dev", "serviceName": "gateway", "desiredStatus": "STOPPED"}
        return {"taskArns": [task["taskArn"] for task in self.tasks]}

    def describe_tasks(self, **arguments: Any) -> Any:
        return {"tasks": self.tasks}

    def update_service(self, **arguments: Any) -> None:
        self.updated.append(arguments)


def test_why_tasks_stopped() -> None:
    client = _Ecs(
        [
            {
                "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/headgate-dev/abc",
                "stoppedReason": "Essential container in task exited",
                "containers": [
                    {"name": "prepare", "exitCode": 0},
                    {"name": "proxy", "reason": "ResourceInitializationError: no secret"},
                ],
            }
        ]
    )
    assert stopped_tasks(client, "headgate-dev", "gateway") == [
        StoppedTask(
            "abc",
            "Essential container in task exited",
            ("prepare: exit code 0", "proxy: did not start: ResourceInitializationError: no secret"),
        )
    ]
    assert stopped_tasks(_Ecs([]), "headgate-dev", "gateway") == []


def test_the_number_of_tasks_is_set_on_the_service() -> None:
    client = _Ecs([])
    scale_service(client, "headgate-dev", "gateway", 4)
    assert client.updated == [{"cluster": "headgate-dev", "service": "gateway", "desiredCount": 4}]
