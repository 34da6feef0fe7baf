"""What `docker` is given and what it answers, with a script in its place."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from headgate.deploy._docker import DockerError, run_docker

Make = Callable[[str], Mapping[str, str]]


@pytest.fixture
def docker(tmp_path: Path) -> Make:
    def make(script: str) -> Mapping[str, str]:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    return make


def test_text_goes_in_and_comes_out(docker: Make) -> None:
    environ = docker('echo "$1 $2"; cat')
    assert run_docker(["login", "x"], environ=environ, seconds=10, given="canary") == "login x\ncanary"
    assert run_docker(["info"], environ=environ, seconds=10) == "info \n"


def test_files_go_in_and_out_as_they_are(docker: Make, tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        assert run_docker(["exec"], environ=docker("cat"), seconds=10, source=source, target=target) == ""
    assert (tmp_path / "out").read_bytes() == data


def test_what_it_says_as_it_fails_is_told_without_secrets(docker: Make) -> None:
    environ = docker("echo 'bad password canary' >&2; exit 3")
    with pytest.raises(DockerError, match=r"^`docker a b` failed: bad password \[hidden\]$") as caught:
        run_docker(["a", "b"], environ=environ, seconds=10, hide=lambda text: text.replace("canary", "[hidden]"))
    assert caught.value.said == "bad password [hidden]"
    with pytest.raises(DockerError, match=r"`docker 1 2 3 4 5 6 7 \.\.\.` failed: exit code 1"):
        run_docker(list("123456789"), environ=docker("exit 1"), seconds=10)


def test_a_long_complaint_ends_with_its_end(docker: Make) -> None:
    with pytest.raises(DockerError) as caught:
        run_docker(["x"], environ=docker("printf '%05000d end' 0 >&2; exit 1"), seconds=10)
    assert len(caught.value.said) == 2000
    assert caught.value.said.endswith("end")


def test_a_command_that_hangs_is_ended(docker: Make) -> None:
    with pytest.raises(DockerError, match="`docker x` did not end within 0 s"):
        run_docker(["x"], environ=docker("exec sleep 60"), seconds=0.2)


def test_without_docker_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DockerError, match="Docker is not installed"):
        run_docker(["info"], environ={"PATH": str(tmp_path)}, seconds=10)
    (tmp_path / "docker").write_text("no program")
    with pytest.raises(DockerError, match="Docker can not be run: Permission denied"):
        run_docker(["info"], environ={"PATH": str(tmp_path)}, seconds=10)
