"""All checks together."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from headgate.deploy.ecs import Account, Caller
from headgate.deploy.ecs._preflight import CHECKS, preflight
from headgate.deploy.engine import Check, Verdict
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.preflights import EVERYTHING, NOW, pushed
from tests.doubles.moto_offers import answering

CANARY = "sk-canary-4711"
PAGE = Path(__file__).parents[3] / "docs" / "preflight.md"
READS = ("BatchGet", "Describe", "Get", "Head", "List", "Simulate")
WITHOUT_AWS = {"credentials", "configuration", "image", "connections", "alarms"}


@pytest.fixture
def everything(tmp_path: Path, account: Account) -> Environment:
    """Return an environment that every check has something to look at in, where all is well."""
    zone = account.client("route53").create_hosted_zone(Name="example.com.", CallerReference="x")["HostedZone"]["Id"]
    configuration = tmp_path / "config.yaml"
    configuration.write_text(
        "model_list:\n"
        "  - model_name: own\n"
        "    litellm_params:\n"
        "      {model: hosted_vllm/m, api_base: http://vllm.internal, api_key: os.environ/OPENAI_API_KEY}\n"
        "  - {model_name: titan, litellm_params: {model: 'bedrock/amazon.titan-embed-text-v2:0'}}\n"
        "  - {model_name: sonnet, litellm_params: {model: bedrock/us.anthropic.claude-sonnet-4-6}}\n"
    )
    registry = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
    of = environment(
        "prod",
        configuration=configuration,
        alarm_email="a@example.com",
        budget_dollars=5,
        hosted_zone_id=None,
        open_webui=True,
        open_webui_image=f"{registry}/headgate-prod:open-webui",
    )
    pushed(account, "open-webui", "headgate-prod")
    return of.model_copy(update={"hosted_zone_id": zone.rpartition("/")[2]})


def hold_secrets(account: Account) -> None:
    client = account.client("secretsmanager")
    held = {
        "master-key": ["LITELLM_MASTER_KEY"],
        "salt-key": ["LITELLM_SALT_KEY"],
        "ui-password": ["UI_USERNAME", "UI_PASSWORD"],
        "database": ["username", "password", "host", "port", "dbname", "DATABASE_URL"],
        "redis": ["REDIS_PASSWORD"],
        "api-keys": ["OPENAI_API_KEY"],
    }
    for name, members in held.items():
        value = json.dumps(dict.fromkeys(members, CANARY))
        client.create_secret(Name=f"headgate/prod/{name}", SecretString=value)


def verdicts(checks: tuple[Check, ...]) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in checks}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the calls of AWS by operation and arguments."""
    counted: Counter[str] = Counter()
    original = BaseClient._make_api_call

    def call(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        counted[f"{operation} {json.dumps(arguments, sort_keys=True, default=str)}"] += 1
        return original(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return counted


def test_where_all_is_well_every_check_passes(account: Account, everything: Environment) -> None:
    hold_secrets(account)
    made_here = EVERYTHING - {"security", "redis"}
    checks = preflight(everything, account, made_here=made_here)
    # It has a NAT gateway, so that none has to be looked for.
    assert [check.name for check in checks] == [name for name in CHECKS if name != "way out"]
    assert {check.name: check.message for check in checks if check.verdict is not Verdict.PASSED} == {}
    without_nat = everything.model_copy(update={"nat": False})
    assert verdicts(preflight(without_nat, account, made_here=made_here))["way out"] is Verdict.PASSED


def test_it_only_reads_and_asks_nothing_twice(account: Account, everything: Environment, calls: Counter[str]) -> None:
    hold_secrets(account)
    calls.clear()
    preflight(everything, account, made_here=EVERYTHING - {"security", "redis"})
    assert [call for call in calls if not call.startswith(READS)] == []
    assert {call: count for call, count in calls.items() if count > 1} == {}


def test_no_value_of_a_secret_is_told(
    account: Account, everything: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    hold_secrets(account)
    broken = account.client("secretsmanager")
    broken.put_secret_value(SecretId="headgate/prod/salt-key", SecretString=CANARY)
    broken.put_secret_value(SecretId="headgate/prod/ui-password", SecretString=json.dumps({"UI_USERNAME": CANARY}))
    checks = preflight(everything, account)
    assert verdicts(checks)["secrets"] is Verdict.FAILED
    assert CANARY not in json.dumps([check.data() for check in checks])
    assert CANARY not in "".join(capfd.readouterr())


def test_what_the_run_makes_needs_not_exist(account: Account, everything: Environment) -> None:
    told = verdicts(preflight(everything, account, made_here=EVERYTHING))
    assert "secrets" not in told
    assert told["image"] is Verdict.PASSED
    assert told["provider keys"] is Verdict.WARNING
    later = verdicts(preflight(everything, account))
    assert (later["secrets"], later["image"], later["provider keys"]) == (Verdict.FAILED,) * 3
    assert "VPC quota" not in later


def test_what_the_run_does_not_touch_is_not_looked_at(account: Account, everything: Environment) -> None:
    made_here = frozenset({"network"})
    told = verdicts(preflight(everything, account, made_here=made_here, acts_on=made_here))
    assert {"secrets", "image", "provider keys", "models", "Redis", "database class", "domain"}.isdisjoint(told)
    assert told["VPC quota"] is Verdict.PASSED


def test_without_credentials_nobody_waits(
    everything: Environment, empty_world: str, monkeypatch: pytest.MonkeyPatch, calls: Counter[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # It would keep the credentials that it found before.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    calls.clear()
    waited: list[float] = []
    nobody = Account("us-east-1", call=Caller(sleep=waited.append))
    told, *others = preflight(everything, nobody, made_here=EVERYTHING)
    assert told.verdict is Verdict.UNKNOWN
    assert told.message == "There are no AWS credentials: sign in (`aws sso login`), or set AWS_PROFILE."
    assert {check.verdict for check in others} == {Verdict.UNKNOWN}
    assert {"connections", "permissions"} < {check.name for check in others}
    assert [call.split()[0] for call in calls] == ["GetCallerIdentity"]
    assert waited == []


def test_another_account_is_refused_and_not_looked_at(everything: Environment, empty_world: str) -> None:
    told = verdicts(preflight(everything, Account("us-east-1", expected="210987654321"), made_here=EVERYTHING))
    assert told.pop("credentials") is Verdict.FAILED
    assert set(told.values()) == {Verdict.UNKNOWN}


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_what_aws_refuses_is_unknown_and_never_an_exception(
    account: Account, everything: Environment, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    from botocore.exceptions import ClientError

    account.identity()

    def refused(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refused)
    checks = preflight(everything, account, made_here=EVERYTHING - {"security"})
    asking = [check for check in checks if check.name not in WITHOUT_AWS]
    assert {check.verdict for check in asking} == {Verdict.UNKNOWN}
    expected = "credentials may not do " if code == "AccessDenied" else "AWS no longer accepts the credentials"
    assert [check.message for check in asking if expected not in check.message] == []


def test_a_configuration_that_can_not_be_read_is_told_once(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: [\n")
    checks = preflight(environment("dev", configuration=path), account, made_here=EVERYTHING)
    told = verdicts(checks)
    assert told["configuration"] is Verdict.FAILED
    assert "models" not in told
    assert told["connections"] is Verdict.PASSED


def test_names_too_long_for_aws_are_refused(account: Account) -> None:
    of = environment("dev", project="project-of-many").model_copy(update={"name": "environment-of-many"})
    told = {check.name: check for check in preflight(of, account, made_here=EVERYTHING)}
    assert told["permissions"].verdict is Verdict.FAILED
    assert "names of buckets have room for 29" in told["permissions"].message


def test_what_takes_too_long_is_unknown(account: Account) -> None:
    checks = preflight(environment("dev"), account, made_here=EVERYTHING, seconds=0.0)
    assert checks[0].verdict is Verdict.PASSED
    assert {check.message for check in checks[1:]} == {"It could not be told within 0 s: run this again."}


def test_the_clock_is_given(account: Account) -> None:
    told = {"HTTPHeaders": {"date": "Fri, 20 Nov 2026 12:10:00 GMT"}}
    answering(account, "ec2", "DescribeAvailabilityZones", {"AvailabilityZones": [], "ResponseMetadata": told})
    checks = preflight(environment("dev"), account, clock=NOW.timestamp)
    assert verdicts(checks)["clock"] is Verdict.WARNING


def test_every_check_is_documented_in_its_order() -> None:
    table = PAGE.read_text().partition("## The checks")[2].partition("##")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert tuple(rows[1:]) == CHECKS
