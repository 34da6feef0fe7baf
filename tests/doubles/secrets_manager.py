"""Secrets Manager by moto, whose rotation calls the real handler in this process."""

import itertools
import json
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import boto3
import moto.awslambda.models
from moto import mock_aws

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
REGION = "eu-central-1"
_NOBODY = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}
_HIDDEN = (
    *("password", "DATABASE_URL", "current", "previous", "LITELLM_MASTER_KEY", "LITELLM_SALT_KEY"),
    *("UI_PASSWORD", "REDIS_PASSWORD", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"),
)
"""The members of secrets that are secret themselves."""
_OF_THE_MACHINE = ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "ECS_CLUSTER", "ECS_SERVICES")

Handler = Callable[[Mapping[str, str], object], None]


class Killed(BaseException):
    """The function ended without a chance to clean up."""


class Life:
    """Ends after a number of calls; whatever is called after the end fails too, as nothing runs any more."""

    def __init__(self, calls: float = float("inf")) -> None:
        self.left = calls

    def wrap(self, target: Any) -> Any:
        return _Mortal(target, self)

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    @property
    def over(self) -> bool:
        return self.left < 0


class _Mortal:
    """Counts the calls of an object's methods against a life. The last one is done, its answer never seen."""

    def __init__(self, target: Any, life: Life) -> None:
        self._target = target
        self._life = life

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._target, name)
        if name == "close" or not callable(member):
            return member

        def call(*args: object, **kwargs: object) -> Any:
            if self._life.over:
                raise Killed
            answer = member(*args, **kwargs)
            self._life.spend()
            return answer

        return call


class Cloud:
    """One account. `handler` is the function that rotations call; enter it to have moto answer."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self._mock = mock_aws()
        kept = {name: value for name, value in os.environ.items() if name not in _OF_THE_MACHINE}
        self._environ = patch.dict(os.environ, kept | _NOBODY, clear=True)
        self._patch = patch.object(moto.awslambda.models.LambdaBackend, "invoke", self._invoke)
        self.client: Any
        self.function: str

    def __enter__(self) -> "Cloud":
        self._environ.start()
        self._mock.start()
        self._patch.start()
        self.client = boto3.client("secretsmanager", region_name=REGION)
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = boto3.client("iam").create_role(RoleName="rotation", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        made = boto3.client("lambda", region_name=REGION).create_function(
            FunctionName="rotation", Runtime="python3.13", Role=role, Handler="x.y", Code={"ZipFile": b"not run"}
        )
        self.function = made["FunctionArn"]
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()
        self._mock.stop()
        self._environ.stop()

    def _invoke(self, *_: object, body: str, **__: object) -> str:
        self.handler(json.loads(body), None)
        return "null"

    def create(self, name: str, value: Mapping[str, object]) -> None:
        self.client.create_secret(Name=name, SecretString=json.dumps(value))

    def rotate(self, name: str, days: int = 30, token: str | None = None) -> str:
        """Rotate a secret to the end; return the version that it made. Raises what the handler raises."""
        token = token or str(uuid.uuid4())
        self.client.rotate_secret(
            SecretId=name,
            ClientRequestToken=token,
            # moto forgets the function of a secret when it is not told again.
            RotationLambdaARN=self.function,
            RotationRules={"AutomaticallyAfterDays": days},
        )
        return token

    def pending(self, name: str, days: int = 30) -> str:
        """Begin a rotation that calls nothing yet; return its token."""
        handler, self.handler = self.handler, lambda event, context: None
        try:
            return self.rotate(name, days)
        finally:
            self.handler = handler

    def step(self, name: str, token: str, step: str) -> None:
        self.handler({"SecretId": name, "ClientRequestToken": token, "Step": step}, None)

    def value(self, name: str, stage: str = "AWSCURRENT") -> Any:
        return json.loads(self.client.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])

    def stages(self, name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.client.describe_secret(SecretId=name)["VersionIdsToStages"]
        return found

    def every_secret(self) -> set[str]:
        """Return what must stand nowhere: the text of each version, and each long text within."""
        from moto.secretsmanager.models import secretsmanager_backends

        store = secretsmanager_backends["123456789012"][REGION].secrets
        versions = [version for secret in store.values() for version in secret.versions.values()]
        found = set()
        for text in (version["secret_string"] for version in versions if version.get("secret_string")):
            members = json.loads(text)
            found |= {text, *(members[name] for name in _HIDDEN if members.get(name))}
        return found


def rotate_through_deaths(cloud: Cloud, name: str, live: Callable[[Life], None]) -> int:
    """Rotate a secret with a function that dies after one more call each time; return how often it died.

    As Secrets Manager does, the step that it died in comes again, then those after it. `live` gives the function a
    life.
    """
    token = cloud.pending(name)
    deaths = 0
    for step in STEPS:
        for calls in itertools.count(1):
            life = Life(calls)
            live(life)
            try:
                cloud.step(name, token, step)
            except Killed:
                deaths += 1
            else:
                break
        # A step that is done may come again all the same: its answer may have been lost.
        live(Life())
        cloud.step(name, token, step)
    return deaths
