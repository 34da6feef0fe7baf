"""What must hold of the image's recipe, as far as it shows without building it."""

import fnmatch
import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from headgate.cli import arguments

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


class Instruction(NamedTuple):
    """One instruction; flags such as `--from=build` stand at the front of `arguments`."""

    keyword: str
    arguments: str


def _instructions() -> list[Instruction]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(" ", 1)) for line in text.splitlines() if line]


INSTRUCTIONS = _instructions()
STAGES = [index for index, instruction in enumerate(INSTRUCTIONS) if instruction.keyword == "FROM"]
FINAL = INSTRUCTIONS[STAGES[-1] :]


def _final(keyword: str) -> str:
    """Return the arguments of the only instruction of that name in the final stage."""
    [found] = [instruction.arguments for instruction in FINAL if instruction.keyword == keyword]
    return found


def _environment() -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(_final("ENV")))


def _base_images() -> list[str]:
    defaults = dict(
        instruction.arguments.split("=", 1) for instruction in INSTRUCTIONS[: STAGES[0]] if instruction.keyword == "ARG"
    )
    names = [INSTRUCTIONS[index].arguments.split()[0] for index in STAGES]
    return [re.sub(r"\$\{(\w+)\}", lambda match: defaults[match[1]], name) for name in names]


def test_it_is_built_in_stages_and_the_last_one_only_takes_the_environment_over() -> None:
    assert len(STAGES) == 2
    assert _final("COPY") == "--from=build /opt/headgate /opt/headgate"


def test_base_images_are_pinned_slim_and_new_enough_for_the_package() -> None:
    for image in _base_images():
        match = re.fullmatch(r"python:(\d+)\.(\d+)-slim(-\w+)?", image)
        assert match is not None, image
        assert (int(match[1]), int(match[2])) >= (3, 12)


def test_the_final_stage_installs_nothing() -> None:
    commands = [instruction.arguments for instruction in FINAL if instruction.keyword == "RUN"]
    assert not any(re.search(r"apt|pip install|gcc|curl|wget", command) for command in commands)
    assert any("pip uninstall" in command for command in commands)


def test_it_does_not_run_as_root_and_the_user_is_given_by_number() -> None:
    user, _, group = _final("USER").partition(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    assert any(f"--uid {user} --gid {group}" in instruction.arguments for instruction in FINAL)


def test_the_data_directory_is_a_volume_of_that_user() -> None:
    directory = _environment()["HEADGATE_DATA_DIR"]
    assert directory == "/var/lib/headgate"
    assert _final("VOLUME") == directory
    keywords = [instruction.keyword for instruction in FINAL]
    [made] = [index for index, instruction in enumerate(FINAL) if f"--mode=0700 {directory}" in instruction.arguments]
    # What is done to a directory after it was declared a volume is lost.
    assert made < keywords.index("VOLUME")


def test_it_listens_on_every_interface_at_the_port_it_exposes() -> None:
    environment = _environment()
    assert environment["HOST"] == "0.0.0.0"
    assert environment["PORT"] == _final("EXPOSE") == "4000"


def test_the_entry_point_is_the_gateway_itself_so_that_signals_reach_it() -> None:
    assert json.loads(_final("ENTRYPOINT")) == ["headgate"]
    assert PROJECT["scripts"] == {"headgate": "headgate.cli:main"}
    assert _environment()["PATH"].startswith("/opt/headgate/bin:")
    assert _final("STOPSIGNAL") == "SIGTERM"


def test_the_command_line_of_litellm_s_users_serves() -> None:
    options = ["--port", "4000", "--num_workers", "4", "--config", "/app/config.yaml"]
    assert json.loads(_final("CMD")) == ["serve"]
    assert arguments(options) == ["serve", *options]
    assert arguments(["check", "/app/config.yaml"]) == ["check", "/app/config.yaml"]


def test_labels_describe_the_image() -> None:
    labels = dict(word.split("=", 1) for word in shlex.split(_final("LABEL")))
    prefix = "org.opencontainers.image."
    assert {"title", "description", "licenses", "version", "revision"} == {name.removeprefix(prefix) for name in labels}
    assert labels[f"{prefix}licenses"] == PROJECT["license"]
    assert Instruction("ARG", f"VERSION={PROJECT['version']}") in FINAL


def test_everything_copied_exists_and_reaches_the_build() -> None:
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    for instruction in INSTRUCTIONS:
        if instruction.keyword != "COPY" or "--from=" in instruction.arguments:
            continue
        *sources, _ = instruction.arguments.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not _ignored(source, patterns), source
    for private in (".git", ".headgate", ".venv", "tests", "config.yaml", ".env"):
        assert _ignored(private, patterns), private


def _ignored(name: str, patterns: list[str]) -> bool:
    """Apply the patterns to a name at the top level: the last one that matches decides."""
    ignored = False
    for pattern in patterns:
        if fnmatch.fnmatch(name, pattern.removeprefix("!").removeprefix("**/")):
            ignored = not pattern.startswith("!")
    return ignored


@contextmanager
def _health_server(status: int) -> Iterator[tuple[int, list[str]]]:
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, paths
        finally:
            server.shutdown()
            thread.join()


def _health_check(port: int) -> int:
    _, _, command = _final("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(command)
    assert program == "python"
    environment = {**os.environ, "PORT": str(port), "http_proxy": "http://192.0.2.1:9"}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_for_liveness_and_believes_only_200(status: int, code: int) -> None:
    with _health_server(status) as (port, paths):
        assert _health_check(port) == code
    assert paths == ["/health/liveliness"]


def test_the_health_check_fails_where_nothing_listens() -> None:
    with _health_server(200) as (port, _):
        pass
    assert _health_check(port) == 1
