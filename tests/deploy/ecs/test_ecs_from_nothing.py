"""One environment from an empty world to a gateway that answers, and back to nothing.

Every step is the command that a user types. Fails when a step needs an image, a secret, a user, a key, an object or an
export that no earlier step produced.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from headgate.cli import app
from tests.doubles import aws_command
from tests.doubles.living_cloud import LivingCloud, living_cloud
from tests.doubles.postgres import Postgres, postgres

PAGE = Path(__file__).parents[3] / "docs/deploying-ecs.md"
PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
_CONFIGURATION = """
model_list:
  - model_name: gpt
    litellm_params: {model: openai/gpt-5, api_key: os.environ/OPENAI_API_KEY}
"""
_WITHOUT_KEYS = "model_list: [{model_name: nova, litellm_params: {model: bedrock/amazon.nova-pro-v1:0}}]"
CANARY = "sk-canary-of-a-provider"
_ALL = ("--confirm", "everything", "--confirm", "everything")
_OPEN = ("--confirm", "network.security")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def cloud(server: Postgres, empty_world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LivingCloud]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "authorities.pem").write_bytes(PEM)
    (tmp_path / "config.yaml").write_text(_CONFIGURATION)
    for name in ("INTERACTIVE_MODE", "AUTO_SKIP_HEALTHY", "SKIP_ALL", "AWS_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    with living_cloud(server, empty_world, tmp_path / "volumes") as cloud:
        yield cloud


def _run(*words: str, code: int = 0, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, words, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def _data(*words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(*words, "--json", code=code))
    return found


def _outcomes(run: dict[str, Any]) -> dict[str, str]:
    return {step["component"]: step["outcome"] for step in run["steps"]}


def _write_file() -> None:
    _run("deploy", "init", "--platform", "ecs")
    _complete_file()


def _complete_file() -> None:
    path = Path("headgate.deploy.yaml")
    text = path.read_text().replace("  # configuration: config.yaml", "  configuration: config.yaml")
    path.write_text(text.replace("# domain: llm-dev.example.com", "database_authorities: authorities.pem"))


def _push_image() -> None:
    """Do what `docker push` does."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": {}, "layers": []}
    client = boto3.client("ecr")
    client.put_image(repositoryName="headgate-dev", imageManifest=json.dumps(manifest), imageTag="0.1.0")


