"""One request: decoded, sent to deployments until one answers, answered, accounted for.

The common case, a whole answer from the first deployment over an idle connection, runs in callbacks: what a task, its
wake-ups and its frames cost is a third of what the request costs in all. Whatever has to wait for something else than
that answer (a new connection, a retry, credentials, a stream) goes on in a task, from where the callbacks left off.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from headgate.core.clock import monotonic
from headgate.core.errors import GatewayError, InvalidRequestError, NotSupportedError, UpstreamError
from headgate.core.identifiers import call_id
from headgate.core.provider import Call, Operation, Provider
from headgate.core.usage import Usage
from headgate.dialects import FILES, Request, decode, dialect_of
from headgate.gateway import _headers as header_lines
from headgate.gateway._relay import Relay
from headgate.gateway._routes import Match
from headgate.gateway._runtime import Runtime
from headgate.gateway._target import Target, supports, unsupported
from headgate.gateway._upstreams import Upstreams
from headgate.routing import Deployment, Dispatch
from headgate.telemetry import Counters
from headgate.transport.connection import Timeouts
from headgate.transport.exchange import Exchange
from headgate.transport.response import Response

log = logging.getLogger("headgate.gateway")

_JSON: Final = b"application/json"

CHARACTERS_PER_TOKEN = 4
"""For estimates, where an upstream did not report: https://platform.openai.com/tokenizer names it for English."""


class Services:
    """What all requests of a process share. `runtime` returns the configuration in force."""

    def __init__(self, runtime: Callable[[], Runtime], upstreams: Upstreams, counters: Counters) -> None:
        self.runtime, self.upstreams, self.counters = runtime, upstreams, counters


