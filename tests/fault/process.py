"""`headgate serve` as a process of its own, for what can only be seen from outside: signals, exit codes, memory."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.doubles.gateway import MASTER_KEY

START_SECONDS = 20.0


class ServedProcess:
    """Runs `headgate serve` over a configuration until the `with` block ends; what it logs is in `log`."""

    def __init__(
        self,
        directory: Path,
        configuration: Mapping[str, Any],
        *,
        workers: int = 1,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        path = directory / "config.yaml"
        path.write_text(yaml.safe_dump(dict(configuration)))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._log = directory / "log"
        command = [sys.executable, "-c", "from headgate.cli import main; main()", "serve"]
        command += ["--config", str(path), "--port", str(self.port), "--workers", str(workers)]
        settings = {"LITELLM_MASTER_KEY": MASTER_KEY, "HEADGATE_DATA_DIR": str(directory), **(environ or {})}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT, cwd=directory
            )

    @property
    def pid(self) -> int:
        """The process that was started; with several workers it is their supervisor."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has printed and logged so far."""
        return self._log.read_text()

    @property
    def children(self) -> list[int]:
        """The process ids of the workers."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def resident(self, pid: int | None = None) -> int:
        """Return the resident bytes of the process, or of another one."""
        fields = Path(f"/proc/{pid or self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def sockets(self) -> int:
        """How many sockets the process has open, listeners included."""
        links = [str(link.readlink()) for link in Path(f"/proc/{self.pid}/fd").iterdir()]
        return sum(link.startswith("socket:") for link in links)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    async def exit_code(self, seconds: float) -> int:
        """Wait for the end. Raises TimeoutExpired when it takes longer."""
        return await asyncio.to_thread(self._process.wait, seconds)

    def __enter__(self) -> Self:
        try:
            wait_until(self._accepts, START_SECONDS, lambda: self.log)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _accepts(self) -> bool:
        assert self._process.poll() is None, self.log
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as probe:
                probe.sendall(b"GET /health/liveliness HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return probe.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def _end(self) -> None:
        if self._process.poll() is None:
            for pid in self.children:
                os.kill(pid, signal.SIGKILL)
            self._process.kill()
        self._process.wait(10)


def wait_until(condition: Callable[[], bool], seconds: float, explain: Callable[[], str]) -> None:
    """Wait until something outside this process has become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, explain()
        time.sleep(0.02)
