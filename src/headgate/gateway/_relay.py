"""From an upstream's stream to the client's: bytes are pushed through the translator with no task in between."""

import asyncio

from headgate.core.errors import UpstreamError
from headgate.core.provider import StreamTranslator
from headgate.transport.exchange import Exchange
from headgate.transport.failures import timed_out
from headgate.transport.response import Response


class Relay:
    """Carries one streamed answer.

    Until `open` what the translator returns is held, so that a failure before the first event can still go to another
    deployment. After it, everything goes out as it comes. What goes wrong in the translator itself is raised by
    `wait_for_first` or `run`, and not into the connection that the bytes came from.
    """

    __slots__ = (
        "_ended",
        "_exchange",
        "_held",
        "_open",
        "_response",
        "_translator",
        "_unexpected",
        "_waiter",
        "failure",
    )

    def __init__(self, exchange: Exchange, response: Response, translator: StreamTranslator) -> None:
        self._exchange = exchange
        self._response = response
        self._translator = translator
        self._held = b""
        self._open = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None
        self._unexpected: Exception | None = None
        self.failure: UpstreamError | None = None

    async def wait_for_first(self, seconds: float | None) -> None:
        """Wait until there is something to send. Raises `UpstreamError` when there never is, or not in time."""
        self._response.relay(self._take, self._end)
        if not self._held and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                raise timed_out("The upstream did not begin to answer in time.") from None
        if self._unexpected is not None:
            raise self._unexpected
        if self.failure is not None and not self._held:
            raise self.failure

    async def run(self, status: int, headers: bytes) -> None:
        """Send the answer to its end; `failure` then tells whether it was whole."""
        exchange = self._exchange
        exchange.begin(status, headers, None if self._ended else self._response)
        self._open = True
        exchange.write(self._held)
        self._held = b""
        if not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._unexpected is not None:
            raise self._unexpected

    def _take(self, data: bytes) -> None:
        if self._ended:
            return
        translator = self._translator
        try:
            output = translator.feed(data)
        except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
            self._break(error)
            return
        if output:
            if self._open:
                self._exchange.write(output)
            else:
                self._held += output
                self._wake()
        if translator.failure is not None:
            self._response.abort()
            self._stop(translator.failure)
        elif translator.complete:
            # The client is done; the connection gets a moment to end cleanly and so be used again.
            self._response.discard()
            self._end(None)

    def _end(self, error: UpstreamError | None) -> None:
        if self._ended:
            return
        if error is None:
            try:
                output = self._translator.finish()
            except Exception as unexpected:  # noqa: BLE001 - raised where the answer is awaited
                self._break(unexpected)
                return
            if self._open:
                self._exchange.write(output)
            else:
                self._held += output
            error = self._translator.failure
        self._stop(error)

    def _break(self, error: Exception) -> None:
        self._unexpected = error
        self._response.abort()
        self._stop(None)

    def _stop(self, failure: UpstreamError | None) -> None:
        self._ended = True
        self.failure = failure
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
