"""The packages of the functions: the same bytes each time, and all that Lambda needs to run them."""

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from headgate.deploy.rotation import Kind, RotationError, _package, package
from tests.doubles.postgres import ROOT

DRIVER = {"asn1crypto", "pg8000", "python-dateutil", "scramp", "six"}


@pytest.mark.parametrize("kind", Kind)
def test_a_package_is_the_same_twice(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = package(kind, tmp_path / "first")
    os.utime(Path(_package.__file__))
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    umask = os.umask(0o077)
    try:
        second = package(kind, tmp_path / "second")
    finally:
        os.umask(umask)
        monkeypatch.undo()
        time.tzset()
    assert first.name == second.name == f"rotation-{kind.value}.zip"
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()


@pytest.mark.parametrize("kind", Kind)
def test_a_package_holds_source_only_that_everyone_may_read(kind: Kind, tmp_path: Path) -> None:
    with zipfile.ZipFile(package(kind, tmp_path)) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(set(names))
    assert [
        name for name in names if "__pycache__" in name or name.endswith((".so", ".pyc", "RECORD", "INSTALLER"))
    ] == []
    assert {entry.external_attr >> 16 & 0o777 for entry in entries} == {0o644}
    assert "headgate/deploy/rotation/_protocol.py" in names
    assert not any(name.startswith(("headgate/cli", "headgate/gateway")) for name in names)


def test_the_driver_is_pinned_to_what_is_installed_and_complete(tmp_path: Path) -> None:
    with zipfile.ZipFile(package(Kind.DATABASE, tmp_path)) as archive:
        pinned = archive.read("requirements.txt").decode().splitlines()
    assert pinned == [f"{name}=={distribution(name).version}" for name in sorted(DRIVER)]
    needed = {Requirement(text) for name in DRIVER for text in requires(name) or ()}
    assert {one.name for one in needed if one.marker is None} <= DRIVER


def test_the_master_key_s_function_brings_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(package(Kind.MASTER_KEY, tmp_path)) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"headgate", "requirements.txt"}
        assert archive.read("requirements.txt") == b""


@pytest.mark.parametrize("kind", Kind)
def test_a_package_runs_with_nothing_else_installed(kind: Kind, tmp_path: Path) -> None:
    """As Lambda does: unpacked, named by its handler, beside boto3 alone, of which a stand-in answers here."""
    root = tmp_path / "task"
    with zipfile.ZipFile(package(kind, tmp_path, ROOT)) as archive:
        archive.extractall(root)
    for module in ("boto3", "botocore"):
        (root / module).mkdir()
    (root / "boto3/__init__.py").write_text(
        "class Client:\n    def describe_secret(self, SecretId):\n        return {'RotationEnabled': False}\n"
        "def client(*_, **__):\n    return Client()\n"
    )
    (root / "botocore/__init__.py").touch()
    (root / "botocore/config.py").write_text("def Config(**_):\n    pass\n")
    module, _, function = kind.handler.rpartition(".")
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        f"from {module} import {function} as handler, connector, RotationError\n"
        f"{'import pg8000.native' if kind is Kind.DATABASE else ''}\n"
        "try:\n    handler({'Step': 'testSecret', 'SecretId': 'one', 'ClientRequestToken': 'x'}, None)\n"
        "except RotationError as error:\n    print(error)\n"
    )
    environ = {"ADMIN_SECRET_ARN": "admin", "DATABASE_HOST": "localhost"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "Rotation of one is off: turn it on with a schedule before it is rotated.\n"


def test_certificate_authorities_go_along(tmp_path: Path) -> None:
    with zipfile.ZipFile(package(Kind.DATABASE, tmp_path, ROOT)) as archive:
        assert archive.read("database-ca.pem") == ROOT.read_bytes()


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>404</html>")
    with pytest.raises(RotationError, match="holds no certificate in PEM form"):
        package(Kind.DATABASE, tmp_path, page)
    with pytest.raises(RotationError, match=r"can not be read from .*: No such file"):
        package(Kind.DATABASE, tmp_path, tmp_path / "missing.pem")
    assert list(tmp_path.glob("*.zip")) == []


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_package, "_DRIVER", ("pg8000", "not-there"))
    with pytest.raises(RotationError, match=r"not-there is needed .* pip install 'headgate\[deploy\]'"):
        package(Kind.DATABASE, tmp_path)


def test_compiled_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_package, "_DRIVER", ("msgspec",))
    with pytest.raises(RotationError, match="msgspec is installed with compiled code"):
        package(Kind.DATABASE, tmp_path)


def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket", None)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert package(Kind.DATABASE, tmp_path).is_file()
