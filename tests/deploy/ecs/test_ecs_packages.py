"""The rotation package on its way into the bucket."""

import io
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._bucket import Bucket
from headgate.deploy.ecs._packages import RotationPackage
from headgate.deploy.engine import DeployError

PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def bucket(account: Account) -> Bucket:
    made = Bucket(account, "headgate-dev")
    account.client("s3").create_bucket(Bucket=made.name)
    return made


def _content(account: Account, bucket: Bucket, key: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(account.client("s3").get_object(Bucket=bucket.name, Key=key)["Body"].read()))


def test_authorities_are_downloaded_once(account: Account, bucket: Bucket) -> None:
    downloads: list[str] = []
    told: list[str] = []

    def download() -> bytes:
        downloads.append("now")
        return PEM

    made = RotationPackage(download=download)
    made.upload(bucket, told.append)
    RotationPackage(download=download).upload(bucket, told.append)

    assert downloads == ["now"]
    assert told == ["downloading the certificate authorities of RDS", f"uploading {made.key}"]
    package = _content(account, bucket, made.key)
    assert package.read("database-ca.pem") == PEM
    assert "headgate/deploy/rotation/__init__.py" in package.namelist()
    assert any(name.startswith("pg8000/") for name in package.namelist())


def test_a_file_of_authorities_makes_another_package(account: Account, bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(PEM)

    def refuse() -> bytes:
        raise AssertionError

    made = RotationPackage(file, refuse)
    made.upload(bucket, lambda sentence: None)

    assert made.key != RotationPackage().key
    assert _content(account, bucket, made.key).read("database-ca.pem") == PEM


def test_without_the_network_it_says_what_to_do(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(url: str, timeout: float) -> NoReturn:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(DeployError, match=r"no route to host.*`database_authorities`"):
        RotationPackage().upload(bucket, lambda sentence: None)


def test_a_file_that_holds_no_certificate(tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text("nothing")
    with pytest.raises(DeployError, match="holds no certificate"):
        _ = RotationPackage(file).key
