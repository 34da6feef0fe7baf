"""Everything that requests go out to: HTTP upstreams, the built-in model, and files that clients name."""

import socket
from collections.abc import Coroutine, Iterable
from typing import Any

from headgate.config import Configuration
from headgate.core.provider import Attachment, Credentials, UpstreamRequest
from headgate.gateway._credentials import Refresher
from headgate.gateway._demo import DemoUpstream
from headgate.transport.client import Client
from headgate.transport.connection import Timeouts
from headgate.transport.dialer import Dialer, Resolver
from headgate.transport.fetch import Fetcher
from headgate.transport.response import Notify, Response


class Upstreams:
    """Sends upstream requests on their way. Lives as long as the process; make it within the running event loop."""

    def __init__(self, configuration: Configuration) -> None:
        family = socket.AF_INET if configuration.litellm.force_ipv4 else socket.AF_UNSPEC
        verify = configuration.litellm.ssl_verify
        self._client = Client(Dialer(verify=verify, environ=configuration.environ, resolver=Resolver(family=family)))
        self._demo = DemoUpstream()
        self._refresher = Refresher(self._client)
        self._fetcher: Fetcher | None = None

    def start(self, request: UpstreamRequest, timeouts: Timeouts, notify: Notify) -> Response | None:
        """Send a request if that can be done at once; see `Client.start`."""
        return self._client.start(request, timeouts, notify)

    def send(self, request: UpstreamRequest, timeouts: Timeouts, *, whole: bool) -> Coroutine[Any, Any, Response]:
        """Send a request; see `Client.send`."""
        if request.origin.scheme == "demo":
            return self._demo.send(request, timeouts, whole=whole)
        return self._client.send(request, timeouts, whole=whole)

    async def fetch(self, url: str) -> Attachment:
        """Fetch a file that a client named; see `Fetcher.fetch`."""
        if self._fetcher is None:
            self._fetcher = Fetcher()
        return await self._fetcher.fetch(url)

    def refresh(self, credentials: Credentials) -> Coroutine[Any, Any, None]:
        """Fetch credentials anew; see `Refresher.refresh`."""
        return self._refresher.refresh(credentials)

    def refresh_due(self, credentials: Iterable[Credentials]) -> Coroutine[Any, Any, None]:
        """Fetch the credentials that are due; see `Refresher.refresh_due`."""
        return self._refresher.refresh_due(credentials)

    async def close(self) -> None:
        """Close every connection."""
        await self._refresher.close()
        await self._client.close()
        if self._fetcher is not None:
            await self._fetcher.close()
