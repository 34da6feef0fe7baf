"""The gateway's image: in the environment's repository, where tasks without a way out to the internet find it."""

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import headgate
from headgate.deploy._docker import DockerError, run_docker
from headgate.deploy.compose import gateway_image
from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._templates import parse_template, template_text
from headgate.deploy.engine import Action, Change, DeployError, Health, Progress, State, Trait
from headgate.deploy.settings import Environment

OWN = "headgate"
"""What the deployment file calls Headgate's own image."""
_ECR = re.compile(
    r"(?P<name>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+))"
    r"(:(?P<tag>[^@]+))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
_LONGEST_TAG = 128
_READ_SECONDS = 30.0
_MOVE_SECONDS = 1800.0
"""How long a build, a pull or a push may take."""


@dataclass(frozen=True)
class ImageComponent:
    """Brings what the deployment file names as image into the environment's repository.

    `headgate` is this release of Headgate: the image of that name on this machine, else built from the sources in
    `sources`. A reference in ECR is used as it is. Anything else is copied under a tag that is made of its reference.
    """

    account: Account
    environment: Environment
    image: str
    name: str = "image"
    requires: tuple[str, ...] = ("bootstrap",)
    trait: Trait = Trait.NORMAL
    sources: Path = field(default=Path(headgate.__file__).parents[2])
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def tag(self) -> str:
        """Return the tag under which the image is kept."""
        return image_tag(self.image)

    @property
    def reference(self) -> str:
        """Return the image by its digest. Raises `DeployError` when it is not in the repository."""
        found = _ECR.fullmatch(self.image)
        with explained("The image"):
            if found is not None:
                return f"{found['name']}@{self._given_digest(found)}"
            digest = self._digest(self.environment.prefix, {"imageTag": self.tag})
            return f"{self._uri()}@{digest}"

    def describe(self) -> State:
        """Ask the repository. Raises `DeployError` when it does not tell."""
        found = _ECR.fullmatch(self.image)
        try:
            with explained("The image"):
                if found is not None:
                    return State(Health.HEALTHY, f"used as it is, {self._given_digest(found)[:19]}")
                digest = self._digest(self.environment.prefix, {"imageTag": self.tag})
                return State(Health.HEALTHY, f"{self.tag}, {digest[:19]}")
        except _AbsentError as error:
            return State(Health.ABSENT, str(error))

    def plan(self, state: State) -> Change:
        """Say where it comes from, or what there is to do by hand."""
        if state.health is Health.HEALTHY:
            return Change(Action.SKIP, (state.reason,))
        if _ECR.fullmatch(self.image) is not None:
            if state.health is Health.UNKNOWN:
                return Change(Action.SKIP, ("used as it is",))
            return Change(Action.BLOCKED, (f"{state.reason}: push it there, or name another in gateway.image",))
        if _is_moving(self._upstream):
            text = f"{self._upstream} means another image every day: name a version"
            return Change(Action.BLOCKED, (text,))
        if state.health is Health.UNKNOWN:
            return Change(Action.CREATE, ("brought into the repository, if it is not there already",))
        if (obstacle := self._obstacle()) is not None:
            return Change(Action.BLOCKED, (obstacle, f"where Docker is: {' && '.join(self._by_hand())}"))
        return Change(Action.CREATE, (self._origin(),))

    def plan_destroy(self, state: State) -> Change:
        """Leave it in its repository."""
        return Change(Action.SKIP, ("it stays in the repository and goes with it",))

    def apply(self, progress: Progress) -> None:
        """Build or fetch it, and push it. Raises `DeployError`."""
        if self.describe().health is Health.HEALTHY:
            return
        change = self.plan(State(Health.ABSENT))
        if change.action is Action.BLOCKED:
            raise DeployError("\n".join(change.reasons))
        with explained("The image"):
            target = f"{self._uri()}:{self.tag}"
        self._fetch(progress)
        self._docker("tag", self._upstream, target)
        self._push(target, progress)
        progress(f"pushed {self.reference}")

    def destroy(self, progress: Progress) -> None:
        """Leave it."""

    @property
    def _upstream(self) -> str:
        return gateway_image(self.image)

    def _fetch(self, progress: Progress) -> None:
        if self.image != OWN:
            progress(f"pulling {self._upstream}")
            self._docker("pull", "--platform", platform(), self._upstream)
        elif not self._is_here():
            progress(f"building {self._upstream} from the Dockerfile in {self.sources}")
            version = ("--build-arg", f"VERSION={headgate.__version__}")
            self._docker("build", "--platform", platform(), *version, "--tag", self._upstream, str(self.sources))

    def _push(self, target: str, progress: Progress) -> None:
        registry = target.partition("/")[0]
        with explained("The registry"):
            client = self.account.client("ecr")
            [given] = self.account.call(client.get_authorization_token)["authorizationData"]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        login = ("login", "--username", user, "--password-stdin", registry)
        try:
            self._docker(*login, given=password, secret=password)
            progress(f"pushing {target}")
            self._docker("push", target, secret=password)
        except DockerError:
            # Tags never change here: a push is refused when somebody else was faster.
            if self.describe().health is not Health.HEALTHY:
                raise
        finally:
            with contextlib.suppress(DockerError):
                self._docker("logout", registry)

    def _digest(self, repository: str, wanted: Mapping[str, str], registry: str | None = None) -> str:
        client = self.account.client("ecr")
        owner = {} if registry is None else {"registryId": registry}
        try:
            answer = self.account.call(
                client.describe_images, repositoryName=repository, imageIds=[dict(wanted)], **owner
            )
        except client.exceptions.RepositoryNotFoundException:
            raise _AbsentError(f"there is no repository {repository}") from None
        except client.exceptions.ImageNotFoundException:
            raise _AbsentError(f"there is no {next(iter(wanted.values()))} in the repository {repository}") from None
        return str(answer["imageDetails"][0]["imageDigest"])

    def _given_digest(self, found: re.Match[str]) -> str:
        """Return the digest of an image that is in ECR already.

        One that is named by its digest in another region, or where these credentials may not look, is taken as named.
        """
        from botocore.exceptions import ClientError

        digest = found["digest"]
        if found["region"] != self.account.region:
            if digest:
                return str(digest)
            raise _AbsentError(f"the image is in {found['region']}, from where it has to be named by @sha256:...")
        wanted = {"imageDigest": digest} if digest else {"imageTag": found["tag"] or "latest"}
        try:
            return self._digest(found["repository"], wanted, found["account"])
        except ClientError:
            if digest:
                return str(digest)
            raise

    def _uri(self) -> str:
        """Return the repository's address, also of one that is still to be made."""
        identity = self.account.identity()
        suffix = "amazonaws.com.cn" if identity.partition == "aws-cn" else "amazonaws.com"
        return f"{identity.account}.dkr.ecr.{self.account.region}.{suffix}/{self.environment.prefix}"

    def _origin(self) -> str:
        if self.image != OWN:
            return f"copied from {self._upstream}"
        if self._is_here():
            return f"copied from {self._upstream} on this machine"
        return f"built from the Dockerfile in {self.sources}"

    def _obstacle(self) -> str | None:
        try:
            self._docker("info", "--format", "{{.ServerVersion}}", seconds=_READ_SECONDS)
        except DockerError as error:
            return str(error)
        if self.image == OWN and not self._is_here() and not self._has_sources():
            return f"there is neither an image {self._upstream} for {platform()} on this machine nor Headgate's source"
        return None

    def _has_sources(self) -> bool:
        return (self.sources / "Dockerfile").is_file() and (self.sources / "src" / "headgate").is_dir()

    def _is_here(self) -> bool:
        """Tell whether Docker has Headgate's image, made for the machines that tasks run on."""
        try:
            of = self._docker(
                *("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", self._upstream), seconds=_READ_SECONDS
            )
        except DockerError:
            return False
        return of.strip() == platform()

    def _by_hand(self) -> tuple[str, ...]:
        """Return the commands that do the same on another machine."""
        with explained("The image"):
            target = f"{self._uri()}:{self.tag}"
        fetch = f"docker pull --platform {platform()} {self._upstream}"
        if self.image == OWN:
            fetch = f"cd HEADGATE_SOURCE && docker build --platform {platform()} --tag {self._upstream} ."
        password = f"aws ecr get-login-password --region {self.account.region}"
        return (
            fetch,
            f"docker tag {self._upstream} {target}",
            f"{password} | docker login --username AWS --password-stdin {target.partition('/')[0]}",
            f"docker push {target}",
        )

    def _docker(
        self, *arguments: str, seconds: float = _MOVE_SECONDS, given: str | None = None, secret: str | None = None
    ) -> str:
        def hide(text: str) -> str:
            return text.replace(secret, "[hidden]") if secret else text

        return run_docker(arguments, environ=self.environ, seconds=seconds, given=given, hide=hide)


class _AbsentError(DeployError):
    """What was looked for is not in a registry."""


def is_in_ecr(image: str) -> bool:
    """Tell whether a reference is one in ECR, which is used as it is."""
    return _ECR.fullmatch(image) is not None


def image_tag(image: str) -> str:
    """Return the tag under which an environment's repository keeps what a deployment file names as image.

    Another reference gives another tag: what is too long for one ends in a digest of itself.
    """
    if image == OWN:
        return headgate.__version__
    reference = gateway_image(image)
    tag = re.sub(r"[^A-Za-z0-9._-]", "-", reference)
    if len(tag) > _LONGEST_TAG:
        digest = hashlib.sha256(reference.encode()).hexdigest()[:16]
        tag = f"{tag[: _LONGEST_TAG - len(digest) - 1]}-{digest}"
    return tag


def platform() -> str:
    """Return the platform that tasks run on, as Docker calls it."""
    parameters: Mapping[str, Any] = parse_template(template_text("gateway"))["Parameters"]
    return _PLATFORMS[parameters["CpuArchitecture"]["Default"]]


def _is_moving(reference: str) -> bool:
    if "@" in reference:
        return False
    _, _, tag = reference.rpartition("/")[2].partition(":")
    return tag in ("", "latest")
