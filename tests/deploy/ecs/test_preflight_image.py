"""Whether tasks can pull the gateway's image."""

import json

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._image import image_tag
from headgate.deploy.ecs._preflight._image import image, is_webui_in_ecr, webui_image
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.engine import Verdict
from tests.deploy.ecs.environments import ACCOUNT, DIGEST, environment
from tests.deploy.ecs.preflights import EVERYTHING, pushed, subject
from tests.doubles.moto_offers import answering

WITHOUT_IMAGE = EVERYTHING - {"image"}
ECR = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"


def test_what_the_run_brings_needs_not_be_there(account: Account) -> None:
    assert image(subject(environment("dev"), account)) == (
        Verdict.PASSED,
        "this run brings it to the repository headgate-dev",
    )


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("ghcr.io/berriai/litellm:latest", "ghcr.io/berriai/litellm:latest names another image every day"),
        (f"{ECR}/headgate-dev:latest", "names another image every day"),
        (f"{ECR}/headgate-dev", "names another image every day"),
    ],
)
def test_an_image_that_changes_under_its_name_is_refused(account: Account, named: str, sentence: str) -> None:
    verdict, message = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
    assert verdict is Verdict.FAILED
    assert sentence in message


@pytest.mark.parametrize("named", ["headgate", "litellm", "ghcr.io/berriai/litellm:v1", f"a/b@sha256:{DIGEST}"])
def test_an_image_from_elsewhere_is_looked_for_where_it_is_copied_to(account: Account, named: str) -> None:
    of = environment("dev", image=named)
    tag = image_tag(named)
    missing = (
        Verdict.FAILED,
        f"headgate-dev:{tag} is not in ECR of account {ACCOUNT} in us-east-1: `headgate deploy up image` brings it"
        " there.",
    )
    assert image(subject(of, account, WITHOUT_IMAGE)) == missing
    pushed(account, "another")
    assert image(subject(of, account, WITHOUT_IMAGE)) == missing
    pushed(account, tag)
    assert image(subject(of, account, WITHOUT_IMAGE)) == (Verdict.PASSED, f"headgate-dev:{tag} is there")


def test_an_image_in_ecr_is_found_by_tag_and_by_digest(account: Account) -> None:
    digest = pushed(account, "1.0")
    for identifier in (":1.0", f"@{digest}", f":1.0@{digest}"):
        of = environment("dev", image=f"{ECR}/headgate-dev{identifier}")
        assert image(subject(of, account, WITHOUT_IMAGE))[0] is Verdict.PASSED


def test_an_image_that_is_not_in_ecr_fails(account: Account) -> None:
    of = environment("dev", image=f"{ECR}/shared:2.0")
    missing = (
        Verdict.FAILED,
        f"shared:2.0 is not in ECR of account {ACCOUNT} in us-east-1: push it, or name another.",
    )
    assert image(subject(of, account, WITHOUT_IMAGE)) == missing
    pushed(account, "1.0", "shared")
    assert image(subject(of, account, WITHOUT_IMAGE)) == missing


def test_another_repository_has_to_let_tasks_in(account: Account) -> None:
    pushed(account, "1.0", "shared")
    verdict, message = image(subject(environment("dev", image=f"{ECR}/shared:1.0"), account, WITHOUT_IMAGE))
    assert verdict is Verdict.WARNING
    assert message.startswith("shared:1.0 is there, but the role that starts tasks may pull from the repository headga")


def test_an_image_in_another_region_needs_a_way_out(account: Account) -> None:
    named = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/headgate-dev:1.0"
    verdict, message = image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
    assert verdict is Verdict.FAILED
    assert "private subnets reach ECR in us-east-1 alone" in message
    pushed(Account("eu-west-1", call=account.call), "1.0")
    assert image(subject(environment("dev", image=named, nat=True), account, WITHOUT_IMAGE))[0] is Verdict.WARNING


@pytest.mark.parametrize(
    ("architectures", "expected", "sentence"),
    [
        (["amd64", "arm64"], Verdict.PASSED, "headgate-dev:1.0 is there, for X86_64"),
        (["arm64"], Verdict.FAILED, "headgate-dev:1.0 is for arm64; tasks run on X86_64"),
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
    assert message.startswith(sentence)


def test_the_image_of_open_webui_is_used_as_it_is(account: Account) -> None:
    of = environment("dev", open_webui=True, open_webui_image=f"{ECR}/chat:1.0")
    assert is_webui_in_ecr(subject(of, account))
    assert webui_image(subject(of, account))[0] is Verdict.FAILED
    pushed(account, "1.0", "chat")
    assert webui_image(subject(of, account))[0] is Verdict.WARNING
    pushed(account, "open-webui")
    ours = of.model_copy(update={"open_webui_image": f"{ECR}/headgate-dev:open-webui"})
    assert webui_image(subject(ours, account)) == (Verdict.PASSED, "headgate-dev:open-webui is there")


@pytest.mark.parametrize(
    "changes",
    [{"nat": True}, {"nat": True, "open_webui_image": "ghcr.io/open-webui/open-webui:1"}, {"open_webui": False}],
)
def test_an_image_of_open_webui_outside_of_ecr_is_not_looked_at(account: Account, changes: dict[str, object]) -> None:
    assert not is_webui_in_ecr(subject(environment("dev", **{"open_webui": True, **changes}), account))


def test_a_registry_that_may_not_be_asked_is_unknown(account: Account) -> None:
    answering(account, "ecr", "DescribeImages", "AccessDeniedException")
    for named in ("headgate", f"{ECR}/headgate-dev:1.0"):
        with pytest.raises(RefusedError, match="ecr:DescribeImages"):
            image(subject(environment("dev", image=named), account, WITHOUT_IMAGE))
