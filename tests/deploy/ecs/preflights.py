"""What a check looks at, made short."""

import contextlib
import json
from datetime import UTC, datetime

from headgate.deploy.ecs import TEMPLATES, Account
from headgate.deploy.ecs._preflight._questions import Questions
from headgate.deploy.ecs._preflight._subject import Subject
from headgate.deploy.settings import Environment

EVERYTHING = frozenset({*TEMPLATES, "image"} - {"bootstrap"})
"""The components of a first run."""
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def subject(
    of: Environment,
    account: Account,
    made_here: frozenset[str] = EVERYTHING,
    acts_on: frozenset[str] | None = None,
    now: float = NOW.timestamp(),
) -> Subject:
    """Return a subject with its own questions."""
    return Subject(of, account, made_here, acts_on, lambda: now, Questions(account))


def pushed(account: Account, tag: str, repository: str = "headgate-dev") -> str:
    """Push an image, into a new repository where there is none, and return its digest."""
    ecr = account.client("ecr")
    with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=repository)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"digest": f"sha256:{tag.encode().hex():0>64.64}"},
        "layers": [],
    }
    answer = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
    return str(answer["image"]["imageId"]["imageDigest"])
