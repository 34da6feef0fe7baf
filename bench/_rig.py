"""The programs of a run: the mocks and every target, started once and stopped however the run ends."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import _nginx
from bench._behaviors import INSTANT, Behavior
from bench._client import Connection, Request, mock_requests
from bench._machine import ROOT
from bench._processes import Child, StartError, clean_environment, free_port, wait_until
from bench._results import Skipped
from bench._targets import Target, Upstream

START_SECONDS = 60.0
"""How long a target may take to answer its first completion."""

IDLE_SECONDS = 1.0
"""How long a target is left alone before its idle memory is read."""

WARM_UP_REQUESTS = 200
WARM_UP_SECONDS = 5.0
SMALL_BODY = 200
"""Bytes of the request body of the headline: a one-line question."""


class Cores(NamedTuple):
    """Where to pin: the gateways on one core, the mocks and the driver on another. None leaves it to the scheduler."""

    gateway: list[int] | None = None
    driver: list[int] | None = None


class Running:
    """A target that answers. `child` is None for the one that needs no program."""

    def __init__(self, target: Target, port: int, upstream: Upstream, child: Child | None, cold_start: float) -> None:
        self.target = target
        self.port = port
        self.upstream = upstream
        self.child = child
        self.cold_start = cold_start
        self.idle_rss_mib = 0.0

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name

    def request(self, behavior: Behavior, size: int = SMALL_BODY) -> Request:
        """Return a chat completion that reaches the behavior through the target."""
        return self.target.request(behavior, size, self.port, self.upstream)

    def settle(self, seconds: float = 20.0) -> bool:
        """Wait until it answers again within a second, as after an overload; return whether it did in time."""
        deadline = time.monotonic() + seconds
        request = self.request(INSTANT)
        while True:
            with contextlib.suppress(OSError), Connection(request.port, timeout=1.0) as connection:
                if connection.exchange(request.encode()) == 200:
                    return True
            if not wait_until(deadline, 0.05):
                return False


class Rig:
    """What is running. A context manager; `running` and `skipped` are filled by `start`."""

    def __init__(self, directory: Path, cores: Cores) -> None:
        self.directory = directory
        self.cores = cores
        self.running: list[Running] = []
        self.skipped: list[Skipped] = []
        self._children = contextlib.ExitStack()
        self._mock_port = 0

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        self._children.close()

    def start_mocks(self) -> Upstream:
        """Start the asyncio mock and, where it is installed, nginx as the instant one.

        Raises `StartError` when one of them does not start.
        """
        self._mock_port = free_port()
        python = sys.executable
        command = [python, "-m", "bench.mock", "--port", str(self._mock_port)]
        self._spawn("mock", command, {"PYTHONPATH": str(ROOT)}, self._mock_port, self.cores.driver)
        if not _nginx.available():
            self.skipped.append(Skipped("nginx as the instant mock", "apt-get install nginx-light; asyncio plays it"))
            return Upstream(None, self._mock_port)
        port = free_port()
        directory = self._folder("nginx-mock")
        command = _nginx.command(_nginx.mock_configuration(port), directory)
        self._spawn("nginx-mock", command, {}, port, self.cores.driver)
        return Upstream(port, self._mock_port)

    def start(self, targets: Sequence[Target], upstream: Upstream) -> Iterator[str]:
        """Start the targets one after the other, each alone with the machine, and yield what became of it."""
        for target in targets:
            reason = target.missing()
            if reason is None:
                try:
                    running = self._start(target, upstream)
                except StartError as error:
                    reason = str(error)
                else:
                    self.running.append(running)
                    yield f"{target.name} {target.version()}: first answer after {running.cold_start:.2f} s"
                    continue
            self.skipped.append(Skipped(target.name, reason))
            yield f"{target.name} skipped: {reason}"

    def mock_requests(self) -> int:
        """Return how many completions the asyncio mock was asked for."""
        return mock_requests(self._mock_port)

    def _start(self, target: Target, upstream: Upstream) -> Running:
        port = free_port()
        directory = self._folder(target.name)
        launch = target.launch(port, upstream, directory)
        start = time.monotonic()
        if launch is None:
            running = Running(target, port, upstream, None, 0.0)
        else:
            child = Child(launch.command, directory / "output.log", launch.environment, self.cores.gateway)
            self._children.callback(child.stop)
            running = Running(target, port, upstream, child, 0.0)
            if launch.port_file is not None:
                running.port = _read_port(target.name, child, launch.port_file, start + START_SECONDS)
        _first_answer(running, start + START_SECONDS)
        running.cold_start = time.monotonic() - start
        if running.child is not None:
            time.sleep(IDLE_SECONDS)
            running.idle_rss_mib = running.child.rss_mib()
        _warm_up(running)
        return running

    def _spawn(
        self, name: str, command: list[str], environment: dict[str, str], port: int, cores: list[int] | None
    ) -> None:
        child = Child(command, self._folder(name) / "output.log", clean_environment(environment), cores)
        self._children.callback(child.stop)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), Connection(port):
                return
            child.check(name)
            if not wait_until(deadline):
                raise StartError(f"{name} does not listen on port {port} after {START_SECONDS:g} seconds")

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir(exist_ok=True)
        return folder


def _read_port(name: str, child: Child, path: Path, deadline: float) -> int:
    while not path.exists():
        child.check(name)
        if not wait_until(deadline):
            raise StartError(f"{name} named no port within {START_SECONDS:g} seconds:\n{child.tail()}")
    return int(path.read_text())


def _first_answer(running: Running, deadline: float) -> None:
    request = running.request(INSTANT)
    last = "no connection"
    while True:
        try:
            with Connection(request.port, timeout=START_SECONDS) as connection:
                status, body = connection.fetch(request.encode())
            if status == 200:
                return
            last = f"{status} {body[:300].decode(errors='replace')}"
        except OSError as error:
            last = str(error)
        if running.child is not None:
            running.child.check(running.name)
        if not wait_until(deadline):
            raise StartError(f"{running.name} did not answer within {START_SECONDS:g} seconds; last: {last}")


def _warm_up(running: Running) -> None:
    """Let the target compile, import and connect what it does on its first requests."""
    request = running.request(INSTANT)
    encoded = request.encode()
    deadline = time.monotonic() + WARM_UP_SECONDS
    with contextlib.suppress(OSError), Connection(request.port) as connection:
        for _ in range(WARM_UP_REQUESTS):
            connection.exchange(encoded)
            if time.monotonic() > deadline:
                return
