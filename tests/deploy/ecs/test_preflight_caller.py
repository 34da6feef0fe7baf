"""Who is signed in, when and where."""

from email.utils import format_datetime

import pytest

from headgate.deploy.ecs import Account, Caller
from headgate.deploy.ecs._preflight._caller import clock, credentials, endpoint_services, region
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.engine import Verdict
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.preflights import NOW, subject
from tests.doubles.moto_offers import answering

DEV = environment("dev")


def _zone(name: str, state: str = "available", kind: str = "availability-zone") -> dict[str, str]:
    return {"ZoneName": name, "State": state, "ZoneType": kind}


def test_who_is_signed_in_is_told(account: Account) -> None:
    verdict, message = credentials(subject(DEV, account))
    assert verdict is Verdict.PASSED
    assert message == f"arn:aws:sts::{ACCOUNT}:user/moto of account {ACCOUNT}"


def test_another_account_is_refused(empty_world: str) -> None:
    verdict, message = credentials(subject(DEV, Account("us-east-1", expected="210987654321")))
    assert verdict is Verdict.FAILED
    assert message.startswith(f"The AWS credentials are of account {ACCOUNT}, but this environment belongs to 2109")


def test_a_region_that_does_not_know_the_credentials_may_not_be_enabled(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = Account("us-east-1", call=Caller(sleep=lambda seconds: None))
    monkeypatch.setattr(unknown, "_identity", None)
    answering(account, "sts", "GetCallerIdentity", "InvalidClientTokenId")
    monkeypatch.setattr(unknown, "_clients", {"sts": account.client("sts")})
    verdict, message = credentials(subject(DEV, unknown))
    assert verdict is Verdict.UNKNOWN
    assert message.endswith("the account has not enabled us-east-1.")


@pytest.mark.parametrize(
    ("ahead", "expected", "sentence"),
    [
        (59, Verdict.PASSED, "within 60 s of AWS'"),
        (-59, Verdict.PASSED, "within 60 s of AWS'"),
        (120, Verdict.WARNING, "this machine is 120 s ahead of AWS"),
        (-120, Verdict.WARNING, "this machine is 120 s behind AWS"),
    ],
)
def test_the_clock_is_compared_with_aws(account: Account, ahead: int, expected: Verdict, sentence: str) -> None:
    told = {"ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(NOW, usegmt=True)}}}
    answering(account, "ec2", "DescribeAvailabilityZones", {"AvailabilityZones": []} | told)
    verdict, message = clock(subject(DEV, account, now=NOW.timestamp() + ahead))
    assert (verdict, message[: len(sentence)]) == (expected, sentence)


def test_a_clock_that_aws_does_not_tell_is_unknown(account: Account) -> None:
    answering(account, "ec2", "DescribeAvailabilityZones", {"AvailabilityZones": []})
    assert clock(subject(DEV, account))[0] is Verdict.UNKNOWN


def test_the_network_takes_the_first_two_zones(account: Account) -> None:
    found = [_zone("us-east-1c"), _zone("us-east-1b"), _zone("us-east-1a", "impaired"), _zone("us-east-1d")]
    answering(account, "ec2", "DescribeAvailabilityZones", {"AvailabilityZones": found})
    assert region(subject(DEV, account)) == (Verdict.PASSED, "us-east-1 with us-east-1b and us-east-1c")


def test_one_zone_is_too_few(account: Account) -> None:
    found = [_zone("us-east-1a"), _zone("us-east-1-bos-1a", kind="local-zone")]
    answering(account, "ec2", "DescribeAvailabilityZones", {"AvailabilityZones": found})
    verdict, message = region(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert "fewer than two zones that are available to this account (us-east-1a)" in message


def test_a_region_that_is_not_enabled_is_refused(account: Account) -> None:
    answering(account, "ec2", "DescribeAvailabilityZones", "AuthFailure")
    verdict, message = region(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("the account has not enabled us-east-1")


def test_zones_that_may_not_be_listed_are_unknown(account: Account) -> None:
    answering(account, "ec2", "DescribeAvailabilityZones", "UnauthorizedOperation")
    with pytest.raises(RefusedError, match="ec2:DescribeAvailabilityZones"):
        region(subject(DEV, account))


def test_every_endpoint_of_the_network_is_offered(account: Account) -> None:
    verdict, message = endpoint_services(subject(DEV, account))
    assert verdict is Verdict.PASSED
    assert message == "10 services have endpoints in us-east-1a and us-east-1b"


def test_a_service_without_endpoint_in_the_region_is_refused(account: Account) -> None:
    answering(account, "ec2", "DescribeVpcEndpointServices", "InvalidServiceName")
    verdict, message = endpoint_services(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert "us-east-1 does not offer every service" in message


def test_an_endpoint_is_wanted_in_both_zones(account: Account) -> None:
    def offered(params: dict[str, list[str]]) -> dict[str, object]:
        zones = ["us-east-1a", "us-east-1b"]
        details = [{"ServiceName": name, "AvailabilityZones": zones} for name in params["ServiceNames"]]
        details[0]["AvailabilityZones"] = zones[:1]
        return {"ServiceDetails": details}

    answering(account, "ec2", "DescribeVpcEndpointServices", offered)
    verdict, message = endpoint_services(subject(DEV, account))
    assert verdict is Verdict.FAILED
    assert message == "not offered: com.amazonaws.us-east-1.ecr.api in us-east-1b. Set another `region`."
