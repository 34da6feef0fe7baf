"""What a change set says that an update would do."""

import json
from typing import Any

import pytest

from headgate.deploy.ecs._changes import from_change_set


def _change(action: str, kind: str = "AWS::EC2::SecurityGroup", **members: Any) -> dict[str, Any]:
    contexts = {
        key: json.dumps({"Properties": value}) if key.endswith("Context") else value for key, value in members.items()
    }
    return {"ResourceChange": {"Action": action, "LogicalResourceId": "Thing", "ResourceType": kind, **contexts}}


@pytest.mark.parametrize(
    ("change", "action", "stack_action"),
    [
        (_change("Add"), "create", "update"),
        (_change("Remove"), "delete", "update"),
        (_change("Modify", Replacement="False"), "update", "update"),
        (_change("Modify", Replacement="Conditional"), "maybe replace", "replace"),
        (_change("Modify", Replacement="True"), "replace", "replace"),
    ],
)
def test_actions(change: dict[str, Any], action: str, stack_action: str) -> None:
    plan = from_change_set("stack", "CREATE_COMPLETE", [change])
    assert (plan.changes[0].action, plan.action) == (action, stack_action)


def test_nothing_to_do() -> None:
    assert from_change_set("stack", "CREATE_COMPLETE", []).action == "nothing"


def test_only_what_was_not_open_before_is_called_out() -> None:
    office = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "192.0.2.0/24"}
    anyone = {**office, "CidrIp": "0.0.0.0/0"}
    opened = _change(
        "Modify", BeforeContext={"SecurityGroupIngress": [office]}, AfterContext={"SecurityGroupIngress": [anyone]}
    )
    kept = _change(
        "Modify", BeforeContext={"SecurityGroupIngress": [anyone]}, AfterContext={"SecurityGroupIngress": [anyone]}
    )
    closed = _change(
        "Modify", BeforeContext={"SecurityGroupIngress": [anyone]}, AfterContext={"SecurityGroupIngress": [office]}
    )
    changes = from_change_set("stack", "CREATE_COMPLETE", [opened, kept, closed]).changes
    assert [change.broadens for change in changes] == [("port 443 becomes reachable from 0.0.0.0/0",), (), ()]


def test_a_rule_of_its_own_and_ipv6_are_called_out() -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5433, "CidrIpv6": "::/0"}
    change = _change("Add", "AWS::EC2::SecurityGroupIngress", AfterContext=rule)
    [found] = from_change_set("stack", "CREATE_COMPLETE", [change]).changes
    assert found.broadens == ("port 5432-5433 becomes reachable from ::/0",)


def test_a_wider_policy_is_called_out() -> None:
    def policy(action: str, resource: str, **members: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource, **members}
        return {"PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}

    def broadens(after: dict[str, Any]) -> tuple[str, ...]:
        before = policy("s3:GetObject", "arn:aws:s3:::a/*")
        change = _change("Modify", "AWS::IAM::ManagedPolicy", BeforeContext=before, AfterContext=after)
        return from_change_set("stack", "CREATE_COMPLETE", [change]).changes[0].broadens

    assert broadens(policy("s3:*", "arn:aws:s3:::a/*")) == ("may do s3:* on arn:aws:s3:::a/*",)
    assert broadens(policy("s3:GetObject", "*")) == ("may do s3:GetObject on *",)
    assert broadens(policy("s3:GetObject", "*", Condition={"Bool": {}})) == ()
    assert broadens(policy("s3:GetObject", "*", Effect="Deny")) == ()
    assert broadens(policy("s3:GetObject", "arn:aws:s3:::b/*")) == ()


def test_a_public_database_is_called_out() -> None:
    change = _change(
        "Modify",
        "AWS::RDS::DBInstance",
        BeforeContext={"PubliclyAccessible": "false"},
        AfterContext={"PubliclyAccessible": "true"},
    )
    [found] = from_change_set("stack", "CREATE_COMPLETE", [change]).changes
    assert found.broadens == ("becomes reachable from the internet",)
