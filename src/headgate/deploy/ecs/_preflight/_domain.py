"""Whether the domain's name and certificate can be made."""

from collections.abc import Mapping
from typing import Any

from headgate.deploy.ecs._graph import parameter_values
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

_LONGEST = 64
"""ACM's limit of a certificate's first name:
https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html"""
_ADDRESSES = ("A", "AAAA", "CNAME")


def domain(subject: Subject) -> Result:
    """Look for the public zone that the names' records and the proof of their certificates go to."""
    names = _names(subject)
    if long := [name for name in names if len(name) > _LONGEST]:
        return Verdict.FAILED, f"{long[0]} has {len(long[0])} characters; certificates have room for {_LONGEST}."
    zone = _zone_of(subject, names[0])
    if isinstance(zone, str):
        return Verdict.FAILED, zone
    if outside := [name for name in names if not _above(zone, name)]:
        return Verdict.FAILED, (
            f"{outside[0]} lies outside of the zone {_named(zone)} of {names[0]}: set another `open_webui_domain`."
        )
    for name in names if subject.makes("alb") else ():
        if kinds := _taken(subject, zone, name):
            return Verdict.FAILED, (
                f"{name} has a record already ({', '.join(kinds)}), which CloudFormation does not replace: delete it,"
                " or set another name."
            )
    return Verdict.PASSED, f"{' and '.join(names)} in the zone {_named(zone)} ({_id(zone)})"


def _names(subject: Subject) -> list[str]:
    """Return the names that the load balancer answers to: the gateway's, and Open WebUI's where it runs."""
    values = parameter_values(subject.stacks["alb"])
    return [name for name in (values["DomainName"], values["OpenWebUiDomainName"]) if name]


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
            return f"the hosted zone {given} is of {_named(zone)}, which {named} does not belong to."
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


def _named(zone: Mapping[str, Any]) -> str:
    return str(zone["Name"]).rstrip(".")
