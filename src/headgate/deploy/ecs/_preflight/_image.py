"""Whether tasks can pull the gateway's image."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from headgate.deploy.ecs._graph import parameter_values
from headgate.deploy.ecs._image import image_tag
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

_IN_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)
_INDEXES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
"""Manifests that list images for several platforms:
https://github.com/opencontainers/image-spec/blob/main/image-index.md"""
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}


@dataclass(frozen=True)
class Place:
    """Where an image lies in ECR, and its tag or digest there."""

    account: str
    region: str
    repository: str
    identifier: Mapping[str, str]

    @property
    def home(self) -> tuple[str, str, str]:
        """Return account, region and repository."""
        return self.account, self.region, self.repository

    def __str__(self) -> str:
        """Name it as a user would."""
        return f"{self.repository}:{self.identifier.get('imageTag') or self.identifier['imageDigest']}"


def image(subject: Subject) -> Result:
    """Look for the image where tasks will pull it from, unless the run brings it there."""
    named, ours = subject.environment.image, subject.environment.prefix
    if named.endswith(":latest"):
        return Verdict.FAILED, _moving(named)
    if subject.makes("image"):
        return Verdict.PASSED, f"this run brings it to the repository {ours}"
    if _IN_ECR.fullmatch(named) is not None:
        return _named_in_ecr(subject, named)
    # The deployer copies it, under a tag that tells where it is from.
    return _found(subject, Place(*_own(subject), {"imageTag": image_tag(named)}))


def is_webui_in_ecr(subject: Subject) -> bool:
    """Tell whether Open WebUI runs from an image in ECR; one elsewhere takes a NAT gateway, and is not looked at."""
    named = subject.environment.open_webui_image
    return subject.environment.open_webui and named is not None and _IN_ECR.fullmatch(named) is not None


def webui_image(subject: Subject) -> Result:
    """Look for Open WebUI's image, which is used as it is."""
    assert subject.environment.open_webui_image is not None  # noqa: S101 - this check applies only with one in ECR
    return _named_in_ecr(subject, subject.environment.open_webui_image)


def _named_in_ecr(subject: Subject, named: str) -> Result:
    given = _IN_ECR.fullmatch(named)
    assert given is not None  # noqa: S101 - both callers have looked
    if not given["digest"] and given["tag"] in (None, "latest"):
        return Verdict.FAILED, _moving(named)
    if given["region"] != subject.environment.region and not subject.environment.nat:
        return Verdict.FAILED, (
            f"{named} can not be pulled: private subnets reach ECR in {subject.environment.region} alone. Copy it"
            " there, or set `nat: true`."
        )
    identifier = {"imageDigest": given["digest"]} if given["digest"] else {"imageTag": given["tag"]}
    return _found(subject, Place(given["account"], given["region"], given["repository"], identifier))


def _moving(named: str) -> str:
    return f"{named} names another image every day: name a version's tag, or a digest."


def _own(subject: Subject) -> tuple[str, str, str]:
    """Return account, region and name of the repository that the deployer fills and that tasks may pull from."""
    return subject.identity().account, subject.environment.region, subject.environment.prefix


def _found(subject: Subject, place: Place) -> Result:
    own = _own(subject)
    where = {"registryId": place.account, "repositoryName": place.repository}
    questions = subject.elsewhere(place.region)
    try:
        answer = questions.ask("ecr", "describe_images", **where, imageIds=[dict(place.identifier)])
    except AnswerError as error:
        if error.code not in ("RepositoryNotFoundException", "ImageNotFoundException"):
            raise
        remedy = "`headgate deploy up image` brings it there" if place.home == own else "push it, or name another"
        return Verdict.FAILED, f"{place} is not in ECR of account {place.account} in {place.region}: {remedy}."
    if place.home != own:
        return Verdict.WARNING, (
            f"{place} is there, but the role that starts tasks may pull from the repository {own[2]} alone: let the"
            " other repository's policy allow the role, or push the image to ours."
        )
    if answer["imageDetails"][0].get("imageManifestMediaType") in _INDEXES:
        index = questions.ask("ecr", "batch_get_image", **where, imageIds=[dict(place.identifier)])
        return _of_architecture(subject, place, index["images"][0]["imageManifest"])
    return Verdict.PASSED, f"{place} is there"


def _of_architecture(subject: Subject, place: Place, manifest: str) -> Result:
    """Look into the index of an image of several platforms for the one that tasks run on."""
    wanted = parameter_values(subject.stacks["gateway"])["CpuArchitecture"]
    listed = json.loads(manifest).get("manifests", [])
    found = sorted({str(one.get("platform", {}).get("architecture")) for one in listed} - {"unknown", "None"})
    if _ARCHITECTURES[wanted] not in found:
        return Verdict.FAILED, f"{place} is for {', '.join(found)}; tasks run on {wanted}: build it for that, too."
    return Verdict.PASSED, f"{place} is there, for {wanted}"
