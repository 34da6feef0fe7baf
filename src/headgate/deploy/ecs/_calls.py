"""Calls of AWS' API: patient with throttling, clear about credentials."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from headgate.deploy.ecs._errors import CredentialsError

T = TypeVar("T")

_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled"}
)
_NOT_ACCEPTED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
    }
)
_ATTEMPTS = 8
_LONGEST_WAIT_SECONDS = 30.0


class Caller:
    """Calls AWS. `sleep` waits seconds and `chance` is uniform in 0..1; both are there to be replaced in tests."""

    def __init__(
        self, sleep: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random
    ) -> None:
        self._sleep = sleep
        self._chance = chance

    def __call__(self, method: Callable[..., T], **arguments: Any) -> T:
        """Return what `method(**arguments)` returns; a throttled call is repeated after 1, 2, 4... s with full jitter.

        Raises `CredentialsError` for credentials that are not accepted, and botocore's own errors otherwise.
        """
        from botocore.exceptions import ClientError, NoCredentialsError

        for attempt in range(_ATTEMPTS):
            try:
                return method(**arguments)
            except NoCredentialsError as error:
                raise CredentialsError(
                    "There are no AWS credentials: sign in (`aws sso login`), or set AWS_PROFILE."
                ) from error
            except ClientError as error:
                code = error_code(error)
                if code in _NOT_ACCEPTED:
                    raise CredentialsError(
                        f"AWS no longer accepts the credentials ({code}). What was begun goes on without us: sign in"
                        " and run the same command again, it continues from what is there."
                    ) from error
                if code not in _THROTTLED or attempt == _ATTEMPTS - 1:
                    raise
                self.wait(min(2.0**attempt, _LONGEST_WAIT_SECONDS) * self._chance())
        raise AssertionError("unreachable")

    def wait(self, seconds: float) -> None:
        """Wait."""
        self._sleep(seconds)


def error_code(error: Any) -> str:
    """Return the code of a botocore `ClientError`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: Any) -> str:
    """Return the message of a botocore `ClientError`."""
    return str(error.response.get("Error", {}).get("Message", ""))
