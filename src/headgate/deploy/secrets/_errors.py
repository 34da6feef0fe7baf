"""What goes wrong with secrets, and AWS' refusals as sentences."""

import contextlib
from collections.abc import Iterator

from headgate.deploy.engine import DeployError, ExitCode
from headgate.deploy.rotation import RotationError


class SecretsError(DeployError):
    """Something that could not be done with a secret: what, and what to do; never the secret."""


class SecretsUsageError(SecretsError):
    """Something was asked for in a way that can not be meant: an unknown name, a value that does not fit."""

    exit_code = ExitCode.USAGE


_SENTENCES = {
    "ExpiredToken": "The AWS credentials have expired: sign in again.",
    "ExpiredTokenException": "The AWS credentials have expired: sign in again.",
    "UnrecognizedClientException": "AWS does not know these credentials: sign in again.",
    "InvalidClientTokenId": "AWS does not know these credentials: sign in again.",
    "InvalidSignatureException": "AWS does not take these credentials: check the secret access key and the clock.",
    "ThrottlingException": "AWS refuses that many calls for now: try again in a minute.",
    "DecryptionFailure": "The secret's KMS key can not be used to read it: check the key's state and policy.",
    "EncryptionFailure": "The secret's KMS key can not be used to write it: check the key's state and policy.",
}


@contextlib.contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn what AWS and the rotation code raise into `SecretsError`; `subject` is the name of a secret."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except RotationError as error:
        raise SecretsError(str(error)) from error
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in ("AccessDenied", "AccessDeniedException"):
            raise SecretsError(f"{subject}: these credentials may not do this. {message}") from error
        raise SecretsError(_SENTENCES.get(code, f"{subject}: {message or code}")) from error
    except BotoCoreError as error:
        raise SecretsError(_local(error)) from error


def _local(error: Exception) -> str:
    """Return the sentence for what went wrong before AWS was reached."""
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return "There are no AWS credentials: sign in, or set AWS_PROFILE."
    if name == "NoRegionError":
        return "There is no AWS region: give --region, or set AWS_REGION."
    return f"AWS was not reached: {error}"
