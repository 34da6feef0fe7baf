"""The way of one request: decode, route, call upstreams until one answers, send the answer, account for it."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence

from headgate.core.clock import monotonic
from headgate.core.errors import GatewayError, UpstreamError
from headgate.core.identifiers import call_id
from headgate.core.provider import Attachment, Call
from headgate.core.usage import Usage
from headgate.dialects import Dialect, Request, decode, dialect_of
from headgate.gateway import _headers as header_lines
from headgate.gateway._relay import Relay
from headgate.gateway._routes import Match
from headgate.gateway._runtime import Runtime, Target, supports
from headgate.gateway._upstreams import Upstreams
from headgate.routing import Deployment, Dispatch
from headgate.telemetry import Counters
from headgate.transport.connection import Timeouts
from headgate.transport.exchange import Exchange
from headgate.transport.response import Response

log = logging.getLogger("headgate.gateway")

CHARACTERS_PER_TOKEN = 4
"""For estimates, where an upstream did not report: https://platform.openai.com/tokenizer names it for English."""

_STREAM_LINES = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)


class Journey:
    """What is known about one request while it is served."""

    upstream_seconds = 0.0
    """Time spent waiting for upstreams; the rest of the request's time is the gateway's own."""
    attempt_seconds = 0.0
    """The part of it that the last attempt took."""
    deadline = math.inf
    """When to give up, on the monotonic clock."""
    request: Request
    dispatch: Dispatch[Target]

    def __init__(self, exchange: Exchange, dialect: Dialect) -> None:
        self.exchange = exchange
        self.dialect = dialect
        self.identifier = call_id()

    @property
    def remaining(self) -> float:
        """Seconds that are left before the deadline."""
        return self.deadline - monotonic()


