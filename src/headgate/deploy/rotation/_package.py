"""Lambda packages, made from what is installed: no network, no build tools, the same bytes each time."""

import zipfile
from collections.abc import Iterator
from enum import Enum
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import headgate
from headgate.deploy.rotation._handlers import AUTHORITIES_FILE
from headgate.deploy.rotation._protocol import RotationError

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""

_DRIVER = ("asn1crypto", "pg8000", "python-dateutil", "scramp", "six")
"""The PostgreSQL driver with all that it needs, without any compiled code: it runs on every processor of Lambda's."""

_SOURCES = ("__init__.py", "core/__init__.py", "core/errors.py", "deploy/__init__.py", "deploy/rotation/*.py")
_COMPILED = (".so", ".pyd", ".dylib")
_OF_THE_INSTALLER = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
"""What an installer adds to a distribution: it differs from machine to machine."""


class Kind(Enum):
    """The rotation functions. A function's handler is `headgate.deploy.rotation.` and `handler`."""

    MASTER_KEY = "master-key"
    DATABASE = "database"

    @property
    def handler(self) -> str:
        """What Lambda is told to call."""
        return f"headgate.deploy.rotation.{self.name.lower()}_handler"


def package(kind: Kind, directory: Path, authorities: Path | None = None) -> Path:
    """Write `rotation-<kind>.zip` into `directory` and return its path.

    It holds the handler and, for the database, its driver as installed, with the versions in `requirements.txt` and
    the certificate authorities of the database where `authorities` names their file (PEM); boto3 is Lambda's own.
    Raises `RotationError` when a part is not installed, holds compiled code or can not be read.
    """
    contents = dict(_own_files())
    pinned = []
    for name in _DRIVER if kind is Kind.DATABASE else ():
        found = _installed(name)
        pinned.append(f"{name}=={found.version}\n")
        contents.update(_files(found, name))
    contents["requirements.txt"] = "".join(pinned).encode()
    if authorities is not None:
        contents[AUTHORITIES_FILE] = _read_authorities(authorities)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"rotation-{kind.value}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Lambda runs as a user of its own, which must be able to read the files.
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, contents[name])
    return path


def _own_files() -> Iterator[tuple[str, bytes]]:
    root = Path(headgate.__file__).parent
    for pattern in _SOURCES:
        for path in root.glob(pattern):
            yield f"headgate/{path.relative_to(root).as_posix()}", path.read_bytes()


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        message = f"{name} is needed for the rotation function but is not installed: pip install 'headgate[deploy]'."
        raise RotationError(message) from None


def _files(found: Distribution, name: str) -> Iterator[tuple[str, bytes]]:
    for file in found.files or ():
        if ".." in file.parts or "__pycache__" in file.parts or file.name in _OF_THE_INSTALLER:
            continue
        if file.suffix in _COMPILED:
            raise RotationError(f"{name} is installed with compiled code ({file}), which Lambda may not run.")
        yield file.as_posix(), Path(str(file.locate())).read_bytes()


def _read_authorities(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RotationError(f"The certificate authorities can not be read from {path}: {error.strerror}.") from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise RotationError(f"{path} holds no certificate in PEM form.")
    return content
