"""`headgate serve` as its user sees it: a command, what it prints, how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.doubles.http import Answer, request

START_SECONDS = 20.0
MASTER_KEY = "sk-master"
FAST = {"HEADGATE_DRAIN_SECONDS": "0.1", "HEADGATE_SHUTDOWN_TIMEOUT": "10"}


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Return an environment with nothing of the machine's own in it but what running a program takes."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LANG")}
    return {**kept, "HOME": str(directory), "HEADGATE_DATA_DIR": str(directory / "data"), **FAST, **more}


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-c", "from headgate.cli import main; main()", *arguments]


def wait_until(holds: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    """Look again and again. Raises AssertionError with `what` when it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


class Served:
    """Runs the command until the `with` block ends; enters it when the banner has been printed."""

    def __init__(self, directory: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.environ = environment(directory, **(environ or {}))
        self._out, self._err = directory / "stdout", directory / "stderr"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                command(arguments),
                env=self.environ,
                stdout=out,
                stderr=err,
                cwd=directory,
                start_new_session=True,
            )

    @property
    def banner(self) -> str:
        return self._out.read_text()

    @property
    def log(self) -> str:
        return self._err.read_text()

    @property
    def port(self) -> int:
        found = re.search(r"URL +https?://127\.0\.0\.1:(\d+)", self.banner)
        assert found is not None
        return int(found[1])

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def chat(self, key: str = MASTER_KEY, model: str = "demo") -> Answer:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        return request(self.port, "POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Send SIGINT as a terminal does on Ctrl-C: to all processes of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, seconds: float = 15.0) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(seconds)

    def __enter__(self) -> Self:
        try:
            wait_until(lambda: "Try it" in self.banner or self.process.poll() is not None, "the banner")
            assert self.process.poll() is None, self.log
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise


def run(directory: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        command(arguments),
        env=environment(directory, **(environ or {})),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
        cwd=directory,
    )
