"""The gateway: routes, the request pipeline, the ASGI application and the server process; and a mock upstream."""

from headgate.gateway._asgi import Application
from headgate.gateway._gateway import Gateway
from headgate.gateway._mock import MockSettings
from headgate.gateway._mock_server import make_mock_server, run_mock
from headgate.gateway._server import Server, bind, make_server, run

__all__ = [
    "Application",
    "Gateway",
    "MockSettings",
    "Server",
    "bind",
    "make_mock_server",
    "make_server",
    "run",
    "run_mock",
]
