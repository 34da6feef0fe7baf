"""Whether tasks can pull the gateway's image."""

import json

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._image import Reference, image
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.engine import Verdict
from tests.deploy.ecs.environments import ACCOUNT, DIGEST, environment
from tests.deploy.ecs.preflights import EVERYTHING, subject
from tests.doubles.moto_offers import answering

WITHOUT_IMAGE = EVERYTHING - {"image"}
ECR = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}


def pushed(account: Account, tag: str, repository: str = "headgate-dev") -> str:
    """Push an image and return its digest."""
    ecr = account.client("ecr")
    ecr.create_repository(repositoryName=repository)
    manifest = MANIFEST | {"config": {"digest": f"sha256:{DIGEST}"}}
    answer = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
    return str(answer["image"]["imageId"]["imageDigest"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("headgate", Reference("", "headgate", "", "")),
        ("berriai/litellm:v1", Reference("", "berriai/litellm", "v1", "")),
        ("ghcr.io/berriai/litellm:v1", Reference("ghcr.io", "berriai/litellm", "v1", "")),
        ("localhost:5000/a/b@sha256:1", Reference("localhost:5000", "a/b", "", "sha256:1")),
        (f"{ECR}/headgate-dev:1.0@sha256:1", Reference(ECR, "headgate-dev", "1.0", "sha256:1")),
    ],
)
def test_references_are_read_as_docker_does(text: str, expected: Reference) -> None:
    assert Reference.parse(text) == expected


def test_what_the_run_makes_needs_not_exist(account: Account) -> None:
    assert image(subject(environment("dev"), account))[0] is Verdict.PASSED


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("headgate:latest", "headgate:latest names another image every day"),
        (f"{ECR}/headgate-dev:latest", "names another image every day"),
        (f"{ECR}/headgate-dev", "has neither tag nor digest, which means `latest`"),
    ],
)
def test_an_image_that_changes_under_its_name_is_refused(account: Account, named: str, sentence: str) -> None:
    verdict, message = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
    assert verdict is Verdict.FAILED
    assert sentence in message


def test_an_image_in_ecr_is_found_by_tag_and_by_digest(account: Account) -> None:
    digest = pushed(account, "1.0")
    for named in (f"{ECR}/headgate-dev:1.0", f"{ECR}/headgate-dev@{digest}"):
        found = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
        assert found == (Verdict.PASSED, f"{named} is there")


def test_an_image_that_is_not_in_ecr_fails(account: Account) -> None:
    of = environment("dev", image=f"{ECR}/headgate-dev:2.0")
    verdict, message = image(subject(of, account, WITHOUT_IMAGE))
    assert (verdict, message) == (
        Verdict.FAILED,
        f"{ECR}/headgate-dev:2.0: account {ACCOUNT} has no repository headgate-dev in us-east-1.",
    )
    pushed(account, "1.0")
    verdict, message = image(subject(of, account, WITHOUT_IMAGE))
    assert verdict is Verdict.FAILED
    assert message.startswith(f"{ECR}/headgate-dev:2.0 does not exist")


def test_another_repository_has_to_let_tasks_in(account: Account) -> None:
    pushed(account, "1.0", "shared")
    of = environment("dev", image=f"{ECR}/shared:1.0")
    verdict, message = image(subject(of, account, WITHOUT_IMAGE))
    assert verdict is Verdict.WARNING
    assert "may pull from the repository headgate-dev alone" in message


def test_the_deployers_own_repository_is_looked_into(account: Account) -> None:
    of = subject(environment("dev"), account, WITHOUT_IMAGE)
    assert image(of) == (
        Verdict.FAILED,
        "the repository headgate-dev holds no image: `headgate deploy up image` brings it there.",
    )
    pushed(account, "1.0")
    assert image(subject(environment("dev"), account, WITHOUT_IMAGE))[0] is Verdict.PASSED


def test_an_image_outside_of_aws_needs_a_way_out(account: Account) -> None:
    named = "ghcr.io/berriai/litellm:v1"
    verdict, message = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
    assert verdict is Verdict.FAILED
    assert "private subnets reach ECR in us-east-1 alone" in message
    verdict, message = image(subject(environment("dev", image=named, nat=True), account, WITHOUT_IMAGE))
    assert verdict is Verdict.UNKNOWN
    pushed(account, "litellm-v1")
    verdict, message = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
    assert (verdict, message) == (Verdict.PASSED, "the repository headgate-dev, from which tasks pull, holds images")


def test_an_image_in_another_region_needs_a_way_out(account: Account) -> None:
    named = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/headgate-dev:1.0"
    verdict, message = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
    assert verdict is Verdict.FAILED
    assert "private subnets reach ECR in us-east-1 alone" in message
    pushed(Account("eu-west-1", call=account.call), "1.0")
    verdict, _ = image(subject(environment("dev", image=named, nat=True), account, WITHOUT_IMAGE))
    assert verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("architectures", "expected", "sentence"),
    [
        (["amd64", "arm64"], Verdict.PASSED, "is there, for X86_64"),
        (["arm64"], Verdict.FAILED, "is for arm64; tasks run on X86_64"),
    ],
)
def test_an_image_of_several_platforms_has_to_hold_that_of_tasks(
    account: Account, architectures: list[str], expected: Verdict, sentence: str
) -> None:
    kind = "application/vnd.oci.image.index.v1+json"
    answering(account, "ecr", "DescribeImages", {"imageDetails": [{"imageManifestMediaType": kind}]})
    platforms = [{"platform": {"architecture": one}} for one in [*architectures, "unknown"]]
    manifest = json.dumps({"manifests": platforms})
    answering(account, "ecr", "BatchGetImage", {"images": [{"imageManifest": manifest}]})
    of = environment("dev", image=f"{ECR}/headgate-dev:1.0")
    verdict, message = image(subject(of, account, WITHOUT_IMAGE))
    assert verdict is expected
    assert sentence in message


def test_a_registry_that_may_not_be_asked_is_unknown(account: Account) -> None:
    answering(account, "ecr", "DescribeImages", "AccessDeniedException")
    for named in ("headgate", f"{ECR}/headgate-dev:1.0"):
        with pytest.raises(RefusedError, match="ecr:DescribeImages"):
            image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
