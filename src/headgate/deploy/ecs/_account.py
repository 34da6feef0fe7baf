"""One account and region of AWS: boto3's clients, and what AWS refuses as sentences."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._calls import Caller, error_code, error_message
from headgate.deploy.ecs._errors import CredentialsError, WrongAccountError
from headgate.deploy.engine import DeployError
from headgate.deploy.rotation import aws_client

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
"""Codes with which services refuse what the credentials may not do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is signed in: the account's twelve digits, and the principal's ARN."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """Return the partition of AWS that the principal is of, such as `aws`."""
        return self.arn.split(":")[1]


class Account:
    """Calls to AWS in one region, with the credentials of the environment.

    `expected` is the only account that may be changed; None takes any. Clients are made when they are first asked for.
    """

    def __init__(self, region: str, expected: str | None = None, call: Caller | None = None) -> None:
        self.region = region
        self.expected = expected
        self.call = call or Caller()
        self._clients: dict[str, Any] = {}
        self._identity: Identity | None = None
        self._refusal: DeployError | None = None

    def client(self, service: str) -> Any:
        """Return boto3's client of a service. Raises `CredentialsError`, also for credentials of another account."""
        self.identity()
        return self._made(service)

    def identity(self) -> Identity:
        """Return who is signed in. Raises `CredentialsError`, for another account `WrongAccountError`."""
        if self._refusal is not None:
            raise self._refusal
        if self._identity is None:
            try:
                self._identity = self._identified()
            except DeployError as error:
                # Looking for credentials in vain takes seconds: once is enough.
                self._refusal = error
                raise
        return self._identity

    def _identified(self) -> Identity:
        with explained("sts:GetCallerIdentity"):
            answer = self.call(self._made("sts").get_caller_identity)
        found = Identity(answer["Account"], answer["Arn"])
        if self.expected is not None and found.account != self.expected:
            raise WrongAccountError(
                f"The AWS credentials are of account {found.account}, but this environment belongs to"
                f" {self.expected}: sign in to that one, or correct `account` in the deployment file. Nothing was"
                " changed."
            )
        return found

    def _made(self, service: str) -> Any:
        if service not in self._clients:
            with explained(service):
                self._clients[service] = aws_client(service, self.region)
        return self._clients[service]


@contextlib.contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn what AWS refuses into `DeployError`; `subject` says what was asked for, and never holds a secret."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        code, message = error_code(error), error_message(error)
        if code in DENIED:
            raise DeployError(f"{subject}: these credentials may not do this. {message}") from error
        raise DeployError(f"{subject}: {message or code}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        message = "There are no AWS credentials: sign in (`aws sso login`), or set AWS_PROFILE."
        raise CredentialsError(message) from error
    except BotoCoreError as error:
        raise DeployError(f"{subject}: AWS was not reached: {error}") from error
    except ResponseParserError as error:
        raise DeployError(f"{subject}: AWS answered something that can not be understood; try again.") from error
