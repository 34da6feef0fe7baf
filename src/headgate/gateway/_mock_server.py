"""The mock upstream as a server process."""

import contextlib
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from headgate.config import ServerSettings
from headgate.gateway._mock import MockPlane, MockSettings
from headgate.gateway._server import Server, bind, server_config
from headgate.gateway._supervisor import Supervisor


def run_mock(mock: MockSettings, settings: ServerSettings, announce: Callable[[int], None] = lambda port: None) -> int:
    """Serve until told to stop; return the exit code.

    `announce` is called with the port once connections are accepted. Each worker counts its requests for itself.
    Raises `ConfigurationError` when the address can not be used.
    """
    listener = bind(settings.host, settings.port)
    announce(listener.getsockname()[1])

    def work(lifeline: int | None) -> int:
        server = make_mock_server(mock, settings, lifeline)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
        return 0 if server.started else 3

    if settings.workers == 1:
        return work(None)
    return Supervisor(listener, work, lambda: None, settings.workers).run()


def make_mock_server(mock: MockSettings, settings: ServerSettings, lifeline: int | None = None) -> Server:
    """Return a server for the mock; see `Server` for `lifeline`. Nothing of it can be reloaded."""
    plane = MockPlane(mock)
    config = server_config(plane, _nothing, settings)
    return Server(config, plane, None, drain_seconds=settings.drain_seconds, lifeline=lifeline)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for the application that uvicorn wants; the plane takes every request that names a path."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})
