"""The server process: uvicorn with our protocol, deadlines and an orderly end."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from headgate.config import Configuration, ServerSettings
from headgate.core.errors import ConfigurationError
from headgate.gateway._asgi import Application
from headgate.gateway._gateway import Gateway
from headgate.gateway._supervisor import Supervisor
from headgate.transport.exchange import DataPlane
from headgate.transport.server import Deadlines, ServerProtocol

log = logging.getLogger("headgate.server")

TICKS_PER_CHECK = 5
"""Connections are checked for passed deadlines this often; uvicorn ticks ten times a second."""
BACKLOG = 2048
COLLECTOR_THRESHOLDS = (5_000, 5, 4)
"""After how many new containers the collector looks for cycles among the young, the middle and all objects. A request
leaves none, but with Python's own 700 the objects of the requests under way alone set it off. Failed requests do leave
some, which are found after 100,000 new containers, about as soon as with Python's own thresholds (700, 10, 10)."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Load = Callable[[], Configuration]
Reload = Callable[[], Coroutine[Any, Any, None]]
"""Puts a new configuration in force. Raises `ConfigurationError`, and then leaves the one in force where it is."""


class Server(uvicorn.Server):
    """Serves a data plane until it is told to stop.

    SIGTERM: readiness fails and answers close their connections for `drain_seconds`, then no connection is accepted,
    then what is under way may finish within the configured shutdown timeout, then the process ends with 0. SIGINT
    leaves out the first part. SIGHUP calls `reload`, and is ignored without one. `lifeline` is a descriptor that
    becomes readable when there is nobody left to serve for, which counts as a SIGINT.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        plane: DataPlane,
        reload: Reload | None,
        *,
        drain_seconds: float,
        lifeline: int | None = None,
    ) -> None:
        super().__init__(config)
        self._plane = plane
        self._reload = reload
        self._drain_seconds = drain_seconds
        self._lifeline = lifeline
        self._reloading: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, and to signals too."""
        await super().startup(sockets=sockets)
        # What exists now stays for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self._start_reload)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        if self._lifeline is not None:
            loop.add_reader(self._lifeline, self._abandon)

    async def on_tick(self, counter: int) -> bool:
        """Enforce the connections' deadlines."""
        if counter % TICKS_PER_CHECK == 0:
            self._check_connections()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        self._plane.draining = True
        ticks = asyncio.create_task(self._keep_ticking())
        if signal.SIGTERM in self._captured_signals:
            await asyncio.sleep(self._drain_seconds)
        await super().shutdown(sockets=sockets)
        ticks.cancel()
        # uvicorn would raise the signal again and so end the process by it; an orderly end is 0.
        self._captured_signals.clear()

    def _check_connections(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, ServerProtocol):
                connection.check(now)

    async def _keep_ticking(self) -> None:
        """Go on enforcing deadlines: a half-sent request must not hold up the end."""
        while True:
            await asyncio.sleep(0.5)
            # uvicorn's own loop, which ticks, has ended.
            await self.on_tick(0)

    def _abandon(self) -> None:
        assert self._lifeline is not None  # noqa: S101 - called for a lifeline only
        asyncio.get_running_loop().remove_reader(self._lifeline)
        log.error("the supervisor is gone; this worker stops")
        self.should_exit = True

    def _start_reload(self) -> None:
        if self._reload is not None and (self._reloading is None or self._reloading.done()):
            self._reloading = asyncio.create_task(self._reload_with(self._reload))

    async def _reload_with(self, reload: Reload) -> None:
        try:
            await reload()
        except ConfigurationError as error:
            log.error("the configuration was not reloaded; the one in force stays. Problems:")
            for problem in error.problems:
                log.error("  %s", problem)
        else:
            log.info("the configuration was reloaded")


def run(
    configuration: Configuration,
    settings: ServerSettings,
    master_key: str,
    load: Load,
    announce: Callable[[int], None] = lambda port: None,
) -> int:
    """Serve until told to stop; return the exit code.

    `load` reads the configuration again for a reload. `announce` is called with the port once connections are
    accepted. Raises `ConfigurationError` for what can not work, before a port is opened or a worker started.
    """
    gateway = Gateway(configuration, master_key)
    _check_certificate(settings)
    listener = bind(settings.host, settings.port)
    # Whoever asks for a reload this early is heard once the server listens to it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    announce(listener.getsockname()[1])
    if settings.workers == 1:
        return _serve(gateway, settings, load, listener)
    latest = gateway.runtime.configuration

    def reload() -> None:
        nonlocal latest
        # The workers say what became of their own reload; what matters here is that a later worker starts with it.
        with contextlib.suppress(ConfigurationError):
            found = load()
            Gateway(found, master_key)
            latest = found

    def work(lifeline: int) -> int:
        return _serve(Gateway(latest, master_key), settings, load, listener, lifeline)

    return Supervisor(listener, work, reload, settings.workers).run()


def _check_certificate(settings: ServerSettings) -> None:
    if settings.ssl_certfile is None:
        return
    try:
        # Without a password of its own OpenSSL would ask for one on the terminal, and wait.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password=lambda: "")
    except OSError as error:
        files = f"{settings.ssl_certfile} with the key {settings.ssl_keyfile}"
        reason = error.strerror or "they are not a certificate and its key"
        raise ConfigurationError([f"TLS can not be served with {files}: {reason}."]) from error


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


def make_server(gateway: Gateway, settings: ServerSettings, load: Load, lifeline: int | None = None) -> Server:
    """Return a server for a gateway; see `Server` for `lifeline`. `load` reads the configuration for a reload."""

    async def reload() -> None:
        gateway.replace(await asyncio.to_thread(load))

    config = server_config(gateway, Application(gateway), settings)
    return Server(config, gateway, reload, drain_seconds=settings.drain_seconds, lifeline=lifeline)


def server_config(plane: DataPlane, application: ASGIApp, settings: ServerSettings) -> uvicorn.Config:
    """Return what uvicorn needs to serve a data plane through our protocol, and all else through `application`."""
    # uvicorn calls it for each connection, as it would a class.
    protocol: Any = partial(ServerProtocol, plane=plane, deadlines=Deadlines(keep_alive=settings.keepalive_timeout))
    return uvicorn.Config(
        application,
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


def _serve(
    gateway: Gateway, settings: ServerSettings, load: Load, listener: socket.socket, lifeline: int | None = None
) -> int:
    server = make_server(gateway, settings, load, lifeline)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else 3
