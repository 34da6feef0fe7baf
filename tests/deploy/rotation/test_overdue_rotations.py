"""Secrets that should have been rotated and were not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from headgate.deploy.rotation import is_overdue, master_key_handler, overdue_handler
from headgate.deploy.rotation._overdue import overdue
from tests.doubles.secrets_manager import REGION, Cloud

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:headgate/dev/master-key-AbCdEf"


def described(**members: Any) -> list[str]:
    """Return what is late of a secret that Secrets Manager describes so."""
    client = boto3.client("secretsmanager", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")
    answer = {"ARN": ARN, "Name": "headgate/dev/master-key", "RotationEnabled": True, **members}
    with Stubber(client) as stub:
        stub.add_response("describe_secret", answer, {"SecretId": ARN})
        return overdue(client, [ARN], NOW)


@pytest.mark.parametrize(("days", "late"), [(0, False), (30, False), (32, False), (33, True), (400, True)])
def test_two_days_of_grace(days: int, late: bool) -> None:
    rules, last = {"AutomaticallyAfterDays": 30}, NOW - timedelta(days=days)
    assert is_overdue(rules, last, NOW) is late
    assert described(RotationRules=rules, LastRotatedDate=last) == ["headgate/dev/master-key"] * late


def test_a_secret_that_was_never_rotated_is_as_old_as_itself() -> None:
    rules = {"AutomaticallyAfterDays": 30}
    assert described(RotationRules=rules, CreatedDate=NOW - timedelta(days=31)) == []
    assert described(RotationRules=rules, CreatedDate=NOW - timedelta(days=33)) == ["headgate/dev/master-key"]


def test_a_secret_whose_rotation_was_switched_off_is_late() -> None:
    rules, last = {"AutomaticallyAfterDays": 30}, NOW - timedelta(days=1)
    assert described(RotationEnabled=False, RotationRules=rules, LastRotatedDate=last) == ["headgate/dev/master-key"]


def test_a_schedule_without_a_fixed_interval_is_never_judged() -> None:
    assert described(RotationRules={"ScheduleExpression": "cron(0 8 1 * ? *)"}, LastRotatedDate=NOW) == []
    assert not is_overdue({"AutomaticallyAfterDays": 30}, None, NOW)


def test_the_function_writes_one_line_with_the_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Cloud(master_key_handler) as cloud:
        for name in ("one", "two"):
            cloud.create(name, {"current": f"sk-{'canary' * 7}{name}"})
        cloud.rotate("one")
        arns = [cloud.client.describe_secret(SecretId=name)["ARN"] for name in ("one", "two")]
        monkeypatch.setenv("SECRETS", ",".join(arns))
        overdue_handler({}, None)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"overdue_rotations": 1, "secrets": ["two"]}
