"""Whether tasks can pull the gateway's image."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._graph import parameter_values
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_INDEXES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
"""Manifests that list images for several platforms:
https://github.com/opencontainers/image-spec/blob/main/image-index.md"""
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}


@dataclass(frozen=True)
class Reference:
    """An image's registry, empty for Docker Hub's, its repository there, and its tag or digest, empty without one."""

    registry: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read `registry/repository:tag@digest`; a registry has a dot or a port in its name, or is localhost."""
        named, _, digest = text.partition("@")
        head, slash, last = named.rpartition("/")
        name, _, tag = last.partition(":")
        first, _, rest = f"{head}{slash}{name}".partition("/")
        if rest and ("." in first or ":" in first or first == "localhost"):
            return cls(first, rest, tag, digest)
        return cls("", f"{head}{slash}{name}", tag, digest)

    @property
    def identifier(self) -> Mapping[str, str]:
        """The tag or digest as ECR takes it."""
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag}


def image(subject: Subject) -> Result:
    """Look for the image, unless the run brings it: in the environment's own repository, else where its name leads."""
    named, ours = subject.environment.image, subject.environment.prefix
    reference = Reference.parse(named)
    if reference.tag == "latest" and not reference.digest:
        return Verdict.FAILED, f"{named} names another image every day: name a version's tag, or a digest."
    if subject.makes("image"):
        return Verdict.PASSED, f"this run brings it to the repository {ours}"
    if "/" in named and not reference.tag and not reference.digest:
        return Verdict.FAILED, f"{named} has neither tag nor digest, which means `latest`: name a version's tag."
    ecr = _REGISTRY.fullmatch(reference.registry)
    if ecr and (ecr["account"], ecr["region"], reference.repository) == _own(subject):
        return _in_ecr(subject, reference, ecr["account"], ecr["region"])
    if _holds_images(subject):
        return Verdict.PASSED, f"the repository {ours}, from which tasks pull, holds images"
    if "/" not in named:
        return Verdict.FAILED, f"the repository {ours} holds no image: `headgate deploy up image` brings it there."
    if not subject.environment.nat and (ecr is None or ecr["region"] != subject.environment.region):
        return Verdict.FAILED, (
            f"{named} can not be pulled: private subnets reach ECR in {subject.environment.region} alone. `headgate"
            f" deploy up image` copies it to the repository {ours}; or set `nat: true`."
        )
    if ecr is None:
        return Verdict.UNKNOWN, f"{named} lies outside of ECR: whether tasks can pull it was not looked at."
    return _in_ecr(subject, reference, ecr["account"], ecr["region"])


def _own(subject: Subject) -> tuple[str, str, str]:
    """Return account, region and name of the repository that the role of starting tasks may pull from."""
    return subject.identity().account, subject.environment.region, subject.environment.prefix


def _holds_images(subject: Subject) -> bool:
    """Tell whether anything is in the environment's own repository, to which the deployer copies images."""
    repository = subject.environment.prefix
    try:
        answer = subject.questions.ask("ecr", "describe_images", repositoryName=repository, maxResults=1)
    except AnswerError as error:
        if error.code != "RepositoryNotFoundException":
            raise
        return False
    return bool(answer["imageDetails"])


def _in_ecr(subject: Subject, reference: Reference, account: str, region: str) -> Result:
    named, own = subject.environment.image, _own(subject)
    where = {"registryId": account, "repositoryName": reference.repository}
    try:
        answer = subject.elsewhere(region).ask("ecr", "describe_images", **where, imageIds=[reference.identifier])
    except AnswerError as error:
        if error.code == "RepositoryNotFoundException":
            return Verdict.FAILED, f"{named}: account {account} has no repository {reference.repository} in {region}."
        if error.code == "ImageNotFoundException":
            return Verdict.FAILED, f"{named} does not exist: push it, or name one that {reference.repository} holds."
        raise
    if (account, region, reference.repository) != own:
        return Verdict.WARNING, (
            f"{named} exists, but the role that starts tasks may pull from the repository {own[2]} alone: `headgate"
            " deploy up image` copies it there; or let the other repository's policy allow the role."
        )
    if answer["imageDetails"][0].get("imageManifestMediaType") in _INDEXES:
        return _of_architecture(subject, reference, where)
    return Verdict.PASSED, f"{named} is there"


def _of_architecture(subject: Subject, reference: Reference, where: Mapping[str, Any]) -> Result:
    """Look into the index of an image of several platforms for the one that tasks run on."""
    named = subject.environment.image
    wanted = parameter_values(subject.stacks["gateway"])["CpuArchitecture"]
    answer = subject.questions.ask("ecr", "batch_get_image", **where, imageIds=[reference.identifier])
    listed = json.loads(answer["images"][0]["imageManifest"]).get("manifests", [])
    found = sorted({str(one.get("platform", {}).get("architecture")) for one in listed} - {"unknown", "None"})
    if _ARCHITECTURES[wanted] not in found:
        return Verdict.FAILED, f"{named} is for {', '.join(found)}; tasks run on {wanted}: build it for that, too."
    return Verdict.PASSED, f"{named} is there, for {wanted}"
