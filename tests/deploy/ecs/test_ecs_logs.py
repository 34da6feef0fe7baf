"""Logs and reports on failures: the newest lines last, and never a secret."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudformation.models import cloudformation_backends
from moto.ecs.models import ecs_backends

from headgate.deploy.ecs import Account, Caller
from headgate.deploy.ecs._logs import failure_report, logs
from headgate.deploy.engine import DeployError, ExitCode, UsageError
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.settled import CANARY, REGION, deploy, fill_secrets

GATEWAY = "/ecs/prod-headgate-proxy"
START = int(datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp() * 1000)
PROD = environment()
KEY = f"sk-{CANARY}-master"


@pytest.fixture
def writing(account: Account) -> Account:
    """Return an account with secrets and the gateway's log group."""
    account.client("secretsmanager").create_secret(Name="headgate/prod/master-key", SecretString="{}")
    account.client("secretsmanager").create_secret(Name="headgate/prod/database", SecretString="{}")
    fill_secrets(account, PROD)
    account.client("logs").create_log_group(logGroupName=GATEWAY)
    return account


def _write(account: Account, group: str, stream: str, *lines: tuple[int, str]) -> None:
    client = account.client("logs")
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": START + second * 1000, "message": text} for second, text in lines]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_the_newest_lines_of_all_tasks_come_last(writing: Account) -> None:
    _write(writing, GATEWAY, "proxy/proxy/0123456789abcdef", (1, "one"), (3, "three\n"), (5, "five"))
    _write(writing, GATEWAY, "prepare/prepare/fedcba9876543210", (2, "two"), (4, "four\nand more"))
    assert logs(writing, PROD, "gateway", 4).splitlines() == [
        "2026-11-20T12:00:02Z prepare/fedcba98 two",
        "2026-11-20T12:00:03Z proxy/01234567 three",
        "2026-11-20T12:00:04Z prepare/fedcba98 four",
        "    and more",
        "2026-11-20T12:00:05Z proxy/01234567 five",
    ]
    assert logs(writing, PROD, "gateway", 1) == "2026-11-20T12:00:05Z proxy/01234567 five\n"


def test_the_database_writes_with_the_functions_that_rotate_its_login(writing: Account) -> None:
    groups = ("/aws/rds/instance/prod-headgate-db/postgresql", "/aws/lambda/prod-headgate-rotate-database")
    for second, group in enumerate(groups):
        writing.client("logs").create_log_group(logGroupName=group)
        _write(writing, group, f"stream/{second}", (second, "said"))
    assert logs(writing, PROD, "database", 10).splitlines() == [
        "2026-11-20T12:00:00Z postgresql said",
        "2026-11-20T12:00:01Z prod-headgate-rotate-database said",
    ]


def test_no_secret_is_shown_of_now_before_or_about_to_be(writing: Account) -> None:
    client = writing.client("secretsmanager")
    old = json.loads(client.get_secret_value(SecretId="headgate/prod/database")["SecretString"])
    new = {**old, "password": f"{CANARY}/new", "DATABASE_URL": f"postgresql://b:{CANARY}%2Fnew@db.example/headgate"}
    client.put_secret_value(SecretId="headgate/prod/database", SecretString=json.dumps(new))
    pending = {**old, "password": f"{CANARY}-pending"}
    client.put_secret_value(
        SecretId="headgate/prod/database", SecretString=json.dumps(pending), VersionStages=["AWSPENDING"]
    )
    _write(
        writing,
        GATEWAY,
        "proxy/proxy/0123456789abcdef",
        (1, f"key {KEY}, old {old['password']}"),
        (2, f"url {new['DATABASE_URL']} and {new['password']}, pending {pending['password']}"),
        (3, "host db.example, user headgate_a, port 5432, database headgate"),
    )
    said = logs(writing, PROD, "gateway", 10)
    assert CANARY not in said
    assert said.count("[hidden]") == 5
    assert "host db.example, user headgate_a, port 5432, database headgate" in said


def test_a_secret_that_is_no_object_is_hidden_whole(writing: Account) -> None:
    writing.client("secretsmanager").put_secret_value(SecretId="headgate/prod/master-key", SecretString=f"{CANARY}-x")
    _write(writing, GATEWAY, "proxy/proxy/0123456789abcdef", (1, f"key {CANARY}-x"))
    assert logs(writing, PROD, "gateway", 10).endswith(" key [hidden]\n")


def test_what_a_terminal_would_obey_is_taken_out(writing: Account) -> None:
    _write(writing, GATEWAY, "proxy/proxy/0123456789abcdef", (1, "a\x1b[31mred\x07\tb"))
    assert logs(writing, PROD, "gateway", 10).endswith("a?[31mred?\tb\n")


