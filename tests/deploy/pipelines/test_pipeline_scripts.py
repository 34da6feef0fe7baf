"""The shell in the pipelines, run for real, with commands that only write down how they were called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from headgate.deploy.pipelines import Provider
from tests.deploy.pipelines.rendering import parsed, scripts

SHELLS = [["bash", "--noprofile", "--norc", "-eo", "pipefail"], ["sh", "-e"]]
FAKE = """#!/bin/sh
line=$(basename "$0")
for argument in "$@"; do line="$line [$argument]"; done
printf '%s\\n' "$line" >> "$CALLS"
case "$*" in
  *get-caller-identity*) echo 123456789012 ;;
  *get-login-password*) echo token-canary ;;
  *batch-get-image*) echo "${FOUND:-0}" ;;
  *describe-images*) echo sha256:abc ;;
  *password-stdin*) cat > /dev/null ;;
esac
"""


def _run(
    script: str, folder: Path, shell: list[str], **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    for name in ("headgate", "aws", "docker"):
        (binaries / name).write_text(FAKE)
        (binaries / name).chmod(0o755)
    calls = folder / "calls"
    calls.write_text("")
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "CALLS": str(calls), **variables}
    (folder / "script.sh").write_text(script)
    result = subprocess.run(
        [*shell, str(folder / "script.sh")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return result, calls.read_text().splitlines()


def _step(workflow: str, words: str) -> str:
    jobs = parsed(Provider.GITHUB, "ecs", f".github/workflows/{workflow}.yml")["jobs"]
    (script,) = [script for script in scripts(jobs) if words in script]
    return script


@pytest.mark.parametrize("shell", SHELLS, ids=["bash", "sh"])
@pytest.mark.parametrize(
    ("confirm", "options"),
    [
        ("", ""),
        (" ", ""),
        ("alb.security", " [--confirm=alb.security]"),
        ("master-key master-key", " [--confirm=master-key] [--confirm=master-key]"),
    ],
)
def test_confirmations_become_options(confirm: str, options: str, shell: list[str], tmp_path: Path) -> None:
    script = _step("deploy-network", "deploy up")
    result, calls = _run(script, tmp_path, shell, CONFIRM=confirm, HEADGATE_ENVIRONMENT="dev")
    assert result.returncode == 0, result.stderr
    assert calls == [f"headgate [deploy] [up] [network] [--env] [dev]{options}"]


@pytest.mark.parametrize("shell", SHELLS, ids=["bash", "sh"])
@pytest.mark.parametrize("confirm", ["x; touch injected", "$(touch injected)", "--force/../x", "a*", "a\nb", "A"])
def test_anything_else_is_refused_before_a_command_runs(confirm: str, shell: list[str], tmp_path: Path) -> None:
    script = _step("deploy-network", "deploy up")
    result, calls = _run(script, tmp_path, shell, CONFIRM=confirm, HEADGATE_ENVIRONMENT="dev")
    assert result.returncode == 2
    assert "confirm takes names of resources" in result.stderr
    assert calls == []
    assert not (tmp_path / "injected").exists()


@pytest.mark.parametrize("shell", SHELLS, ids=["bash", "sh"])
@pytest.mark.parametrize("typed", ["", "destroy", "destroy prod", "DESTROY dev", "destroy dev "])
def test_a_teardown_stops_unless_the_words_were_typed(typed: str, shell: list[str], tmp_path: Path) -> None:
    result, _ = _run(_step("teardown", "TYPED"), tmp_path, shell, TYPED=typed, HEADGATE_ENVIRONMENT="dev")
    assert result.returncode == 3
    assert 'type "destroy dev"' in result.stderr


def test_a_teardown_goes_on_when_they_were(tmp_path: Path) -> None:
    for shell in SHELLS:
        script = _step("teardown", "TYPED")
        assert _run(script, tmp_path, shell, TYPED="destroy dev", HEADGATE_ENVIRONMENT="dev")[0].returncode == 0


def test_a_teardown_of_everything_is_confirmed_twice_and_of_a_part_once(tmp_path: Path) -> None:
    variables = {"CONFIRM": "", "HEADGATE_ENVIRONMENT": "dev"}
    _, everything = _run(_step("teardown", "deploy down"), tmp_path, SHELLS[0], **variables)
    assert everything == ["headgate [deploy] [down] [--env] [dev] [--confirm=everything] [--confirm=everything]"]
    _, part = _run(_step("teardown-database", "deploy down"), tmp_path, SHELLS[0], **variables)
    assert part == ["headgate [deploy] [down] [database] [--env] [dev] [--confirm=database]"]


@pytest.mark.parametrize("shell", SHELLS, ids=["bash", "sh"])
def test_an_image_is_built_pushed_and_deployed_by_its_digest(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    settings = tmp_path / "headgate.deploy.yaml"
    settings.write_text("platform: ecs\ngateway: {image: headgate, workers: 2}\n")
    variables = {"HEADGATE_ENVIRONMENT": "dev", "AWS_REGION": "eu-west-1", "REVISION": "f00"}
    result, calls = _run(_step("deploy-gateway", "docker build"), tmp_path, shell, **variables)
    assert result.returncode == 0, result.stderr
    registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    image = f"{registry}/headgate-dev"
    docker = [call for call in calls if call.startswith("docker")]
    assert docker == [
        f"docker [login] [--username] [AWS] [--password-stdin] [{registry}]",
        f"docker [build] [--pull] [--tag] [{image}:f00] [.]",
        f"docker [push] [{image}:f00]",
        f"docker [logout] [{registry}]",
    ]
    written = yaml.safe_load(settings.read_text())
    assert written == {"platform": "ecs", "gateway": {"image": f"{image}@sha256:abc", "workers": 2}}
    assert "token-canary" not in result.stdout + result.stderr + "".join(calls)


def test_a_revision_that_was_pushed_is_not_built_again(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "headgate.deploy.yaml").write_text("platform: ecs\n")
    variables = {"HEADGATE_ENVIRONMENT": "dev", "AWS_REGION": "eu-west-1", "REVISION": "f00", "FOUND": "1"}
    _, calls = _run(_step("deploy-gateway", "docker build"), tmp_path, SHELLS[0], **variables)
    assert not [call for call in calls if "[build]" in call or "[push]" in call]


def test_without_a_dockerfile_nothing_is_built(tmp_path: Path) -> None:
    result, calls = _run(_step("deploy-gateway", "docker build"), tmp_path, SHELLS[0], HEADGATE_ENVIRONMENT="dev")
    assert result.returncode == 0
    assert "There is no Dockerfile" in result.stdout
    assert calls == []


def test_azure_keeps_the_token_in_a_file_of_its_own_and_removes_it(tmp_path: Path) -> None:
    (template,) = parsed(Provider.AZURE, "ecs", "azure-devops/templates/check-prerequisites.yml")["stages"]
    (script,) = [script for script in scripts(template) if "idToken" in script]
    look = 'stat -c "%a" "$AWS_WEB_IDENTITY_TOKEN_FILE"; cat "$AWS_WEB_IDENTITY_TOKEN_FILE"; echo " ${idToken-unset}"'
    variables = {"AGENT_TEMPDIRECTORY": str(tmp_path), "BUILD_BUILDID": "7", "HEADGATE_ENVIRONMENT": "dev"}
    variables["COMPONENTS"] = "alb"
    result, calls = _run(f"{script}\n{look}\n", tmp_path, ["bash"], idToken="token-canary", **variables)
    assert result.stdout.split() == ["600", "token-canary", "unset"]
    assert calls == ["headgate [deploy] [plan] [alb] [--env] [dev]"]
    assert not (tmp_path / "headgate-aws-token").exists()


def test_every_script_is_shell(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    for name in ("deploy-gateway", "update-gateway", "teardown"):
        for script in scripts(parsed(Provider.GITHUB, "ecs", f".github/workflows/{name}.yml")):
            subprocess.run([bash, "-n"], input=script, text=True, check=True, timeout=10)
