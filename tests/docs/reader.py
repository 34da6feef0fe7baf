"""A reader who does what a page says, block by block, in a folder that looks like a checkout.

Shell blocks run in bash, one after the other, and hand their variables on. A block that ends by starting the gateway in
the foreground goes on running, as in a terminal of its own, until the page starts another. Python blocks run with the
environment's Python. Blocks that begin with `# name` are saved under that name; a program among them runs when the page
runs it.

Addresses are the only thing that differs from the page: its port 4000 becomes a free one, and the variables that
LiteLLM has for it send what goes to OpenAI and Anthropic to doubles.
"""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cli.serving import FAST, wait_until
from tests.docs.pages import ROOT, Block
from tests.doubles.anthropic_upstream import API_KEY

BLOCK_SECONDS = 60
_PAGE_PORT = 4000
_SERVES = re.compile(r"(?:make run|(?:[\w./-]*/)?headgate (?:serve|--config))\b[^&|]*")


class Reader:
    """Follows one page until the `with` block ends, which stops what still runs."""

    def __init__(self, directory: Path, upstreams: Mapping[str, str]) -> None:
        self._folder = directory / "headgate"
        self._out = directory / "served"
        self._state = directory / "variables"
        self._port = free_port()
        self._printed = ""
        self._served: subprocess.Popen[bytes] | None = None
        self._check_out()
        binaries = self._folder / ".venv/bin"
        self._environ = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HOME": str(directory),
            "HEADGATE_PORT": str(self._port),
            **FAST,
            **upstreams,
        }

    def follow(self, block: Block) -> None:
        """Do what a block says. Raises AssertionError when it fails, or does not print what the page shows."""
        text = self._adapted(block.text)
        if block.file:
            (self._folder / block.file).write_text(text)
        if block.prints:
            assert _shown(text).fullmatch(self._printed.strip()), f"{block.where}: printed was\n{self._printed}"
        elif block.language == "sh" and _SERVES.fullmatch(_last_command(text)):
            self._serve(text, block.where)
        elif block.language == "sh":
            keep = f"export -p > '{self._state}'\n"
            self._run(["bash", "-euo", "pipefail", "-c", f"{self._variables}{text}{keep}"], block.where)
        elif block.language == "python" and not block.file:
            self._run(["bash", "-c", f'{self._variables}exec python -c "$0"', text], block.where)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def _variables(self) -> str:
        return f". '{self._state}'\n" if self._state.exists() else ""

    def _check_out(self) -> None:
        """Make what a clone holds after its first `make run`, with the environment of these tests."""
        environment = self._folder / ".venv"
        environment.mkdir(parents=True)
        for name in ("bin", "lib", "pyvenv.cfg"):
            (environment / name).symlink_to(Path(sys.prefix) / name)
        for name in ("Makefile", "pyproject.toml", "configs"):
            (self._folder / name).symlink_to(ROOT / name)
        for stamp in (".installed-base", ".installed"):
            (environment / stamp).touch()

    def _adapted(self, text: str) -> str:
        text = re.sub(rf"((?:127\.0\.0\.1|localhost):|--port ){_PAGE_PORT}\b", rf"\g<1>{self._port}", text)
        return text.replace("sk-ant-your-key", API_KEY)

    def _run(self, command: list[str], where: str) -> None:
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                self._printed, _ = process.communicate(timeout=BLOCK_SECONDS)
            except subprocess.TimeoutExpired:
                # With all that it has started.
                os.killpg(process.pid, signal.SIGKILL)
                raise
        assert process.returncode == 0, f"{where}: exit code {process.returncode}\n{self._printed}\n{self._log}"

    def _serve(self, text: str, where: str) -> None:
        self._stop()
        with self._out.open("wb") as out:
            self._served = served = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", f"{self._variables}{text}"],
                cwd=self._folder,
                env=self._environ,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: "Try it" in self._log or served.poll() is not None, where)
        assert served.poll() is None, f"{where}: exit code {served.returncode}\n{self._log}"
        self._printed = self._log

    def _stop(self) -> None:
        if self._served is not None and self._served.poll() is None:
            os.killpg(self._served.pid, signal.SIGTERM)
            try:
                self._served.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._served.pid, signal.SIGKILL)
                self._served.wait()
                raise
            # The shell may end before the gateway that it started.
            wait_until(self._port_is_free, "the end of the gateway")

    def _port_is_free(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) != 0

    @property
    def _log(self) -> str:
        return self._out.read_text() if self._out.exists() else ""


def free_port() -> int:
    """Return a port below those that the system gives to outgoing connections, so that none takes it meanwhile."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _last_command(text: str) -> str:
    """Return the last command of a block, without its comment and the variables set for it."""
    line = text.replace("\\\n", " ").strip().rpartition("\n")[2].partition("#")[0]
    return re.sub(r"^(?:\w+=\S*\s+)*", "", line).strip()


def _shown(text: str) -> re.Pattern[str]:
    """Return what matches a printed text that a page shows."""
    return re.compile(re.escape(text.strip()).replace(r"\.\.\.", ".*"), re.DOTALL)
