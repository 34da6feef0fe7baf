"""Everything that requests go out to: HTTP upstreams, the built-in model, and files that clients name."""

import asyncio
import logging
import socket
from collections.abc import Coroutine, Iterable
from typing import Any

from headgate.config import Configuration
from headgate.core.errors import GatewayError
from headgate.core.provider import Attachment, Credentials, UpstreamRequest
from headgate.gateway._demo import DemoUpstream
from headgate.transport.client import Client
from headgate.transport.connection import Timeouts
from headgate.transport.dialer import Dialer, Resolver
from headgate.transport.fetch import Fetcher
from headgate.transport.response import Notify, Response

log = logging.getLogger("headgate.gateway")

CREDENTIALS_CHECK_SECONDS = 10.0
"""How often credentials are looked at; they are due minutes before they expire."""


class Upstreams:
    """Sends upstream requests on their way. Lives as long as the process; make it within the running event loop."""

    def __init__(self, configuration: Configuration) -> None:
        family = socket.AF_INET if configuration.litellm.force_ipv4 else socket.AF_UNSPEC
        verify = configuration.litellm.ssl_verify
        self._client = Client(Dialer(verify=verify, environ=configuration.environ, resolver=Resolver(family=family)))
        self._demo = DemoUpstream()
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

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()
        if self._fetcher is not None:
            await self._fetcher.close()


async def refresh_credentials(credentials: Iterable[Credentials]) -> None:
    """Refresh in threads whatever is due. Every failure is logged: the old credentials last until they expire."""
    for one in credentials:
        if one.refresh_due:
            try:
                await asyncio.to_thread(one.refresh)
            except GatewayError as error:
                log.warning("credentials could not be refreshed: %s", error.message)
            except Exception as error:
                # What is wrong with one must not keep the others from being refreshed, now or later.
                log.error("credentials could not be refreshed", exc_info=error)
