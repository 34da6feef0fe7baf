"""The hosted zone of a domain."""

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._domain import domain
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.engine import Verdict
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.preflights import EVERYTHING, subject
from tests.doubles.moto_offers import answering

OPEN = environment("prod", hosted_zone_id=None)


def zone(account: Account, name: str, private: bool = False) -> str:
    """Make a hosted zone and return its id."""
    more = {"VPC": {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}} if private else {}
    answer = account.client("route53").create_hosted_zone(
        Name=name, CallerReference=f"{name}{private}", HostedZoneConfig={"PrivateZone": private}, **more
    )
    return str(answer["HostedZone"]["Id"]).rpartition("/")[2]


def named(found: str) -> Environment:
    """Return an environment that names its zone; moto's ids do not look like AWS'."""
    return environment("prod").model_copy(update={"hosted_zone_id": found})


def test_the_closest_public_zone_is_taken(account: Account) -> None:
    zone(account, "com.")
    closest = zone(account, "example.com.")
    zone(account, "llm.example.com.", private=True)
    zone(account, "ample.com.")
    assert domain(subject(OPEN, account)) == (
        Verdict.PASSED,
        f"llm.example.com in the zone example.com ({closest})",
    )


def test_a_domain_without_a_zone_fails(account: Account) -> None:
    zone(account, "ample.com.")
    verdict, message = domain(subject(OPEN, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("this account has no public hosted zone for llm.example.com: create one")


def test_a_zone_that_is_named_is_looked_up(account: Account) -> None:
    found = zone(account, "example.com.")
    verdict, message = domain(subject(named(found), account))
    assert (verdict, message) == (Verdict.PASSED, f"llm.example.com in the zone example.com ({found})")


@pytest.mark.parametrize(
    ("name", "private", "sentence"),
    [
        ("example.com.", True, "is private, where no certificate can be proven"),
        ("example.org.", False, "is of example.org, which llm.example.com does not belong to"),
    ],
)
def test_a_zone_of_no_use_fails(account: Account, name: str, private: bool, sentence: str) -> None:
    found = zone(account, name, private)
    verdict, message = domain(subject(named(found), account))
    assert verdict is Verdict.FAILED
    assert sentence in message


def test_a_zone_that_does_not_exist_fails(account: Account) -> None:
    verdict, message = domain(subject(environment("prod"), account))
    assert verdict is Verdict.FAILED
    assert message.startswith("there is no hosted zone Z0123456789ABC")


def test_a_name_that_has_a_record_is_taken(account: Account) -> None:
    found = zone(account, "example.com.")
    records = [("llm.example.com.", "CNAME", "old.example.net"), ("llm.example.com.", "TXT", '"x"')]
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]},
        }
        for name, kind, value in records
    ]
    account.client("route53").change_resource_record_sets(HostedZoneId=found, ChangeBatch={"Changes": changes})
    verdict, message = domain(subject(OPEN, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("llm.example.com has a record already (CNAME)")
    assert domain(subject(OPEN, account, EVERYTHING - {"alb"}))[0] is Verdict.PASSED


def test_open_webui_has_a_name_in_the_same_zone(account: Account) -> None:
    found = zone(account, "example.com.")
    chat = environment("prod", open_webui=True, hosted_zone_id=None)
    assert domain(subject(chat, account)) == (
        Verdict.PASSED,
        f"llm.example.com and chat.llm.example.com in the zone example.com ({found})",
    )
    outside = chat.model_copy(update={"open_webui_domain": "chat.example.org"})
    verdict, message = domain(subject(outside, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("chat.example.org lies outside of the zone example.com of llm.example.com")


def test_a_name_too_long_for_a_certificate_fails(account: Account) -> None:
    longest = f"{'a' * 53}.example.com"
    zone(account, "example.com.")
    verdict, message = domain(subject(environment("prod", domain=longest, hosted_zone_id=None), account))
    assert (verdict, message) == (
        Verdict.FAILED,
        f"{longest} has 65 characters; certificates have room for 64.",
    )
    assert domain(subject(environment("prod", domain=longest[1:], hosted_zone_id=None), account))[0] is Verdict.PASSED


def test_zones_that_may_not_be_listed_are_unknown(account: Account) -> None:
    answering(account, "route53", "ListHostedZones", "AccessDenied")
    with pytest.raises(RefusedError, match="route53:ListHostedZones"):
        domain(subject(OPEN, account))
    answering(account, "route53", "GetHostedZone", "AccessDenied")
    with pytest.raises(RefusedError, match="route53:GetHostedZone"):
        domain(subject(environment("prod"), account))
