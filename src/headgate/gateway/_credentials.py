"""Credentials that expire are fetched anew: ahead of time in the background, and by a request that finds none."""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial

from headgate.core.errors import GatewayError
from headgate.core.provider import Credentials

log = logging.getLogger("headgate.gateway")

CHECK_SECONDS = 10.0
"""How often credentials are looked at; they are due minutes before they expire."""


class Refresher:
    """Fetches credentials, each once for all who wait for it. Use within one event loop, and `close` at the end."""

    def __init__(self) -> None:
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
                log.warning("credentials could not be refreshed: %s", outcome.message)
            elif isinstance(outcome, Exception):
                log.error("credentials could not be refreshed", exc_info=outcome)

    async def close(self) -> None:
        """Stop fetching."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, credentials: Credentials) -> None:
        await asyncio.to_thread(credentials.refresh)

    def _forget(self, credentials: Credentials, task: asyncio.Task[None]) -> None:
        del self._under_way[credentials]
        if not task.cancelled():
            # Asked for, so that asyncio does not complain when nobody waits any more.
            task.exception()
