"""Child processes: started in a group of their own, watched in /proc, and ended by their own ids."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_MIB = 1024 * 1024
_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class StartError(Exception):
    """A program that did not start; the text says which and ends with what it printed last."""


def free_port() -> int:
    """Return a port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the caller's credentials, proxies or settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **extra}


class Child:
    """A running program. Its output goes to `log`; `cores` pins it with taskset."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], cores: Sequence[int] | None = None
    ) -> None:
        if cores is not None:
            command = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]
        self._log = log
        with log.open("wb") as output:
            # A group of its own keeps Ctrl-C from reaching it before `stop`, and lets `stop` reach its workers.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=log.parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def check(self, name: str) -> None:
        """Raise `StartError` when the program has ended."""
        code = self._process.poll()
        if code is not None:
            raise StartError(f"{name} ended with exit code {code}; its last output:\n{self.tail()}")

    def tail(self, lines: int = 12) -> str:
        """Return the last lines of its output."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, patience: float = 5.0) -> None:
        """End it: SIGTERM, after `patience` seconds SIGKILL, to it and to what it started."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def rss_mib(self) -> float:
        """Return the resident memory of the process and its descendants, pages they share counted for each."""
        return sum(_rss_bytes(pid) for pid in _family(self.pid)) / _MIB

    def cpu_seconds(self) -> float:
        """Return the processor time, user and system, that the process and its living descendants have used."""
        return sum(_cpu_seconds(pid) for pid in _family(self.pid))


def wait_until(deadline: float, interval: float = 0.005) -> bool:
    """Sleep for one interval; return whether `deadline` (of the monotonic clock) is still ahead."""
    time.sleep(interval)
    return time.monotonic() < deadline


def _family(root: int) -> list[int]:
    family = [root]
    for pid in family:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                family.extend(int(child) for child in (task / "children").read_text().split())
    return family


def _rss_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    user, system = fields[11:13]
    return (int(user) + int(system)) * _TICK_SECONDS