class Pipeline:
    """Serves data-plane requests, whatever transport they came through."""

    def __init__(self, runtime: Callable[[], Runtime], upstreams: Upstreams, counters: Counters) -> None:
        self._runtime = runtime
        self._upstreams = upstreams
        self._counters = counters

    async def handle(self, exchange: Exchange, match: Match) -> None:
        """Answer a request; every failure becomes an answer in the client's dialect. Cancelled when it goes away."""
        counters = self._counters
        counters.requests += 1
        counters.in_flight += 1
        journey = Journey(exchange, dialect_of(match.operation))
        try:
            await self._serve(journey, match)
        except GatewayError as error:
            counters.failures += 1
            self._answer_failure(journey, error)
        except asyncio.CancelledError:
            counters.disconnects += 1
            raise
        except Exception:
            counters.failures += 1
            log.exception("unexpected failure while serving call %s", journey.identifier)
            self._answer_failure(journey, GatewayError("The gateway failed to serve this request."))
        finally:
            counters.in_flight -= 1

    async def _serve(self, journey: Journey, match: Match) -> None:
        exchange = journey.exchange
        journey.request = request = decode(
            match.operation,
            exchange.body,
            path_model=match.model,
            content_type=_content_type(exchange),
            headers=exchange.headers,
        )
        call, steering = request.call, request.steering
        runtime = self._runtime()
        if steering.timeout is not None:
            journey.deadline = monotonic() + steering.timeout
        journey.dispatch = dispatch = runtime.router.dispatch(
            call.model,
            supports=supports(match.operation),
            tags=steering.tags,
            input_tokens=_estimate_input(call),
            stream=call.stream,
            fallbacks=steering.fallbacks,
            context_window_fallbacks=steering.context_window_fallbacks,
            content_policy_fallbacks=steering.content_policy_fallbacks,
            disable_fallbacks=steering.disable_fallbacks,
            num_retries=steering.num_retries,
        )
        deployment = dispatch.begin()
        try:
            while True:
                try:
                    await self._attempt(journey, deployment)
                    return
                except UpstreamError as error:
                    self._log_failure(journey, deployment, error)
                    retry = dispatch.fail(error, remaining_seconds=journey.remaining)
                deployment = retry.deployment
                if retry.delay_seconds:
                    await asyncio.sleep(retry.delay_seconds)
        finally:
            dispatch.abandon()

    async def _attempt(self, journey: Journey, deployment: Deployment[Target]) -> None:
        """Call one deployment and send its answer. Raises `UpstreamError` while another one may still be tried."""
        target, call = deployment.provider, journey.request.call
        provider = target.provider
        call.wildcard = journey.dispatch.wildcard
        if provider.credentials is not None and not provider.credentials.available:
            await asyncio.to_thread(provider.credentials.refresh)
        wanted = provider.attachments(call)
        if wanted:
            call.attachments = await self._fetch(wanted)
        upstream_request = provider.encode(call)
        timeouts = self._timeouts(journey, target)
        sent_at = monotonic()
        try:
            response = await self._upstreams.send(upstream_request, timeouts, whole=not call.stream)
        finally:
            journey.attempt_seconds = waited = monotonic() - sent_at
            journey.upstream_seconds += waited
        if not 200 <= response.status < 300:
            raise provider.failure(response.status, response.headers, await response.read())
        if call.stream:
            await self._stream(journey, deployment, response, timeouts)
        else:
            self._answer(journey, deployment, response)

    def _answer(self, journey: Journey, deployment: Deployment[Target], response: Response) -> None:
        target, call, dispatch = deployment.provider, journey.request.call, journey.dispatch
        answer = target.provider.decode(call, response.headers, response.body())
        usage = answer.usage
        now = monotonic()
        cost = None
        if usage is not None:
            price = target.price(call.wildcard, now)
            cost = price.cost(usage) if price is not None else None
        dispatch.succeed(seconds=journey.attempt_seconds, usage=usage)
        self._counters.settle(usage, cost)
        seconds = now - journey.exchange.received_at
        headers = header_lines.answer_lines(
            journey.identifier,
            answer.content_type,
            target.header_lines,
            cost,
            seconds,
            max(seconds - journey.upstream_seconds, 0.0),
            dispatch.retries,
            dispatch.fallbacks,
        )
        journey.exchange.respond(200, headers + header_lines.upstream_lines(response.headers), answer.body)

    async def _stream(
        self, journey: Journey, deployment: Deployment[Target], response: Response, timeouts: Timeouts
    ) -> None:
        target, call, dispatch = deployment.provider, journey.request.call, journey.dispatch
        exchange = journey.exchange
        translator = target.provider.translator(call, response.headers)
        relay = Relay(exchange, response, translator)
        started_at = monotonic()
        try:
            await relay.wait_for_first(timeouts.first_byte)
            first = monotonic() - started_at + journey.attempt_seconds
            headers = header_lines.stream_lines(
                journey.identifier, target.header_lines, dispatch.retries, dispatch.fallbacks
            )
            await relay.run(200, headers + header_lines.upstream_lines(response.headers))
            if relay.failure is not None:
                self._log_failure(journey, deployment, relay.failure)
                dispatch.fail_finally(relay.failure)
                self._counters.failures += 1
                exchange.write(journey.dialect.stream_error(relay.failure))
            else:
                seconds = monotonic() - started_at + journey.attempt_seconds
                dispatch.succeed(seconds=seconds, first_token_seconds=first, usage=translator.usage)
            exchange.finish()
        finally:
            response.abort()
            if exchange.started:
                self._settle_stream(target, call, translator.usage, translator.output_characters)

    def _settle_stream(self, target: Target, call: Call, usage: Usage | None, output_characters: int) -> None:
        """Count a stream; one that was cut off before its usage was reported is counted from what came through."""
        if usage is None:
            output = -(-output_characters // CHARACTERS_PER_TOKEN)
            usage = Usage(len(call.body) // CHARACTERS_PER_TOKEN, output, estimated=True)
        price = target.price(call.wildcard, monotonic())
        self._counters.settle(usage, price.cost(usage) if price is not None else None)

    async def _fetch(self, urls: Sequence[str]) -> dict[str, Attachment]:
        return {url: await self._upstreams.fetch(url) for url in urls}

    def _timeouts(self, journey: Journey, target: Target) -> Timeouts:
        """Return the target's timeouts, shortened to what the client allows."""
        stream, steering = journey.request.call.stream, journey.request.steering
        timeouts = target.streamed if stream else target.whole
        if steering.timeout is None and steering.stream_timeout is None:
            return timeouts
        limit = max(journey.remaining, 0.001)
        first = timeouts.first_byte
        if stream:
            first = _least(first, steering.stream_timeout, limit)
            return Timeouts(timeouts.connect, first, _least(timeouts.between, limit), timeouts.total)
        return Timeouts(timeouts.connect, _least(first, limit), timeouts.between, _least(timeouts.total, limit))

    def _answer_failure(self, journey: Journey, error: GatewayError) -> None:
        exchange = journey.exchange
        if exchange.started:
            exchange.abort()
            return
        headers = b"content-type: application/json\r\nx-litellm-call-id: %b\r\nx-litellm-version: %b\r\n%b" % (
            journey.identifier.encode(),
            header_lines.COMPATIBLE_WITH.encode(),
            header_lines.lines(error.headers),
        )
        exchange.respond(error.status, headers, journey.dialect.error(error))

    def _log_failure(self, journey: Journey, deployment: Deployment[Target], error: UpstreamError) -> None:
        log.warning(
            "call %s: deployment %s of %s failed: %s (%s)%s",
            journey.identifier,
            deployment.id,
            deployment.group,
            error.category.value,
            error.upstream_status or error.message,
            f": {error.__cause__}" if error.__cause__ is not None else "",
        )


def _least(*seconds: float | None) -> float | None:
    return min((second for second in seconds if second is not None), default=None)


def _estimate_input(call: Call) -> int | None:
    """Estimate the tokens of a request; None for one that carries files, whose size says nothing about tokens."""
    if call.content_type != b"application/json" or b";base64," in call.body:
        return None
    return len(call.body) // CHARACTERS_PER_TOKEN


def _content_type(exchange: Exchange) -> bytes:
    for name, value in exchange.headers:
        if name == b"content-type":
            return value
    return b""
