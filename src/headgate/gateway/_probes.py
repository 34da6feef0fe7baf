"""Probes: does a deployment answer the cheapest request of its kind. Sent when somebody asks, or in the background.

What a probe finds counts for `/health` only: routing goes by the requests of clients, as in LiteLLM 1.80.5.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Protocol

import msgspec

from headgate.core.clock import Clock
from headgate.core.errors import Category, GatewayError, NotSupportedError, UpstreamError
from headgate.core.json import decode_object
from headgate.core.provider import Call, Credentials, Operation, Provider, UpstreamRequest
from headgate.gateway._runtime import Runtime
from headgate.gateway._target import Target
from headgate.routing import Deployment
from headgate.transport.connection import Timeouts
from headgate.transport.response import Response

log = logging.getLogger("headgate.health")

PROBE_SECONDS = 60.0
"""How long a probe may take, as in LiteLLM 1.80.5."""
AT_ONCE = 16
"""Probes under way at the same time."""
JITTER = 0.1
"""The part of the interval by which rounds come earlier or later, so that replicas do not keep step."""

TICK_SECONDS = 1.0
"""How often it is looked whether a round is due."""

_TIMEOUTS = Timeouts(first_byte=PROBE_SECONDS, total=PROBE_SECONDS)

_TOKENS = 16
"""Tokens of output that a probe asks for; OpenAI's Responses API takes no smaller limit."""
_ASKED: dict[str, tuple[Operation, dict[str, Any]]] = {
    "chat": (Operation.CHAT, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": _TOKENS}),
    "completion": (Operation.COMPLETION, {"prompt": "hi", "max_tokens": _TOKENS}),
    "embedding": (Operation.EMBEDDING, {"input": ["hi"]}),
    "responses": (Operation.RESPONSES, {"input": "hi", "max_output_tokens": _TOKENS}),
    "rerank": (Operation.RERANK, {"query": "hi", "documents": ["hi"]}),
    "moderation": (Operation.MODERATION, {"input": "hi"}),
}
"""The cheapest request of each mode. The other modes (images, audio, batches) are dear or not one request."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a probe: it failed with `error`, was not sent because of `skipped`, or was answered.

    `checked_at` is None when nothing was sent.
    """

    error: GatewayError | None = None
    skipped: str | None = None
    checked_at: datetime | None = None


class Sender(Protocol):
    """What probes go out through."""

    def send(self, request: UpstreamRequest, timeouts: Timeouts, *, whole: bool) -> Coroutine[Any, Any, Response]:
        """Send a request; return its answer. Raises `UpstreamError`."""

    def refresh(self, credentials: Credentials) -> Coroutine[Any, Any, None]:
        """Fetch credentials anew. Raises `UpstreamError`."""


def _now() -> datetime:
    return datetime.now(UTC)


async def probe_all(
    sender: Sender, deployments: Iterable[Deployment[Target]], clock: Callable[[], datetime] = _now
) -> dict[str, Outcome]:
    """Probe deployments, some at a time; return what was found by their ids."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(deployment: Deployment[Target]) -> tuple[str, Outcome]:
        async with slots:
            return deployment.id, await _probe(sender, deployment.provider, clock)

    return dict(await asyncio.gather(*[one(deployment) for deployment in deployments]))


async def _probe(sender: Sender, target: Target, clock: Callable[[], datetime]) -> Outcome:
    provider = target.probed
    if provider is None:
        return Outcome(skipped="A wildcard names no model to ask; set model_info.health_check_model.")
    if target.mode not in _ASKED:
        return Outcome(skipped=f"Deployments of mode {target.mode} are not probed; it would be dear.")
    operation, members = _ASKED[target.mode]
    try:
        try:
            await _ask(sender, provider, operation, members)
        except UpstreamError as error:
            # Some models take no max_tokens, and some refuse fewer than they are configured to think with.
            unlimited = {name: value for name, value in members.items() if name != "max_tokens"}
            at_fault = "max_tokens" in f"{error.param} {error.message}"
            if error.category is not Category.BAD_REQUEST or not at_fault or unlimited == members:
                raise
            await _ask(sender, provider, operation, unlimited)
    except GatewayError as error:
        return Outcome(error=error, checked_at=clock())
    return Outcome(checked_at=clock())


async def _ask(sender: Sender, provider: Provider, operation: Operation, members: Mapping[str, Any]) -> None:
    """Send one request. Raises the `GatewayError` that a client would get."""
    if not provider.supports(operation):
        raise NotSupportedError(f"Provider {provider.name} does not offer {operation.value}; correct model_info.mode.")
    body = msgspec.json.encode({"model": provider.model, **members})
    call = Call(operation, provider.model, decode_object(body), body)
    if provider.credentials is not None and not provider.credentials.available:
        await sender.refresh(provider.credentials)
    response = await sender.send(provider.encode(call), _TIMEOUTS, whole=True)
    answer = await response.read()
    if not 200 <= response.status < 300:
        raise provider.failure(response.status, response.headers, answer)
    provider.decode(call, response.headers, answer)


class BackgroundProbes:
    """Probes the deployments of the configuration in force, round after round, where it asks for that.

    The first round begins at once, every other one `health_check_interval` after the end of the one before, give or
    take `JITTER`, or as soon as there is another configuration; rounds never overlap. `outcomes` holds the last finding
    for each deployment's id. `clock` is for intervals.
    """

    def __init__(
        self, runtime: Callable[[], Runtime], clock: Clock, random: Random, tick_seconds: float = TICK_SECONDS
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._runtime = runtime
        self._clock = clock
        self._random = random
        self._tick_seconds = tick_seconds

    async def run(self, sender: Sender) -> None:
        """Go on until cancelled."""
        seen: Runtime | None = None
        due = 0.0
        while True:
            runtime = self._runtime()
            general = runtime.configuration.general
            if not general.background_health_checks:
                self.outcomes = {}
            elif runtime is not seen or self._clock() >= due:
                await self._probe(runtime, sender)
                due = self._clock() + general.health_check_interval * self._random.uniform(1 - JITTER, 1 + JITTER)
            seen = runtime
            await asyncio.sleep(self._tick_seconds)

    async def _probe(self, runtime: Runtime, sender: Sender) -> None:
        try:
            found = await probe_all(sender, filter(is_probed_in_background, runtime.deployments))
        except Exception as error:
            # One round that went wrong must not be the last.
            log.error("a round of health checks failed", exc_info=error)
        else:
            self._note(found)

    def _note(self, found: dict[str, Outcome]) -> None:
        """Keep what was found, and log what has changed."""
        for identifier, outcome in found.items():
            before = self.outcomes.get(identifier, Outcome())
            if outcome.error is not None and before.error is None:
                log.warning("deployment %s does not answer its health check: %s", identifier, outcome.error.message)
            elif outcome.error is None and before.error is not None:
                log.warning("deployment %s answers its health check again", identifier)
        self.outcomes = found


def is_probed_in_background(deployment: Deployment[Target]) -> bool:
    """Tell whether `model_info.disable_background_health_check` leaves a deployment in."""
    return not deployment.provider.info.get("disable_background_health_check")
