"""The package of the rotation functions, as the database stack takes it from the bucket."""

import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from headgate.deploy.ecs._bucket import Bucket, content_name
from headgate.deploy.engine import DeployError, Progress
from headgate.deploy.rotation import Kind, RotationError, package

FOLDER = "packages"
AUTHORITIES_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
"""Who signs the certificates of RDS:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""
_DOWNLOAD_SECONDS = 30
_LARGEST_BYTES = 4 * 1024 * 1024


class RotationPackage:
    """Both rotation functions in one package.

    It holds the database's certificate authorities: those of the file `authorities`, or else what `download` returns.
    """

    def __init__(self, authorities: Path | None = None, download: Callable[[], bytes] | None = None) -> None:
        self._authorities = authorities
        self._download = download or _downloaded

    @property
    def complete(self) -> bool:
        """True when the authorities are in it without being downloaded."""
        return self._authorities is not None

    @cached_property
    def content(self) -> bytes:
        """Return the package without authorities that would have to be downloaded.

        Raises `DeployError` when a part is not installed or can not be read.
        """
        return self._packed(self._authorities)

    @property
    def key(self) -> str:
        """Return the object's name, after `content`. Raises `DeployError`."""
        return content_name(FOLDER, self.content, ".zip")

    def upload(self, bucket: Bucket, progress: Progress) -> None:
        """Put the package into the bucket unless it is there. Raises `DeployError`."""
        if bucket.has(self.key):
            return
        if self.complete:
            content = self.content
        else:
            progress("downloading the certificate authorities of RDS")
            with tempfile.TemporaryDirectory() as directory:
                file = Path(directory) / "authorities.pem"
                file.write_bytes(self._download())
                content = self._packed(file)
        progress(f"uploading {self.key}")
        bucket.put_once(self.key, content)

    def _packed(self, authorities: Path | None) -> bytes:
        with tempfile.TemporaryDirectory() as directory:
            try:
                return package(Kind.DATABASE, Path(directory), authorities).read_bytes()
            except RotationError as error:
                raise DeployError(str(error)) from error


def _downloaded() -> bytes:
    try:
        with urllib.request.urlopen(AUTHORITIES_URL, timeout=_DOWNLOAD_SECONDS) as answer:
            content: bytes = answer.read(_LARGEST_BYTES)
    except (urllib.error.URLError, OSError) as error:
        raise DeployError(
            f"The certificate authorities of RDS could not be downloaded from {AUTHORITIES_URL}: {error}. Download them"
            " elsewhere and name the file as `database_authorities` in the deployment file."
        ) from error
    return content
