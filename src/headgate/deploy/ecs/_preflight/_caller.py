"""Who is signed in, where, and at what time."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from headgate.deploy.ecs._errors import CredentialsError, WrongAccountError
from headgate.deploy.ecs._graph import resources
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

SKEW_SECONDS = 60.0
"""AWS refuses requests that are signed more than 5 minutes from its own time:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html"""
_ZONES = 2


def credentials(subject: Subject) -> Result:
    """Tell who is signed in, and refuse another account than the environment's."""
    try:
        identity = subject.identity()
    except WrongAccountError as error:
        return Verdict.FAILED, str(error)
    except CredentialsError as error:
        # Regional endpoints do not know the credentials of an account that has not enabled the region.
        region = (
            f" Where they are accepted elsewhere, the account has not enabled {subject.environment.region}."
            if "InvalidClientTokenId" in str(error)
            else ""
        )
        return Verdict.UNKNOWN, f"{error}{region}"
    return Verdict.PASSED, f"{identity.arn} of account {identity.account}"


def clock(subject: Subject) -> Result:
    """Compare this machine's time with AWS'."""
    told = _asked(subject)["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    if told is None:
        return Verdict.UNKNOWN, "AWS did not tell its time."
    ahead = subject.clock() - parsedate_to_datetime(told).timestamp()
    if abs(ahead) <= SKEW_SECONDS:
        return Verdict.PASSED, f"within {SKEW_SECONDS:.0f} s of AWS'"
    direction = "ahead of" if ahead > 0 else "behind"
    return Verdict.WARNING, (
        f"this machine is {abs(ahead):.0f} s {direction} AWS, which refuses requests from 300 s on: set its clock by"
        " NTP."
    )


def region(subject: Subject) -> Result:
    """Look for the two zones that the network takes: the first two by name."""
    try:
        found = zones(subject)
    except AnswerError as error:
        if error.code in ("AuthFailure", "OptInRequired"):
            return Verdict.FAILED, (
                f"the account has not enabled {subject.environment.region}: enable it under AWS Regions in the"
                " account's settings, or set another `region`."
            )
        raise
    if len(found) < _ZONES:
        listed = ", ".join(found) or "none"
        return Verdict.FAILED, (
            f"{subject.environment.region} has fewer than two zones that are available to this account ({listed}): set"
            " another `region`."
        )
    return Verdict.PASSED, f"{subject.environment.region} with {' and '.join(found[:_ZONES])}"


def endpoint_services(subject: Subject) -> Result:
    """Look for every service of which the network makes an endpoint, in the zones where it makes them."""
    here = f".{subject.environment.region}."
    wanted = [
        resource["Properties"]["ServiceName"]["Fn::Sub"].replace(".${AWS::Region}.", here)
        for resource in resources(subject.stacks["network"]).values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint" and resource["Properties"]["VpcEndpointType"] == "Interface"
    ]
    try:
        answer = subject.questions.ask("ec2", "describe_vpc_endpoint_services", ServiceNames=wanted)
    except AnswerError as error:
        if error.code == "InvalidServiceName":
            return Verdict.FAILED, (
                f"{subject.environment.region} does not offer every service that the network connects to: {error} Set"
                " another `region`, or leave the endpoints out of the rendered templates and set `nat: true`."
            )
        raise
    taken = set(zones(subject)[:_ZONES])
    lacking = sorted(
        f"{one['ServiceName']} in {' and '.join(missing)}"
        for one in answer["ServiceDetails"]
        if (missing := sorted(taken.difference(one.get("AvailabilityZones", ()))))
    )
    if lacking:
        return Verdict.FAILED, f"not offered: {', '.join(lacking)}. Set another `region`."
    return Verdict.PASSED, f"{len(wanted)} services have endpoints in {' and '.join(sorted(taken))}"


def zones(subject: Subject) -> list[str]:
    """Return the names of the region's zones that can be used, in the order in which templates number them."""
    return sorted(
        zone["ZoneName"]
        for zone in _asked(subject)["AvailabilityZones"]
        if zone["State"] == "available" and zone.get("ZoneType", "availability-zone") == "availability-zone"
    )


def _asked(subject: Subject) -> Mapping[str, Any]:
    return subject.questions.ask("ec2", "describe_availability_zones")