def test_from_nothing_to_a_gateway_that_answers_and_back(cloud: LivingCloud) -> None:
    said: list[str] = []
    _write_file()
    planned = _data("deploy", "plan")
    actions = {step["component"]: step["action"] for step in planned["steps"]}
    assert {name for name, action in actions.items() if action == "blocked"} == {"image", "gateway", "monitoring"}
    assert planned["monthly"]["difference"] == planned["monthly"]["after"] != "0"
    assert "run `headgate deploy bootstrap` first" in _run("deploy", "up", code=1)

    assert _outcomes(_data("deploy", "bootstrap")) == {"bootstrap": "done"}
    assert _outcomes(_data("deploy", "bootstrap")) == {"bootstrap": "skipped"}
    assert "--confirm=network.security" in _data("deploy", "up", code=3)["options"]
    assert _stacks() == ["headgate-dev-bootstrap"]
    _push_image()

    # The configuration reads a key that nobody has set: everything before the gateway stands, and the run can go on.
    first = _data("deploy", "up", *_OPEN, code=1)
    assert _outcomes(first)["database"] == "done"
    assert _outcomes(first)["gateway"] == "failed"
    assert "headgate secrets set api-keys --env dev" in json.dumps(first)
    said.append(_run("secrets", "set", "api-keys", "OPENAI_API_KEY", stdin=CANARY))
    second = _data("deploy", "up", *_OPEN)
    assert set(_outcomes(second).values()) == {"done", "skipped"}
    [task] = cloud.tasks.values()
    assert task.environment["OPENAI_API_KEY"] == CANARY
    assert cloud.log_in(task.environment["DATABASE_URL"]) == "headgate_owner"
    with urllib.request.urlopen(f"http://127.0.0.1:{task.port}/health/readiness", timeout=10) as answer:
        assert answer.status == 200

    checks = _data("deploy", "verify")["checks"]
    assert [one["check"] for one in checks if one["verdict"] != "passed"] == ["encryption"]

    # The same again does nothing; another configuration rolls the one service that reads it.
    assert set(_outcomes(_data("deploy", "up", *_OPEN)).values()) == {"skipped"}
    assert _data("deploy", "scale", "2") == {"tasks": 2}
    assert "more than max_tasks" in _data("deploy", "scale", "50", code=2)["error"]
    Path("config.yaml").write_text(_CONFIGURATION.replace("model_name: gpt", "model_name: other"))
    planned = _data("deploy", "plan")
    assert {step["component"]: step["action"] for step in planned["steps"] if step["action"] != "skip"} == {
        "gateway": "update"
    }
    assert planned["monthly"]["difference"] == "0"
    assert _outcomes(_data("deploy", "up", *_OPEN))["gateway"] == "done"
    [newer] = cloud.tasks.values()
    assert newer.process.pid != task.process.pid
    assert task.process.poll() == 0

    said += [_run("deploy", verb) for verb in ("plan", "status", "list", "verify", "outputs")]
    assert "  database administrator arn:aws:" in said[-1]
    said.append(_run("deploy", "logs", "gateway"))
    assert "restore" in _data("deploy", "restore", "none", code=3)["error"]
    assert _data("deploy", "restore", "none", "--confirm", "restore", "--confirm", "restore", code=1)["error"]
    assert "--confirm=everything" in _data("deploy", "down", code=3)["options"]
    gone = _data("deploy", "down", *_ALL)
    assert set(_outcomes(gone).values()) == {"done", "skipped"}
    assert not cloud.tasks
    assert _data("deploy", "plan")["monthly"]["difference"] != "0"
    assert _stacks() == ["headgate-dev-bootstrap"]
    assert [(one["check"], one["verdict"]) for one in gone["left"]] == [("secret", "warning")]
    assert "headgate/dev/salt-key" in gone["left"][0]["message"]

    # An environment of the same name goes on with the salt key that was kept, and a later run changes nothing about it.
    assert _outcomes(_data("deploy", "up", "security")) == {"security": "done"}
    assert _outcomes(_data("deploy", "up", "security")) == {"security": "skipped"}
    exported = {one["Name"]: one["Value"] for one in boto3.client("cloudformation").list_exports()["Exports"]}
    value = boto3.client("secretsmanager").get_secret_value(SecretId=exported["headgate-dev-SaltKeySecretArn"])
    assert json.loads(value["SecretString"]) == {"LITELLM_SALT_KEY": task.environment["LITELLM_SALT_KEY"]}

    refused = _data("deploy", "down", "--delete-data", *_ALL, code=3)
    assert refused["options"] == ["--confirm=data"] * 2
    nothing = _data("deploy", "down", "--delete-data", *_ALL, "--confirm", "data", "--confirm", "data")
    assert [one["message"] for one in nothing["left"] if one["verdict"] == "failed"] == []
    assert _stacks() == []
    assert boto3.client("s3").list_buckets()["Buckets"] == []
    assert set(_outcomes(_data("deploy", "down", "--delete-data")).values()) == {"skipped"}
    assert set(_outcomes(_data("deploy", "down")).values()) == {"skipped"}
    assert not [text for text in [*said, json.dumps([planned, first, second, gone])] if CANARY in text]


def test_rendered_files_do_the_same_without_headgate(
    cloud: LivingCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_file()
    Path("config.yaml").write_text(
        "model_list: [{model_name: nova, litellm_params: {model: bedrock/amazon.nova-pro-v1:0}}]"
    )
    # The image comes first, wherever from: it goes into the repository by its digest.
    _run("deploy", "bootstrap")
    _push_image()
    rendered = _data("deploy", "render", "rendered")["files"]
    assert {"deploy.sh", "gateway.yaml", "gateway.parameters.json"} <= set(rendered)
    command = tmp_path / "bin" / "aws"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m {aws_command.__name__} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")

    script = str(tmp_path / "rendered" / "deploy.sh")
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr

    [task] = cloud.tasks.values()
    keys = [value for name, value in task.environment.items() if name.endswith("_MASTER_KEY")]
    assert [key for key in keys if "sk-" not in key or key in done.stdout + done.stderr] == []
    assert cloud.log_in(task.environment["DATABASE_URL"]) == "headgate_owner"
    assert [step for step in _data("deploy", "plan")["steps"] if step["action"] != "skip"] == []


def test_a_reader_of_the_page_gets_what_it_shows(cloud: LivingCloud) -> None:
    Path("key.txt").write_text(CANARY)
    sessions = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    steps = [step for session in sessions for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]]
    assert len(steps) == 13
    for step in steps:
        command, _, shown = step.partition("\n")
        words, _, source = command.partition(" < ")
        program, *arguments = shlex.split(words)
        assert program == "headgate"
        result = CliRunner().invoke(app, arguments, input=Path(source).read_text() if source else None)
        said = result.output + (f"exit code {result.exit_code}\n" if result.exit_code else "")
        pattern = re.sub(r"(\\ )+", r"\\s+", re.escape(shown.strip()).replace(r"\.\.\.", ".*"))
        assert re.fullmatch(pattern, said.strip(), re.DOTALL), f"{command} said\n{said}"
        assert CANARY not in said
        if arguments[1] == "init":
            _complete_file()
        elif arguments[1] == "bootstrap":
            _push_image()
    assert _stacks() == []


def _stacks() -> list[str]:
    found = boto3.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in found]
