"""Credentials that expire are fetched anew: ahead of time in the background, and by a request that finds none."""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from headgate.core.errors import GatewayError, UpstreamError
from headgate.core.provider import Credentials, TokenCredentials
from headgate.transport.client import Client
from headgate.transport.connection import Timeouts

log = logging.getLogger("headgate.gateway")

CHECK_SECONDS = 10.0
"""How often credentials are looked at; they are due minutes before they expire."""

_TIMEOUTS = Timeouts(connect=5.0, first_byte=10.0, between=5.0, total=15.0)


class Refresher:
    """Fetches credentials, each once for all who wait for it. Use within one event loop, and `close` at the end.

    `client` sends the requests for tokens.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._under_way: dict[Credentials, asyncio.Task[None]] = {}

    async def refresh(self, credentials: Credentials) -> None:
        """Fetch anew. Raises `UpstreamError` with a message fit for the client."""
        task = self._under_way.get(credentials)
        if task is None:
            task = self._under_way[credentials] = asyncio.create_task(self._fetch(credentials))
            task.add_done_callback(partial(self._forget, credentials))
        # Whoever stops waiting does not take the others' credentials away.
        await asyncio.shield(task)

    async def refresh_due(self, credentials: Iterable[Credentials]) -> None:
        """Fetch whatever is due. Every failure is logged: the old credentials last until they expire."""
        due = [one for one in credentials if one.refresh_due]
        for outcome in await asyncio.gather(*map(self.refresh, due), return_exceptions=True):
            if isinstance(outcome, GatewayError):
                details = f" ({outcome.__cause__})" if outcome.__cause__ is not None else ""
                log.warning("credentials could not be refreshed: %s%s", outcome.message, details)
            elif isinstance(outcome, Exception):
                log.error("credentials could not be refreshed", exc_info=outcome)

    async def close(self) -> None:
        """Stop fetching."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, credentials: Credentials) -> None:
        if not isinstance(credentials, TokenCredentials):
            await asyncio.to_thread(credentials.refresh)
            return
        request = credentials.request()
        try:
            response = await self._client.send(request, _TIMEOUTS, whole=True)
            body = await response.read()
        except UpstreamError as error:
            credentials.fail(error)
        else:
            credentials.accept(response.status, body)

    def _forget(self, credentials: Credentials, task: asyncio.Task[None]) -> None:
        del self._under_way[credentials]
        if not task.cancelled():
            # Asked for, so that asyncio does not complain when nobody waits any more.
            task.exception()
