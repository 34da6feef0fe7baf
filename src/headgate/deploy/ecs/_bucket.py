"""The bucket that bootstrap makes: lock, journal, and objects named after their content."""

import contextlib
import hashlib
from collections.abc import Iterator

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.engine import DeployError, StoreConflictError, Stored

_STATE = "state/"
_CHANGED_MEANWHILE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_MISSING = frozenset({"NoSuchKey", "404"})
_NO_BUCKET = "NoSuchBucket"


class Bucket:
    """The bucket of one environment, which may not be there yet. As a `StateStore` it compares and changes in one call.

    S3 has conditional writes since 2024 and conditional deletes since 2025:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
    """

    def __init__(self, account: Account, prefix: str) -> None:
        self._account = account
        self._prefix = prefix

    @property
    def name(self) -> str:
        """Return the bucket's name, as the bootstrap template makes it. Raises `CredentialsError`."""
        return f"{self._prefix}-{self._account.identity().account}-{self._account.region}"

    def read(self, key: str) -> Stored | None:
        """Return a value; None when there is none, or no bucket yet. Raises `DeployError`."""
        from botocore.exceptions import ClientError

        with self._explained():
            client = self._account.client("s3")
            try:
                answer = self._account.call(client.get_object, Bucket=self.name, Key=_object(key))
            except ClientError as error:
                if error_code(error) in _MISSING or error_code(error) == _NO_BUCKET:
                    return None
                raise
            return Stored(answer["Body"].read(), answer["ETag"])

    def write(self, key: str, data: bytes, replaces: str | None) -> str:
        """Write a value and return its version. Raises `StoreConflictError` and `DeployError`."""
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        with self._explained():
            client = self._account.client("s3")
            answer = self._account.call(client.put_object, Bucket=self.name, Key=_object(key), Body=data, **condition)
            return str(answer["ETag"])

    def delete(self, key: str, replaces: str) -> None:
        """Delete a value of that version. Raises `StoreConflictError` and `DeployError`."""
        with self._explained():
            client = self._account.client("s3")
            self._account.call(client.delete_object, Bucket=self.name, Key=_object(key), IfMatch=replaces)

    def put_once(self, key: str, data: bytes) -> bool:
        """Put an object whose name says what is in it; return False when it is there already. Raises `DeployError`."""
        try:
            with self._explained():
                client = self._account.client("s3")
                self._account.call(client.put_object, Bucket=self.name, Key=key, Body=data, IfNoneMatch="*")
        except StoreConflictError:
            return False
        return True

    def has(self, key: str) -> bool:
        """Tell whether there is an object of that name. Raises `DeployError`."""
        from botocore.exceptions import ClientError

        with self._explained():
            client = self._account.client("s3")
            try:
                self._account.call(client.head_object, Bucket=self.name, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return False
                raise
        return True

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what S3 refuses into sentences."""
        from botocore.exceptions import ClientError

        with explained(f"The bucket of {self._prefix}"):
            try:
                yield
            except ClientError as error:
                code = error_code(error)
                if code in _CHANGED_MEANWHILE or code in _MISSING:
                    raise StoreConflictError(f"{self._prefix}: somebody else changed it meanwhile.") from error
                if code == _NO_BUCKET:
                    message = f"The bucket of {self._prefix} is not there: run `headgate deploy bootstrap` first."
                    raise DeployError(message) from error
                raise


def content_name(folder: str, data: bytes, suffix: str) -> str:
    """Return the name of an object after its content: `FOLDER/SHA256SUFFIX`."""
    return f"{folder}/{hashlib.sha256(data).hexdigest()}{suffix}"


def _object(key: str) -> str:
    return f"{_STATE}{key}.json"
