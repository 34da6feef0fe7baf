"""Whether the domain's name and certificate can be made."""

from collections.abc import Mapping
from typing import Any

from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

_LONGEST = 64
"""ACM's limit of a certificate's first name:
https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html"""
_ADDRESSES = ("A", "AAAA", "CNAME")


def domain(subject: Subject) -> Result:
    """Look for the public zone that the domain's record and the proof of its certificate go to."""
    named = subject.environment.domain
    assert named is not None  # noqa: S101 - this check applies only with one
    if len(named) > _LONGEST:
        return Verdict.FAILED, f"{named} has {len(named)} characters; certificates have room for {_LONGEST}."
    zone = _zone_of(subject, named)
    if isinstance(zone, str):
        return Verdict.FAILED, zone
    if subject.makes("alb") and (kinds := _taken(subject, zone, named)):
        return Verdict.FAILED, (
            f"{named} has a record already ({', '.join(kinds)}), which CloudFormation does not replace: delete it, or"
            " set another `domain`."
        )
    return Verdict.PASSED, f"{named} goes to the zone {zone['Name'].rstrip('.')} ({_id(zone)})"


def _zone_of(subject: Subject, named: str) -> Mapping[str, Any] | str:
    """Return the hosted zone, or what is wrong with it."""
    given = subject.environment.hosted_zone_id
    if given is not None:
        try:
            zone: Mapping[str, Any] = subject.questions.ask("route53", "get_hosted_zone", Id=given)["HostedZone"]
        except AnswerError as error:
            if error.code != "NoSuchHostedZone":
                raise
            return f"there is no hosted zone {given}: correct `hosted_zone_id`, or leave it out to have one looked for."
        if zone["Config"].get("PrivateZone"):
            return f"the hosted zone {given} is private, where no certificate can be proven: name the public one."
        if not _above(zone, named):
            return f"the hosted zone {given} is of {zone['Name'].rstrip('.')}, which {named} does not belong to."
        return zone
    zones = subject.questions.listed("route53", "list_hosted_zones", "HostedZones")
    above = [zone for zone in zones if not zone["Config"].get("PrivateZone") and _above(zone, named)]
    if not above:
        return (
            f"this account has no public hosted zone for {named}: create one for it or for a domain above it, and have"
            " that domain delegated to the zone's name servers; or leave `domain` out."
        )
    nearest: Mapping[str, Any] = max(above, key=lambda zone: len(zone["Name"]))
    return nearest


def _above(zone: Mapping[str, Any], named: str) -> bool:
    return f".{named}.".endswith(f".{zone['Name']}")


def _taken(subject: Subject, zone: Mapping[str, Any], named: str) -> list[str]:
    """Return the types of the records that the name has and that would be in the way."""
    answer = subject.questions.ask(
        "route53",
        "list_resource_record_sets",
        HostedZoneId=_id(zone),
        StartRecordName=named,
        StartRecordType="A",
        MaxItems="10",
    )
    return [
        one["Type"] for one in answer["ResourceRecordSets"] if one["Name"] == f"{named}." and one["Type"] in _ADDRESSES
    ]


def _id(zone: Mapping[str, Any]) -> str:
    return str(zone["Id"]).rpartition("/")[2]
