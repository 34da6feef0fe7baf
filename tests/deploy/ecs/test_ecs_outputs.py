"""Where everything is and how to get at it: whatever is there, without a secret, and the commands do what they say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moto.ecs.models import ecs_backends

from headgate.deploy.ecs import Account, Caller
from headgate.deploy.ecs._outputs import outputs
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.settled import CANARY, REGION, Outputs, deploy
from tests.doubles.gateway import MASTER_KEY, RunningGateway

URL = "https://llm.example.com"
STACKS: Outputs = {
    "bootstrap": {"BucketName": "bucket", "RepositoryUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/headgate-prod"},
    "security": {"LogBucketName": "logs", "AlarmTopicArn": "arn:topic"},
    "alb": {"Url": URL, "LoadBalancerDnsName": "x.elb.amazonaws.com"},
    "database": {"DatabaseEndpoint": "db.example", "DatabasePort": "5432", "AdministratorSecretArn": "arn:admin"},
    "gateway": {"ClusterName": "headgate-prod", "ServiceName": "gateway"},
}


def test_everything_of_a_deployment_is_told(account: Account) -> None:
    of = environment()
    found = outputs(of, account, deploy(account, of))
    assert list(found) == [
        *("gateway", "shell", "database", "secrets", "logs", "dashboard", "alarms", "images", "buckets"),
    ]
    assert CANARY not in repr(found)
    assert found["gateway"]["url"] == URL
    assert found["dashboard"]["url"].endswith("#dashboards/dashboard/headgate-prod")
    assert found["secrets"]["master-key"] == "headgate/prod/master-key"
    assert found["logs"] == {
        "flow": "/vpc/headgate-prod",
        "database": "/aws/rds/instance/prod-headgate-db/postgresql",
        "master_key_rotation": "/aws/lambda/prod-headgate-rotate-master-key",
        "database_rotation": "/aws/lambda/prod-headgate-rotate-database",
        "rotation_check": "/aws/lambda/prod-headgate-check-rotation",
        "gateway": "/ecs/prod-headgate-proxy",
        "follow": f"aws logs tail --region {REGION} --follow NAME",
    }
    assert "\n" not in "".join(text for facts in found.values() for text in facts.values())
    assert found["shell"] == {
        "how": "not enabled: ExecuteCommand of the stacks security and gateway switches it on (docs/ecs.md)"
    }
    service: Any
    [service] = ecs_backends[ACCOUNT][REGION].services.values()
    service.enable_execute_command = True
    shell = outputs(of, account, STACKS)["shell"]["open"]
    assert shell == (
        f"aws ecs execute-command --region {REGION} --cluster headgate-prod --container proxy --interactive --command"
        f' /bin/sh --task "$(aws ecs list-tasks --region {REGION} --cluster headgate-prod --service-name gateway'
        " --query 'taskArns[0]' --output text)\""
    )


@pytest.mark.parametrize("absent", list(STACKS))
def test_what_is_not_there_is_left_out_and_named(absent: str, account: Account) -> None:
    there = {template: facts for template, facts in STACKS.items() if template != absent}
    found = outputs(environment(), account, there)
    subjects = {"bootstrap": "images", "security": "secrets", "alb": "gateway", "gateway": "shell"}
    assert subjects.get(absent, absent) not in found
    assert absent in found["not_there_yet"]["stacks"]


def test_before_anything_is_there_only_that_is_told(account: Account) -> None:
    assert outputs(environment("dev"), account, {}) == {
        "not_there_yet": {"stacks": "bootstrap, security, network, alb, database, gateway, monitoring"}
    }


def test_without_credentials_the_rest_is_told(empty_world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nobody = Account(REGION, call=Caller(sleep=lambda seconds: None))
    found = outputs(environment(), nobody, STACKS)
    assert found["gateway"]["url"] == URL
    assert "shell" not in found


def test_litellm_has_an_admin_page(account: Account) -> None:
    assert "admin_page" not in outputs(environment(), account, STACKS)["gateway"]
    page = outputs(environment(image="litellm"), account, STACKS)["gateway"]["admin_page"]
    assert page.startswith(f"{URL}/ui, with user and password of the secret ui-password")


def test_open_webui_is_told_with_its_login(account: Account) -> None:
    there = {**STACKS, "alb": {**STACKS["alb"], "OpenWebUiUrl": "https://chat.example.com"}}
    found = outputs(environment(open_webui=True), account, there)
    assert found["open-webui"] == {
        "url": "https://chat.example.com",
        "login": "in the secret headgate/prod/open-webui-admin",
    }
    assert found["secrets"]["open-webui-key"] == "headgate/prod/open-webui-key"


def _on_the_path(directory: Path, name: str, program: str) -> None:
    path = directory / name
    path.write_text(f"#!{sys.executable} -IS\nimport json, sys\n{program}")
    path.chmod(0o755)


def test_the_command_that_lists_models_does(tmp_path: Path, account: Account) -> None:
    """With an `aws` that knows one secret, and the real curl, python3 and gateway."""
    secret = json.dumps({"LITELLM_MASTER_KEY": MASTER_KEY, "current": MASTER_KEY})
    wanted = ["secretsmanager", "get-secret-value", "--region", REGION, "--secret-id", "headgate/prod/master-key"]
    _on_the_path(tmp_path, "aws", f"assert sys.argv[1:7] == {wanted!r}\nprint({secret!r})\n")
    configuration = {"model_list": [{"model_name": "demo", "litellm_params": {"model": "demo/demo"}}]}
    with RunningGateway(tmp_path, configuration) as gateway:
        command = outputs(environment(), account, {"alb": {"Url": gateway.url}})["gateway"]["list_models"]
        assert MASTER_KEY not in command
        environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", command], env=environ, capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 0, done.stderr
    assert [model["id"] for model in json.loads(done.stdout)["data"]] == ["demo"]


def test_the_command_that_reaches_the_database_names_a_task(tmp_path: Path, account: Account) -> None:
    """With an `aws` that writes down how it is called."""
    program = (
        "answers = {'list-tasks': 'arn:aws:ecs:us-east-1:1:task/headgate-prod/0123abcd',"
        " 'describe-tasks': '0123abcd-0265927825'}\n"
        "open(sys.argv[0] + '.calls', 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "print(answers.get(sys.argv[2], ''))\n"
    )
    _on_the_path(tmp_path, "aws", program)
    command = outputs(environment(), account, STACKS)["database"]["tunnel"]
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], env=environ, timeout=30, check=True)
    calls = [json.loads(line) for line in (tmp_path / "aws.calls").read_text().splitlines()]
    assert [call[1] for call in calls] == ["list-tasks", "describe-tasks", "start-session"]
    assert calls[1][-2:] == ["--tasks", "arn:aws:ecs:us-east-1:1:task/headgate-prod/0123abcd"]
    assert calls[2][-2:] == ["--target", "ecs:headgate-prod_0123abcd_0123abcd-0265927825"]
    assert "host=db.example,portNumber=5432,localPortNumber=5432" in calls[2]
