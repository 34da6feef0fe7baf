"""`headgate secrets` as its user sees it, against Secrets Manager by moto: exit codes, what is said, what never is."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.cli import main
from headgate.deploy.rotation import master_key_handler
from tests.doubles.secrets_manager import Cloud

MASTER, UI = "headgate/dev/master-key", "headgate/dev/ui-password"
CANARY = "sk-canary-0123456789"


class Shell:
    """Runs commands in this process, and keeps all that was printed or logged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        self.told = ""
        self.out = ""
        self.error = ""

    def __call__(self, *arguments: str, given: str = "") -> int:
        """Run `headgate secrets`; return its exit code."""
        self._monkeypatch.setattr(sys, "argv", ["headgate", "secrets", *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as stop:
            main()
        self.out, self.error = self._capfd.readouterr()
        self.told += self.out + self.error
        return int(stop.value.code or 0)

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTERACTIVE_MODE", raising=False)
    monkeypatch.delenv("SKIP_ALL", raising=False)
    with Cloud(master_key_handler) as cloud:
        yield cloud


@pytest.fixture
def shell(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Shell]:
    """Fails the test when anything that a secret ever held was printed or logged."""
    caplog.set_level(logging.DEBUG)
    shell = Shell(monkeypatch, capfd)
    yield shell
    told = shell.told + caplog.text + "".join(capfd.readouterr())
    held = cloud.every_secret()
    assert held
    assert [secret for secret in (*held, CANARY) if secret in told] == []


def test_from_nothing_to_a_rotated_key(cloud: Cloud, shell: Shell) -> None:
    assert shell("status") == 1
    assert f"{MASTER}: it does not exist" in shell.out
    assert shell("create") == 0
    assert f"{MASTER}: created\n" in shell.out
    assert "headgate/dev/api-keys: created without a value; `headgate secrets set api-keys` fills it" in shell.out
    assert shell("set", "api-keys", "OPENAI_API_KEY", given=f"{CANARY}\n") == 0
    assert shell.out == "headgate/dev/api-keys: set\nGateways read it when they start.\n"
    assert cloud.value("headgate/dev/api-keys") == {"OPENAI_API_KEY": CANARY}
    first = cloud.value(MASTER)["current"]
    cloud.rotate(MASTER)
    assert cloud.value(MASTER)["previous"] == first
    assert shell("status") == 1
    assert "the previous key is valid until 20" in shell.out
    assert f"{MASTER}: it" not in shell.out
    assert shell("revoke-previous", "--confirm", "master-key") == 0
    assert cloud.value(MASTER)["previous"] is None
    assert shell("rotate", "master-key", "--confirm", "master-key", "--confirm", "master-key") == 0
    assert f"{MASTER}: rotated\nThe previous key is valid until " in shell.out
    assert shell("create") == 0
    assert f"{MASTER}: kept\n" in shell.out


def test_what_is_told_as_json(cloud: Cloud, shell: Shell) -> None:
    assert shell("list", "--json") == 0
    listed = {one["name"]: one for one in shell.data["secrets"]}
    assert listed["headgate/dev/salt-key"]["replacing"] == "blocked"
    assert listed["headgate/dev/database"]["confirm"] == "database-url"
    assert shell("create", "--json") == 0
    assert {"name": MASTER, "result": "created"} in shell.data["secrets"]
    cloud.rotate(MASTER)
    assert shell("status", "--json") == 1
    found = {one["name"]: one for one in shell.data["secrets"]}
    assert list(found[UI]) == [
        "name",
        "exists",
        "empty",
        "rotated",
        "last_rotated",
        "next_rotation",
        "previous_valid_until",
        "pending_since",
        "problems",
    ]
    assert found[UI]["problems"] == []
    assert found[MASTER]["previous_valid_until"] == cloud.value(MASTER)["previous_not_after"]
    assert shell("set", "ui-password", "--json", "--confirm=ui-password", given=CANARY) == 0
    assert (shell.data["result"], shell.data["secret"]["name"]) == ("set", UI)
    assert shell("revoke-previous", "--json", "--confirm=master-key") == 0
    assert shell.data["result"] == "previous key revoked"
    assert shell("revoke-previous", "--json") == 0
    assert shell.data["result"] == "has no previous key"
    assert shell("rotate", "master-key", "--json", *["--confirm=master-key"] * 2) == 0
    assert shell.data["result"] == "rotated"
    assert shell("set", "salt-key", "--json", given=CANARY) == 1
    assert shell.data["exit_code"] == 1
    assert "salt-key is never replaced" in shell.data["error"]


def test_without_a_terminal_nothing_is_assumed(cloud: Cloud, shell: Shell) -> None:
    shell("create")
    cloud.rotate(MASTER)
    before = {name: cloud.value(f"headgate/dev/{name}") for name in ("master-key", "ui-password", "salt-key")}
    twice = "--confirm=master-key --confirm=master-key"
    assert shell("rotate", "master-key", "--emergency") == 3
    assert f"{twice}: whoever uses the present one is locked out" in shell.error
    assert shell("rotate", "master-key", "--emergency", "--confirm=master-key") == 3
    assert shell("rotate", "master-key", "--emergency", "--confirm=ui-password", "--confirm=master-key") == 3
    assert shell("revoke-previous") == 3
    assert "--confirm=master-key: whoever still uses the previous key is locked out" in shell.error
    assert shell("set", "master-key", given=CANARY) == 3
    assert shell("set", "ui-password", given=CANARY) == 3
    assert shell("set", "ui-password", "--json", given=CANARY) == 3
    assert shell.data["exit_code"] == 3
    after = {name: cloud.value(f"headgate/dev/{name}") for name in before}
    assert after == before


def test_an_emergency_ends_the_key_at_once(cloud: Cloud, shell: Shell) -> None:
    shell("create")
    cloud.rotate(MASTER)
    leaked = cloud.value(MASTER)["current"]
    assert shell("rotate", "master-key", *["--confirm=master-key"] * 2) == 1
    assert "would end early" in shell.error
    assert shell("rotate", "master-key", "--emergency", *["--confirm=master-key"] * 2) == 0
    value = cloud.value(MASTER)
    assert (value["current"] != leaked, value["previous"]) == (True, None)


class Terminal(io.StringIO):
    """An input that somebody types."""

    def isatty(self) -> bool:
        return True


def test_at_a_terminal_two_yeses_are_a_word_and_a_yes(
    cloud: Cloud, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "StringIO", Terminal)
    shell("create")
    cloud.rotate(MASTER)
    for answers, code in (("yes\n", 3), ("master-key\nn\n", 3), ("master-key\n\n", 3), ("master-key\ny\n", 0)):
        assert shell("rotate", "master-key", "--emergency", given=answers) == code
        assert "Type master-key to go on" in shell.error
        assert "Go on?" not in shell.out


def test_at_a_terminal_a_value_is_typed_unseen(cloud: Cloud, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append(hide_input)
        return CANARY

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr(io, "StringIO", Terminal)
    shell("create")
    assert shell("set", "api-keys", "OPENAI_API_KEY") == 0
    assert asked == [True]
    assert cloud.value("headgate/dev/api-keys") == {"OPENAI_API_KEY": CANARY}


def test_a_value_is_read_from_a_file(cloud: Cloud, shell: Shell, tmp_path: Path) -> None:
    shell("create")
    file = tmp_path / "value"
    file.write_text(json.dumps({"OPENAI_API_KEY": CANARY, "AWS_BEDROCK_REGION": "us-east-1"}))
    assert shell("set", "api-keys", "--from", str(file)) == 0
    assert cloud.value("headgate/dev/api-keys")["OPENAI_API_KEY"] == CANARY
    assert shell("set", "api-keys", "--from", str(file)) == 0
    assert shell.out == "headgate/dev/api-keys: held that already\n"
    assert shell("set", "api-keys", "--from", str(tmp_path / "missing")) == 2
    assert "missing can not be read: No such file or directory." in shell.error
    file.write_bytes(b"\xff\xfe")
    assert shell("set", "api-keys", "--from", str(file)) == 2
    assert "it is not text" in shell.error


@pytest.mark.parametrize(
    ("arguments", "given", "problem"),
    [
        (["set", "master"], "x", "no secret called 'master'"),
        (["set", "api-keys"], CANARY, "has several members"),
        (["set", "api-keys", "KEY"], CANARY, "has no member 'KEY'"),
        (["set", "redis"], "", "is empty"),
        (["rotate", "ui-password"], "", "ui-password is not rotated. Use `headgate secrets set`."),
        (["revoke-previous", "database"], "", "Only master-key keeps its previous value"),
        (["rotate", "database", "--emergency"], "", "which only master-key has"),
        (["status", "--env", "qa"], "", "There is no headgate.deploy.yaml here; without one --env is one of"),
        (["set", "redis", "--confirm"], "", "requires an argument"),
    ],
)
def test_what_can_not_be_meant(cloud: Cloud, shell: Shell, arguments: list[str], given: str, problem: str) -> None:
    shell("create")
    assert shell(*arguments, given=given) == 2
    assert problem in shell.error


def test_a_secret_is_no_argument(cloud: Cloud, shell: Shell) -> None:
    shell("create")
    assert shell("set", "redis", "REDIS_PASSWORD", "a-value") == 2
    assert cloud.client.describe_secret(SecretId=UI)["VersionIdsToStages"]


def test_what_the_deployment_file_says(cloud: Cloud, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "headgate.deploy.yaml"
    file.write_text(
        "platform: ecs\nproject: acme\nregion: eu-central-1\nallow_plaintext: true\n"
        "environments:\n  dev: {redis: true}\n  other: {like: dev, account: '999999999999'}\n"
    )
    assert shell("create") == 0
    assert "acme/dev/redis: created\n" in shell.out
    assert shell("create", "--env", "other") == 1
    assert "credentials are of account 123456789012, but other belongs to 999999999999" in shell.error
    names = {secret["Name"].rpartition("/")[0] for secret in cloud.client.list_secrets()["SecretList"]}
    assert names == {"acme/dev"}
    assert shell("status", "--env", "prod") == 2
    assert "no environment is called 'prod'" in shell.error
    file.write_text("platform: compose\n")
    assert shell("status") == 2
    assert "dev is for the platform compose" in shell.error


def test_redis_is_a_matter_of_environments_that_have_it(cloud: Cloud, shell: Shell) -> None:
    assert shell("create") == 0
    assert "redis" not in shell.out
    assert shell("create", "--env", "prod") == 0
    assert "headgate/prod/redis: created\n" in shell.out


def test_a_region_is_needed(cloud: Cloud, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("create")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert shell("status") == 1
    assert "There is no AWS region: give --region, or set AWS_REGION." in shell.error
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert shell("status") == 1
    assert f"{MASTER}" in shell.out
    assert shell("status", "--region", "us-west-2") == 1
    assert f"{MASTER}: it does not exist" in shell.out


def test_the_list_needs_no_credentials_and_no_boto3(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['boto3'] = None\nfrom headgate.cli import main\n"
        "sys.argv = ['headgate', 'secrets', *sys.argv[1:]]\nmain()\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)

    listed = run("list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "headgate/dev/salt-key     never      blocked" in listed.stdout
    status = run("status")
    assert status.returncode == 1
    assert status.stderr == "AWS' package boto3 is needed: pip install 'headgate[deploy]'.\n"
