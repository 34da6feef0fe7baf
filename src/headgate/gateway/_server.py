"""The server process: uvicorn with our protocol, deadlines, an orderly end, and several workers on one socket."""

import asyncio
import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from headgate.config import Configuration, ServerSettings
from headgate.core.errors import ConfigurationError
from headgate.gateway._asgi import Application
from headgate.gateway._gateway import Gateway
from headgate.transport.server import Deadlines, ServerProtocol

log = logging.getLogger("headgate.server")

TICKS_PER_CHECK = 5
"""Connections are checked for passed deadlines this often; uvicorn ticks ten times a second."""
BACKLOG = 2048
RESTART_SECONDS = 1.0
"""A worker that dies sooner than this after its start is not replaced at once, so that a crash is not a busy loop."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Load = Callable[[], Configuration]


class Server(uvicorn.Server):
    """Runs a gateway until it is told to stop.

    SIGTERM: readiness fails and answers close their connections for `drain_seconds`, then no connection is accepted,
    then what is under way may finish within the configured shutdown timeout, then the process ends with 0. SIGINT
    leaves out the first part. SIGHUP loads the configuration anew.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway, load: Load, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._load = load
        self._drain_seconds = drain_seconds
        self._reloading: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, and to signals too."""
        await super().startup(sockets=sockets)
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._start_reload)

    async def on_tick(self, counter: int) -> bool:
        """Enforce the connections' deadlines."""
        if counter % TICKS_PER_CHECK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, ServerProtocol):
                    connection.check(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        self._gateway.draining = True
        if signal.SIGTERM in self._captured_signals:
            await asyncio.sleep(self._drain_seconds)
        checks = asyncio.create_task(self._keep_checking())
        await super().shutdown(sockets=sockets)
        checks.cancel()
        # uvicorn would raise the signal again and so end the process by it; an orderly end is 0.
        self._captured_signals.clear()

    async def _keep_checking(self) -> None:
        """Go on enforcing deadlines: a half-sent request must not hold up the end."""
        while True:
            await asyncio.sleep(0.5)
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, ServerProtocol):
                    connection.check(now)

    def _start_reload(self) -> None:
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        try:
            self._gateway.replace(await asyncio.to_thread(self._load))
        except ConfigurationError as error:
            log.error("the configuration was not reloaded; the one in force stays. Problems:")
            for problem in error.problems:
                log.error("  %s", problem)
        else:
            log.info("the configuration was reloaded")


def run(configuration: Configuration, settings: ServerSettings, master_key: str, load: Load) -> int:
    """Serve until told to stop; return the exit code. `load` reads the configuration again for a reload."""
    # Whatever can not work is found here once, before a port is opened or a worker started.
    gateway = Gateway(configuration, master_key)
    listener = bind(settings.host, settings.port)
    if settings.workers == 1:
        return _serve(gateway, settings, load, listener)

    def work() -> int:
        return _serve(Gateway(configuration, master_key), settings, load, listener)

    return Supervisor(work, settings.workers).run()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises `ConfigurationError` when the address can not be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError(
            [f"Cannot listen on {host}:{port}: {reason}. Choose another --host or --port."]
        ) from error
    listener.set_inheritable(True)
    return listener


def make_server(gateway: Gateway, settings: ServerSettings, load: Load) -> Server:
    """Return a server for a gateway; `load` reads the configuration again for a reload."""
    protocol = type(
        "GatewayProtocol",
        (ServerProtocol,),
        {"plane": gateway, "deadlines": Deadlines(keep_alive=settings.keepalive_timeout)},
    )
    config = uvicorn.Config(
        Application(gateway),
        http=protocol,
        ws="none",
        lifespan="on",
        loop="uvloop",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(settings.keepalive_timeout),
        timeout_graceful_shutdown=int(settings.shutdown_timeout),
        ssl_keyfile=settings.ssl_keyfile,
        ssl_certfile=settings.ssl_certfile,
    )
    return Server(config, gateway, load, drain_seconds=settings.drain_seconds)


def _serve(gateway: Gateway, settings: ServerSettings, load: Load, listener: socket.socket) -> int:
    server = make_server(gateway, settings, load)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else 3


class Supervisor:
    """Keeps a number of worker processes running that share one listening socket."""

    def __init__(self, work: Callable[[], int], count: int) -> None:
        self._context = multiprocessing.get_context("fork")
        self._work = work
        self._count = count
        self._stopping = False
        self._workers: dict[int, tuple[multiprocessing.process.BaseProcess, float]] = {}

    def run(self) -> int:
        """Start the workers and replace those that die; return 0 after an orderly end, 1 when none could start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._pass_on)
        for _ in range(self._count):
            self._start()
        while self._workers:
            processes = {process.sentinel: process for process, _ in self._workers.values()}
            for sentinel in multiprocessing.connection.wait(list(processes), timeout=1.0):
                self._replace(processes[sentinel])  # type: ignore[index]
        return 0 if self._stopping else 1

    def _start(self) -> None:
        # A signal waits until the worker is known, or it would miss a worker that is being started.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if self._stopping:
                return
            process = self._context.Process(target=self._run_worker)
            process.start()
            assert process.pid is not None  # noqa: S101 - it has been started
            self._workers[process.pid] = (process, time.monotonic())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _run_worker(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os._exit(self._work())

    def _replace(self, process: multiprocessing.process.BaseProcess) -> None:
        process.join()
        assert process.pid is not None  # noqa: S101 - it has been started
        _, started_at = self._workers.pop(process.pid)
        if self._stopping:
            return
        log.error("worker %d ended with %s; starting another", process.pid, process.exitcode)
        if time.monotonic() - started_at < RESTART_SECONDS:
            time.sleep(RESTART_SECONDS)
        self._start()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        self._pass_on(number, frame)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        for pid in list(self._workers):
            os.kill(pid, number)
