"""The gateway's image on its way into the environment's repository, with a docker of the tests' own."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

import headgate
from headgate.deploy.compose import LITELLM
from headgate.deploy.ecs import Account
from headgate.deploy.ecs._image import ImageComponent, image_tag
from headgate.deploy.engine import Action, DeployError, Health, State
from tests.deploy.ecs.environments import ACCOUNT, environment
from tests.deploy.ecs.registry_double import RegistryDouble
from tests.deploy.ecs.restorable import Said

REPOSITORY = "headgate-dev"
URI = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}"
OWN = f"headgate:{headgate.__version__}"
TOKEN = f"{ACCOUNT}-auth-token"


@pytest.fixture
def docker(tmp_path: Path, empty_world: str) -> RegistryDouble:
    port = urlsplit(empty_world).port
    assert port is not None
    return RegistryDouble(tmp_path / "bin", port)


@pytest.fixture
def repository(account: Account) -> Account:
    account.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    return account


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "checkout" / "src" / "headgate").mkdir(parents=True)
    (tmp_path / "checkout" / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path / "checkout"


def component(
    account: Account, image: str, docker: RegistryDouble | None = None, sources: Path = Path("/nonexistent")
) -> ImageComponent:
    environ: Mapping[str, str] = {"PATH": "/nonexistent"} if docker is None else docker.environ
    return ImageComponent(account, environment("dev"), image, sources=sources, environ=environ)


def pushed(account: Account) -> dict[str, str]:
    """Return the digests in the repository by tag."""
    images = account.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
    return {tag: image["imageDigest"] for image in images for tag in image.get("imageTags", [])}


def commands(docker: RegistryDouble) -> list[str]:
    """Return what docker did, questions left out."""
    return [call[0] for call in docker.calls() if call[0] not in ("info", "image")]


def test_the_own_image_is_built_where_its_source_is(repository: Account, docker: RegistryDouble, sources: Path) -> None:
    image = component(repository, "headgate", docker, sources)
    said = Said()
    assert image.describe().health is Health.ABSENT
    change = image.plan(image.describe())
    assert (change.action, change.reasons) == (Action.CREATE, (f"built from the Dockerfile in {sources}",))

    image.apply(said)

    digest = pushed(repository)[headgate.__version__]
    assert image.reference == f"{URI}@{digest}"
    assert image.describe().health is Health.HEALTHY
    assert image.plan(image.describe()).action is Action.SKIP
    assert commands(docker) == ["build", "tag", "login", "push", "logout"]
    [build] = [call for call in docker.calls() if call[0] == "build"]
    assert build[1:] == [
        *("--platform", "linux/amd64", "--build-arg", f"VERSION={headgate.__version__}", "--tag", OWN, str(sources))
    ]
    assert said[-1] == f"pushed {URI}@{digest}"

    image.apply(said)
    assert commands(docker).count("push") == 1


def test_an_image_that_is_on_this_machine_is_copied_if_tasks_can_run_it(
    repository: Account, docker: RegistryDouble, sources: Path
) -> None:
    image = component(repository, "headgate", docker, sources)
    docker.set(images={OWN: "linux/arm64"})
    assert image.plan(image.describe()).reasons == (f"built from the Dockerfile in {sources}",)
    docker.set(images={OWN: "linux/amd64"})
    assert image.plan(image.describe()).reasons == (f"copied from {OWN} on this machine",)
    image.apply(Said())
    assert commands(docker) == ["tag", "login", "push", "logout"]


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("litellm", LITELLM),
        ("example.com:5000/team/gateway:1.2", "example.com:5000/team/gateway:1.2"),
    ],
)
def test_what_is_elsewhere_is_copied(repository: Account, docker: RegistryDouble, name: str, upstream: str) -> None:
    docker.set(upstream=[upstream])
    image = component(repository, name, docker)
    assert image.plan(image.describe()).reasons == (f"copied from {upstream}",)
    image.apply(Said())
    assert set(pushed(repository)) == {image_tag(name)}
    assert image.reference.startswith(f"{URI}@sha256:")
    [pull] = [call for call in docker.calls() if call[0] == "pull"]
    assert pull[1:] == ["--platform", "linux/amd64", upstream]


def test_the_token_is_on_no_command_line_in_no_error_and_ends(repository: Account, docker: RegistryDouble) -> None:
    docker.set(upstream=[LITELLM], refuses="denied for")
    said = Said()
    with pytest.raises(DeployError, match=r"denied for \[hidden\]") as caught:
        component(repository, "litellm", docker).apply(said)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in "\n".join(said)
    assert TOKEN not in str(docker.calls())
    assert docker.world()["login"] is None
    [login] = [call for call in docker.calls() if call[0] == "login"]
    assert login[1:] == ["--username", "AWS", "--password-stdin", URI.partition("/")[0]]

    docker.set(refuses="")
    component(repository, "litellm", docker).apply(said)
    assert TOKEN not in "\n".join(said)


def test_somebody_else_may_be_faster(repository: Account, docker: RegistryDouble) -> None:
    docker.set(upstream=[LITELLM])
    component(repository, "litellm", docker).apply(Said())
    slow = component(repository, "litellm", docker)
    with pytest.MonkeyPatch.context() as patch:
        states = iter([State(Health.ABSENT)])
        described = ImageComponent.describe
        patch.setattr(ImageComponent, "describe", lambda self: next(states, None) or described(self))
        docker.set(refuses="tag is immutable")
        slow.apply(Said())


def test_without_docker_the_plan_says_what_to_type_elsewhere(repository: Account, docker: RegistryDouble) -> None:
    image = component(repository, "litellm")
    change = image.plan(image.describe())
    assert change.action is Action.BLOCKED
    assert change.reasons[0] == "Docker is not installed: there is no `docker` on the PATH."
    target = f"{URI}:{image_tag('litellm')}"
    assert change.reasons[1] == (
        f"where Docker is: docker pull --platform linux/amd64 {LITELLM} && docker tag {LITELLM} {target} && aws ecr"
        " get-login-password --region us-east-1 | docker login --username AWS --password-stdin"
        f" {URI.partition('/')[0]} && docker push {target}"
    )
    with pytest.raises(DeployError, match="Docker is not installed"):
        image.apply(Said())
    docker.set(down=True)
    image = component(repository, "litellm", docker)
    assert "Cannot connect to the Docker daemon" in image.plan(image.describe()).reasons[0]


def test_without_image_and_source_the_own_one_can_not_be_had(repository: Account, docker: RegistryDouble) -> None:
    image = component(repository, "headgate", docker)
    change = image.plan(image.describe())
    assert change.action is Action.BLOCKED
    assert change.reasons[0].startswith(f"there is neither an image {OWN} for linux/amd64 on this machine nor")
    assert "docker build" in change.reasons[1]


def test_nothing_is_known_without_a_repository_or_credentials(
    account: Account, docker: RegistryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = component(account, "litellm", docker)
    assert image.describe().reason == f"there is no repository {REPOSITORY}"
    with pytest.raises(DeployError, match="there is no repository headgate-dev"):
        _ = image.reference
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    nobody = component(Account("us-east-1"), "litellm", docker)
    with pytest.raises(DeployError, match="no AWS credentials"):
        nobody.describe()
    assert nobody.plan(State(Health.UNKNOWN)).action is Action.CREATE


def test_an_image_in_ecr_is_used_as_it_is(repository: Account, docker: RegistryDouble) -> None:
    docker.set(upstream=[LITELLM])
    component(repository, "litellm", docker).apply(Said())
    [(tag, digest)] = pushed(repository).items()
    for given in (f"{URI}:{tag}", f"{URI}@{digest}", f"{URI}:{tag}@{digest}"):
        image = component(repository, given)
        assert image.describe().health is Health.HEALTHY
        assert image.plan(image.describe()).action is Action.SKIP
        assert image.reference == f"{URI}@{digest}"


def test_an_image_that_is_not_in_ecr_although_it_should_be_is_said(repository: Account) -> None:
    image = component(repository, f"{URI}:1.2")
    change = image.plan(image.describe())
    assert change.action is Action.BLOCKED
    assert change.reasons == (
        "there is no 1.2 in the repository headgate-dev: push it there, or name another in gateway.image",
    )
    with pytest.raises(DeployError, match=r"there is no 1\.2"):
        _ = image.reference
    far = component(repository, URI.replace("us-east-1", "eu-west-1") + ":1.2")
    assert "has to be named by @sha256" in far.plan(far.describe()).reasons[0]
    named = URI.replace("us-east-1", "eu-west-1") + "@sha256:" + "0" * 64
    assert component(repository, named).reference == named


@pytest.mark.parametrize("reference", ["quay.io/team/gateway", "quay.io/team/gateway:latest"])
def test_a_tag_that_moves_is_no_version(repository: Account, docker: RegistryDouble, reference: str) -> None:
    image = component(repository, reference, docker)
    change = image.plan(image.describe())
    assert (change.action, "name a version" in change.reasons[0]) == (Action.BLOCKED, True)
    with pytest.raises(DeployError, match="name a version"):
        image.apply(Said())
    assert commands(docker) == []


def test_taking_it_down_leaves_it_to_the_repository(repository: Account) -> None:
    image = component(repository, "litellm")
    assert image.plan_destroy(image.describe()).action is Action.SKIP


def test_a_tag_is_made_of_the_reference_and_no_two_share_one() -> None:
    assert image_tag("headgate") == headgate.__version__
    assert image_tag("litellm") == "ghcr.io-berriai-litellm-database-main-v1.80.5-stable"
    assert image_tag("quay.io/a/b:1.2") == "quay.io-a-b-1.2"
    long = "quay.io/" + "a" * 150
    assert len(image_tag(f"{long}:1")) == 128
    assert image_tag(f"{long}:1") != image_tag(f"{long}:2")
