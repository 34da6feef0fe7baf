"""What IAM's simulation says, and what is made of it."""

import json
from collections.abc import Callable
from importlib import resources as package_resources
from typing import Any

import pytest

from headgate.deploy.ecs import TEMPLATES, Account, Identity, parse_template, template_text
from headgate.deploy.ecs._preflight._actions import BY_TYPE, OF_THE_DEPLOYER
from headgate.deploy.ecs._preflight._examples import example_arns
from headgate.deploy.ecs._preflight._permissions import needed, permissions
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.engine import DeployError, Verdict
from tests.deploy.ecs.environments import ACCOUNT, environment, everything_on
from tests.deploy.ecs.preflights import subject
from tests.doubles.moto_offers import answering

DEV = environment("dev")
USER = f"arn:aws:iam::{ACCOUNT}:user/moto"
ACTIONS_OF_AWS = json.loads((package_resources.files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text())


def simulating(account: Account, decide: Callable[[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Have IAM decide by action and resource."""

    def evaluated(params: dict[str, Any]) -> dict[str, Any]:
        return {"EvaluationResults": [one_of(action, params.get("ResourceArns")) for action in params["ActionNames"]]}

    def one_of(action: str, arns: list[str] | None) -> dict[str, Any]:
        if arns is None:
            return {"EvalActionName": action, **decide(action, "*")}
        each = [decide(action, arn) for arn in arns]
        specific = [
            {
                "EvalResourceName": arn,
                "EvalResourceDecision": found["EvalDecision"],
                "MissingContextValues": found.get("MissingContextValues", []),
            }
            for arn, found in zip(arns, each, strict=True)
        ]
        return {"EvalActionName": action, "EvalDecision": "implicitDeny", "ResourceSpecificResults": specific}

    return answering(account, "iam", "SimulatePrincipalPolicy", evaluated)


def allowed_unless(refused: Callable[[str, str], bool], **more: Any) -> Callable[[str, str], dict[str, Any]]:
    def decide(action: str, arn: str) -> dict[str, Any]:
        return {"EvalDecision": "implicitDeny", **more} if refused(action, arn) else {"EvalDecision": "allowed"}

    return decide


def test_whoever_may_do_all_of_it_passes(account: Account) -> None:
    asked = simulating(account, allowed_unless(lambda action, arn: False))
    of = subject(DEV, account)
    assert permissions(of) == (Verdict.PASSED, f"{USER} may do all {len(needed(of))} actions")
    assert {one["PolicySourceArn"] for one in asked} == {USER}
    assert sorted(action for one in asked for action in one["ActionNames"]) == needed(of)
    assert asked[0]["ContextEntries"][0]["ContextKeyValues"] == ["us-east-1"]


def test_what_is_denied_is_named_by_service(account: Account) -> None:
    denied = {"ec2:CreateVpc", "ec2:CreateSubnet", "rds:CreateDBInstance"}
    simulating(account, allowed_unless(lambda action, arn: action in denied))
    verdict, message = permissions(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert f"{USER} may not do ec2: CreateSubnet, CreateVpc; rds: CreateDBInstance. Have" in message


def test_a_policy_for_this_deployments_names_is_enough(account: Account) -> None:
    def refused(action: str, arn: str) -> bool:
        return action == "s3:PutObject" and not arn.startswith("arn:aws:s3:::headgate-dev-")

    asked = simulating(account, allowed_unless(refused))
    assert permissions(subject(DEV, account))[0] is Verdict.PASSED
    assert asked[-1]["ActionNames"] == ["s3:PutObject"]
    assert f"arn:aws:s3:::headgate-dev-{ACCOUNT}-us-east-1/state/lock" in asked[-1]["ResourceArns"]


def test_conditions_that_a_simulation_does_not_know_only_warn(account: Account) -> None:
    unknown = {"MissingContextValues": ["aws:RequestTag/team"]}
    simulating(account, allowed_unless(lambda action, arn: action == "ec2:CreateVpc", **unknown))
    verdict, message = permissions(subject(DEV, account))
    assert verdict is Verdict.WARNING
    assert "may do ec2: CreateVpc under conditions that a simulation does not know" in message


def test_only_what_the_run_creates_is_simulated(account: Account) -> None:
    assert needed(subject(DEV, account, made_here=frozenset())) == sorted(OF_THE_DEPLOYER)
    network = needed(subject(DEV, account, made_here=frozenset({"network"})))
    assert "ec2:CreateVpc" in network
    assert "rds:CreateDBInstance" not in network
    assert "ec2:CreateNatGateway" not in network
    assert "ec2:CreateNatGateway" in needed(subject(environment("prod"), account))


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/teams/a/ada", f"arn:aws:iam::{ACCOUNT}:user/teams/a/ada"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session", f"arn:aws:iam::{ACCOUNT}:role/ci/deployer"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/other/session", f"arn:aws:iam::{ACCOUNT}:role/other"),
    ],
)
def test_a_session_is_simulated_as_its_role(
    account: Account, monkeypatch: pytest.MonkeyPatch, arn: str, expected: str
) -> None:
    account.client("iam").create_role(RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument="{}")
    monkeypatch.setattr(account, "_identity", Identity(ACCOUNT, arn))
    asked = simulating(account, allowed_unless(lambda action, arn: False))
    assert permissions(subject(DEV, account))[0] is Verdict.PASSED
    assert {one["PolicySourceArn"] for one in asked} == {expected}


@pytest.mark.parametrize(
    ("arn", "sentence"),
    [
        (f"arn:aws:iam::{ACCOUNT}:root", "The root user may do everything"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/ada", "IAM does not simulate"),
    ],
)
def test_who_can_not_be_simulated_is_unknown(
    account: Account, monkeypatch: pytest.MonkeyPatch, arn: str, sentence: str
) -> None:
    monkeypatch.setattr(account, "_identity", Identity(ACCOUNT, arn))
    with pytest.raises(DeployError, match=sentence):
        permissions(subject(DEV, account))


def test_who_may_not_simulate_is_told_the_action(account: Account) -> None:
    answering(account, "iam", "SimulatePrincipalPolicy", "AccessDenied")
    with pytest.raises(RefusedError, match="iam:SimulatePrincipalPolicy"):
        permissions(subject(DEV, account))


def test_a_role_that_iam_does_not_find_is_unknown(account: Account) -> None:
    answering(account, "iam", "SimulatePrincipalPolicy", "NoSuchEntity")
    with pytest.raises(DeployError, match="IAM does not find"):
        permissions(subject(DEV, account))


def test_every_type_of_the_templates_has_its_actions() -> None:
    types = {
        resource["Type"]
        for template in TEMPLATES
        for resource in parse_template(template_text(template))["Resources"].values()
    }
    assert types - BY_TYPE.keys() == set(), "say in _preflight/_actions.py what they need"


def test_every_action_is_one_of_aws() -> None:
    for action in OF_THE_DEPLOYER.union(*BY_TYPE.values()):
        service, _, name = action.partition(":")
        assert name.lower() in ACTIONS_OF_AWS[service]["Actions"], action


def test_every_service_has_resources_for_its_actions() -> None:
    identity = Identity(ACCOUNT, USER)
    for action in OF_THE_DEPLOYER.union(*BY_TYPE.values()):
        service = action.partition(":")[0]
        for arn in example_arns(service, everything_on(), identity):
            assert arn.startswith(f"arn:aws:{service}:")
            assert "{" not in arn
