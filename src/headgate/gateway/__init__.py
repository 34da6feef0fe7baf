"""The gateway: routes, the request pipeline, the ASGI application and the server process."""

from headgate.gateway._asgi import Application
from headgate.gateway._gateway import Gateway
from headgate.gateway._server import Server, bind, make_server, run

__all__ = ["Application", "Gateway", "Server", "bind", "make_server", "run"]