def test_nothing_written_yet_is_no_error(account: Account) -> None:
    assert logs(account, PROD, "gateway", 10) == ""


@pytest.mark.parametrize("component", ["network", "alb", "nothing\x1b[2J"])
def test_who_writes_no_log_is_told(component: str, account: Account) -> None:
    with pytest.raises(UsageError, match=r"writes no log; there are database, gateway") as raised:
        logs(account, PROD, component, 10)
    assert raised.value.exit_code is ExitCode.USAGE


def _deny_secrets(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**arguments: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetSecretValue")

    monkeypatch.setattr(account.client("secretsmanager"), "get_secret_value", refuse)


def test_what_can_not_be_hidden_is_not_shown(writing: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(writing, GATEWAY, "proxy/proxy/0123456789abcdef", (1, KEY))
    _deny_secrets(writing, monkeypatch)
    with pytest.raises(DeployError, match=r"has to be read, so that it can be hidden .* may not do this"):
        logs(writing, PROD, "gateway", 10)
    report = failure_report(writing, PROD, "gateway")
    assert CANARY not in report
    assert "The log is not shown: the secrets can not be read, which would have to be hidden in it." in report


def _event(stack: Any, resource: str, status: str, reason: str = "", *, of_stack: bool = False) -> None:
    stack._add_stack_event(status, reason)
    event = stack.events[-1]
    event.logical_resource_id = resource
    if not of_stack:
        event.physical_resource_id = f"{resource}-id"


def test_a_report_says_what_failed_in_the_stack_the_tasks_and_the_log(account: Account) -> None:
    templates = ["bootstrap", "security", "network", "alb", "database", "redis", "gateway"]
    deploy(account, PROD, templates)
    [stack] = [
        stack
        for stack in cloudformation_backends[ACCOUNT][REGION].stacks.values()
        if stack.name == "headgate-prod-gateway"
    ]
    _event(stack, "Old", "CREATE_FAILED", "of an earlier operation")
    _event(stack, stack.name, "UPDATE_IN_PROGRESS", of_stack=True)
    _event(stack, "Service", "UPDATE_FAILED", "ECS Deployment Circuit Breaker was triggered")
    _event(stack, "CpuAlarm", "UPDATE_FAILED", "Resource update cancelled")
    _event(stack, stack.name, "UPDATE_ROLLBACK_IN_PROGRESS", of_stack=True)
    [service] = ecs_backends[ACCOUNT][REGION].services.values()
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    service.events = [{"id": "1", "createdAt": at, "message": "(service gateway) was unable to place a task"}]
    _write(account, GATEWAY, "proxy/proxy/0123456789abcdef", *((n, f"line {n} {KEY}") for n in range(30)))
    assert failure_report(account, PROD, "gateway").splitlines() == [
        "What failed in the stack:",
        "  Service (AWS::CloudFormation::Stack) UPDATE_FAILED: ECS Deployment Circuit Breaker was triggered",
        "Last events of the service:",
        "  12:00:00 (service gateway) was unable to place a task",
        "Last lines of the log:",
        *(f"  2026-11-20T12:00:{n:02}Z proxy/01234567 line {n} [hidden]" for n in range(10, 30)),
    ]


def test_a_report_tells_why_tasks_stopped(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = account.client("ecs")
    ecs.create_cluster(clusterName="headgate-prod")
    task = {
        "taskArn": "arn:aws:ecs:us-east-1:1:task/headgate-prod/abc",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "proxy", "exitCode": 137, "reason": "OutOfMemoryError"}],
    }
    monkeypatch.setattr(ecs, "list_tasks", lambda **arguments: {"taskArns": [task["taskArn"]]})
    monkeypatch.setattr(ecs, "describe_tasks", lambda **arguments: {"tasks": [task]})
    assert failure_report(account, PROD, "gateway").splitlines() == [
        "Tasks that stopped:",
        "  abc: Essential container in task exited; proxy: exit code 137: OutOfMemoryError",
    ]


def test_a_report_on_what_nobody_knows_is_empty(account: Account) -> None:
    assert failure_report(account, PROD, "image") == ""
    assert failure_report(account, PROD, "gateway") == ""


def test_a_report_never_fails(empty_world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    report = failure_report(Account(REGION, call=Caller(sleep=lambda seconds: None)), PROD, "gateway")
    assert report.splitlines()[:2] == [
        "What failed in the stack:",
        "  can not be read: There are no AWS credentials: sign in (`aws sso login`), or set AWS_PROFILE.",
    ]