class Journey:
    """The way of one request. `begin` starts it; everything else follows, and every way out ends in one answer."""

    waited_seconds = 0.0
    """Time spent waiting for others and between attempts; the rest of the request's time is the gateway's own."""
    _attempt_seconds = 0.0
    """How long the last attempt waited for its upstream."""
    _sent_at = 0.0
    _deadline = math.inf
    """When to give up, on the monotonic clock."""
    _response: Response | None = None
    _dispatch: Dispatch[Target] | None = None
    _unfetched: InvalidRequestError | None = None
    """Why a file that the client named could not be fetched."""
    _open = True
    _request: Request
    _deployment: Deployment[Target]
    _provider: Provider
    """What serves the operation on the deployment that was chosen."""

    def __init__(self, services: Services, exchange: Exchange, match: Match) -> None:
        self._services = services
        self._exchange = exchange
        self._match = match
        self._identifier = call_id()

    def begin(self) -> None:
        """Start to answer. Never raises."""
        counters = self._services.counters
        counters.requests += 1
        counters.in_flight += 1
        self._exchange.on_disconnect = self._leave
        try:
            self._prepare()
            if self._start():
                return
        except NotSupportedError as error:
            self._refuse(unsupported(self._match.operation, error))
        except GatewayError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - the last line of defense: no traceback reaches a client
            self._crash(error)
        else:
            self._exchange.spawn(self._run(None))

    def _prepare(self) -> None:
        """Decode the request and choose a deployment."""
        exchange, operation = self._exchange, self._match.operation
        self._request = request = decode(
            operation,
            exchange.body,
            path_model=self._match.model,
            # Only forms need it: their boundary stands there.
            content_type=_content_type(exchange) if operation in FILES else _JSON,
            headers=exchange.headers,
        )
        call, steering = request.call, request.steering
        if steering.timeout is not None:
            self._deadline = monotonic() + steering.timeout
        self._dispatch = dispatch = self._services.runtime().router.dispatch(
            call.model,
            supports=supports(operation),
            tags=steering.tags,
            input_tokens=_estimate_input(call),
            stream=call.stream,
            fallbacks=steering.fallbacks,
            context_window_fallbacks=steering.context_window_fallbacks,
            content_policy_fallbacks=steering.content_policy_fallbacks,
            disable_fallbacks=steering.disable_fallbacks,
            num_retries=steering.num_retries,
        )
        self._use(dispatch.begin())

    # -- the way in callbacks ------------------------------------------------------------------------------------

    def _start(self) -> bool:
        """Send the request if nothing must be waited for before; tell whether it was sent."""
        call, target, provider = self._request.call, self._deployment.provider, self._provider
        if call.stream or (provider.credentials is not None and not provider.credentials.available):
            return False
        call.wildcard = self._routed.wildcard
        try:
            if provider.attachments(call):
                return False
            request = provider.encode(call)
        except InvalidRequestError:
            # Another deployment may be able to express it.
            return False
        self._sent_at = monotonic()
        self._response = self._services.upstreams.start(request, self._timeouts(target), self._arrived)
        return self._response is not None

    def _arrived(self, error: Exception | None) -> None:
        """Take the whole answer, or what became of it."""
        self._count_attempt()
        failed = error if isinstance(error, UpstreamError) else None
        try:
            if error is None and self._response is not None:
                self._answer(self._response, self._response.body())
                return
        except UpstreamError as rejected:
            failed = rejected
        except Exception as unexpected:  # noqa: BLE001 - the last line of defense: no traceback reaches a client
            self._crash(unexpected)
            return
        # A stale connection (`failed` is None then) is no failure: the same attempt is made over a new one.
        self._exchange.spawn(self._run(failed))

    # -- the way in a task ---------------------------------------------------------------------------------------

    async def _run(self, error: UpstreamError | InvalidRequestError | None) -> None:
        """Call deployments until one has answered. `error` is how the attempt before ended, None to make it now."""
        try:
            while True:
                if error is not None:
                    await self._choose_next(error)
                try:
                    await self._attempt()
                    return
                except (UpstreamError, InvalidRequestError) as failed:
                    error = failed
        except GatewayError as failed:
            self._refuse(failed)
        except asyncio.CancelledError:
            self._leave()
            raise
        except Exception as unexpected:  # noqa: BLE001 - the last line of defense: no traceback reaches a client
            self._crash(unexpected)

    async def _choose_next(self, error: UpstreamError | InvalidRequestError) -> None:
        """Move to the next deployment. Raises the error to answer with when there is none."""
        if isinstance(error, UpstreamError):
            self._log_failure(error)
            retry = self._routed.fail(error, remaining_seconds=self._remaining)
        else:
            retry = self._routed.skip(error, remaining_seconds=self._remaining)
        self._use(retry.deployment)
        if retry.delay_seconds:
            await self._wait_for(asyncio.sleep(retry.delay_seconds))

    async def _attempt(self) -> None:
        """Call one deployment and send its answer.

        Raises `UpstreamError` while another one may still be tried, and `InvalidRequestError`, with nothing sent, when
        this one can not express the request.
        """
        call, provider = self._request.call, self._provider
        call.wildcard = self._routed.wildcard
        if provider.credentials is not None and not provider.credentials.available:
            await self._wait_for(self._services.upstreams.refresh(provider.credentials))
        wanted = provider.attachments(call)
        if wanted:
            await self._wait_for(self._fetch(wanted))
        request = provider.encode(call)
        timeouts = self._timeouts(self._deployment.provider)
        self._sent_at = monotonic()
        try:
            response = await self._services.upstreams.send(request, timeouts, whole=not call.stream)
        finally:
            self._count_attempt()
        if call.stream and 200 <= response.status < 300:
            await self._stream(response, timeouts)
        else:
            self._answer(response, await response.read())

    async def _fetch(self, urls: Sequence[str]) -> None:
        """Attach files to the call, each fetched once for all attempts. Raises `InvalidRequestError`."""
        if self._unfetched is not None:
            raise self._unfetched
        attachments = self._request.call.attachments
        try:
            for url in urls:
                if url not in attachments:
                    attachments[url] = await self._services.upstreams.fetch(url)
        except InvalidRequestError as error:
            self._unfetched = error
            raise

    # -- answers -------------------------------------------------------------------------------------------------

    def _answer(self, response: Response, body: bytes) -> None:
        """Send a whole answer. Raises `UpstreamError` for one that is none."""
        target, call, dispatch = self._deployment.provider, self._request.call, self._routed
        if not 200 <= response.status < 300:
            raise self._provider.failure(response.status, response.headers, body)
        answer = self._provider.decode(call, response.headers, body)
        usage, cost = answer.usage, None
        now = monotonic()
        if usage is not None:
            price = target.price(call.wildcard, now)
            cost = price.cost(usage) if price is not None else None
        dispatch.succeed(seconds=self._attempt_seconds, usage=usage)
        counters = self._services.counters
        counters.settle(usage, cost)
        seconds = now - self._exchange.received_at
        overhead = max(seconds - self.waited_seconds, 0.0)
        counters.observe(overhead)
        headers = header_lines.answer_lines(
            self._identifier,
            answer.content_type,
            target.header_lines,
            cost,
            seconds,
            overhead,
            dispatch.retries,
            dispatch.fallbacks,
        )
        self._close()
        self._exchange.respond(200, headers + header_lines.upstream_lines(response.headers), answer.body)

    async def _stream(self, response: Response, timeouts: Timeouts) -> None:
        """Relay a stream. Raises `UpstreamError` when it fails before its first event."""
        target, call, dispatch = self._deployment.provider, self._request.call, self._routed
        exchange = self._exchange
        translator = self._provider.translator(call, response.headers)
        relay = Relay(exchange, response, translator)
        started_at = monotonic()
        try:
            first_byte = timeouts.first_byte
            await relay.wait_for_first(None if first_byte is None else max(first_byte - self._attempt_seconds, 0.0))
            now = monotonic()
            first = now - started_at
            self.waited_seconds += first
            self._services.counters.observe(max(now - exchange.received_at - self.waited_seconds, 0.0))
            headers = header_lines.stream_lines(
                self._identifier, target.header_lines, dispatch.retries, dispatch.fallbacks
            )
            await relay.run(200, headers + header_lines.upstream_lines(response.headers))
            if relay.failure is not None:
                self._log_failure(relay.failure)
                dispatch.fail_finally(relay.failure)
                self._services.counters.failures += 1
                exchange.write(dialect_of(self._match.operation).stream_error(relay.failure))
            else:
                seconds = monotonic() - started_at + self._attempt_seconds
                dispatch.succeed(
                    seconds=seconds, first_token_seconds=first + self._attempt_seconds, usage=translator.usage
                )
            self._close()
            exchange.finish()
        finally:
            response.abort()
            if exchange.started:
                self._settle_stream(target, translator.usage, translator.output_characters)

    def _settle_stream(self, target: Target, usage: Usage | None, output_characters: int) -> None:
        """Count a stream; one that was cut off before its usage was reported is counted from what came through."""
        call = self._request.call
        if usage is None:
            output = -(-output_characters // CHARACTERS_PER_TOKEN)
            usage = Usage(_estimate_input(call) or 0, output, estimated=True)
        price = target.price(call.wildcard, monotonic())
        self._services.counters.settle(usage, price.cost(usage) if price is not None else None)

    # -- ways out ------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Count the request as over."""
        if self._open:
            self._open = False
            self._services.counters.in_flight -= 1
            self._exchange.on_disconnect = None

    def _leave(self) -> None:
        """Stop: the client is gone."""
        if self._open:
            self._services.counters.disconnects += 1
            if self._response is not None:
                self._response.abort()
        self._end()

    def _end(self) -> None:
        self._close()
        if self._dispatch is not None:
            self._dispatch.abandon()

    def _crash(self, error: Exception) -> None:
        log.error("unexpected failure while serving call %s", self._identifier, exc_info=error)
        self._refuse(GatewayError("The gateway failed to serve this request."))

    def _refuse(self, error: GatewayError) -> None:
        """Answer with an error; break an answer off that has begun."""
        self._services.counters.failures += 1
        self._end()
        exchange = self._exchange
        if exchange.started:
            exchange.abort()
        else:
            headers = header_lines.error_lines(self._identifier, error.headers)
            exchange.respond(error.status, headers, dialect_of(self._match.operation).error(error))

    # -- small things --------------------------------------------------------------------------------------------

    def _use(self, deployment: Deployment[Target]) -> None:
        self._deployment = deployment
        target = deployment.provider
        messages = self._match.operation is Operation.MESSAGES
        # Routing has asked already whether anything there serves the operation.
        self._provider = (target.messages or target.provider) if messages else target.provider

    @property
    def _routed(self) -> Dispatch[Target]:
        assert self._dispatch is not None  # noqa: S101 - asked for after `_prepare` only
        return self._dispatch

    @property
    def _remaining(self) -> float:
        """Seconds that are left before the deadline."""
        return self._deadline - monotonic()

    async def _wait_for(self, others: Awaitable[None]) -> None:
        """Wait for what is none of the gateway's own work."""
        began_at = monotonic()
        try:
            await others
        finally:
            self.waited_seconds += monotonic() - began_at

    def _count_attempt(self) -> None:
        self._attempt_seconds = waited = monotonic() - self._sent_at
        self.waited_seconds += waited

    def _timeouts(self, target: Target) -> Timeouts:
        """Return the target's timeouts, shortened to what the client allows."""
        stream, steering = self._request.call.stream, self._request.steering
        timeouts = target.streamed if stream else target.whole
        if steering.timeout is None and steering.stream_timeout is None:
            return timeouts
        limit = max(self._remaining, 0.001)
        first, connect = timeouts.first_byte, min(timeouts.connect, limit)
        if stream:
            first = _least(first, steering.stream_timeout, limit)
            return Timeouts(connect, first, _least(timeouts.between, limit), timeouts.total)
        return Timeouts(connect, _least(first, limit), timeouts.between, _least(timeouts.total, limit))

    def _log_failure(self, error: UpstreamError) -> None:
        log.warning(
            "call %s: deployment %s of %s failed: %s (%s)%s",
            self._identifier,
            self._deployment.id,
            self._deployment.group,
            error.category.value,
            error.upstream_status or error.message,
            f": {error.__cause__}" if error.__cause__ is not None else "",
        )


def _least(*seconds: float | None) -> float | None:
    return min((second for second in seconds if second is not None), default=None)


def _estimate_input(call: Call) -> int | None:
    """Estimate the tokens of a request; None for one that carries files, whose size says nothing about tokens."""
    body = call.body
    # Most requests hold no semicolon, and looking for one character is many times faster.
    if call.content_type != _JSON or (b";" in body and b";base64," in body):
        return None
    return len(body) // CHARACTERS_PER_TOKEN


def _content_type(exchange: Exchange) -> bytes:
    for name, value in exchange.headers:
        if name == b"content-type":
            return value
    return b""
