"""What the gateway binds to a deployment."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from headgate.config import ModelEntry, RouterSettings
from headgate.core.errors import NotSupportedError
from headgate.core.money import Price
from headgate.core.provider import Operation, Provider
from headgate.gateway._headers import deployment_lines
from headgate.ledger import prices
from headgate.providers import with_messages
from headgate.transport.connection import Timeouts

_MESSAGES: Final = Operation.MESSAGES

_PRICES_KEPT = 1_000
"""Prices of concrete models that are kept per wildcard deployment; clients choose the names, so it is bounded."""

CONNECT_SECONDS = 10.0
"""How long a connection to an upstream may take to open, where the deployment's timeouts are not shorter."""

PRICE_SECONDS = 60.0
"""How long a price that was looked up is used: some depend on the time of day."""


class Target:
    """What the gateway binds to a deployment: its provider, and what is worked out once for all its requests."""

    __slots__ = (
        "_prices",
        "header_lines",
        "info",
        "messages",
        "mode",
        "parameters",
        "probed",
        "provider",
        "streamed",
        "whole",
    )

    def __init__(self, entry: ModelEntry, provider: Provider, probed: Provider | None, router: RouterSettings) -> None:
        self.provider = provider
        self.messages = with_messages(provider)
        """What serves Anthropic's Messages API: the provider itself, or a translation to chat in front of it."""
        self.probed = probed
        """What a health check asks; None where that is not known: behind a wildcard without `health_check_model`."""
        self.parameters = entry.parameters.resolved()
        self.info = entry.info.model_dump(exclude_none=True)
        # Every provider has "embed" in the names of its embedding models; for the rest `model_info` tells.
        self.mode: str = self.info.get("mode") or ("embedding" if "embed" in provider.model else "chat")
        """What the deployment is for: `model_info.mode`, or what the model's name tells."""
        self.header_lines = deployment_lines(entry.info.id, provider.api_base, entry.model_name)
        timeout = entry.parameters.timeout or router.timeout
        first = entry.parameters.stream_timeout or router.stream_timeout or timeout
        self.whole = Timeouts(min(CONNECT_SECONDS, timeout), first_byte=timeout, total=timeout)
        """For answers that come as a whole."""
        self.streamed = Timeouts(min(CONNECT_SECONDS, first), first_byte=first, between=timeout)
        """For streams: `timeout` then bounds each silence, not the whole."""
        self._prices: dict[str, tuple[float, Price | None]] = {}

    def serving(self, operation: Operation) -> Provider | None:
        """Return what serves an operation; None when nothing here does."""
        provider = self.messages if operation is _MESSAGES else self.provider
        return provider if provider is not None and provider.supports(operation) else None

    def price(self, wildcard: str, now: float) -> Price | None:
        """Return the price of the model, with `wildcard` in place of a `*`; None when it is unknown.

        `now` is on the monotonic clock. What was looked up is used for a while.
        """
        kept = self._prices.get(wildcard)
        if kept is not None and now < kept[0]:
            return kept[1]
        if len(self._prices) >= _PRICES_KEPT:
            self._prices.clear()
        model = self.provider.model.replace("*", wildcard)
        found = prices.lookup(self.provider.name, model, {**self.info, **self.parameters}, now=datetime.now(UTC))
        self._prices[wildcard] = (now + PRICE_SECONDS, found)
        return found


def supports(operation: Operation) -> Callable[[Target], bool]:
    """Return the predicate that routing asks whether a deployment can serve an operation."""
    return _SUPPORTS[operation]


def _supporter(operation: Operation) -> Callable[[Target], bool]:
    return lambda target: target.serving(operation) is not None


_SUPPORTS = {operation: _supporter(operation) for operation in Operation}


def unsupported(operation: Operation, error: NotSupportedError) -> NotSupportedError:
    """Return what a client is told whose operation no deployment of the model can serve."""
    if operation is not Operation.COUNT_TOKENS:
        return error
    message = f"{error.message} Its upstream does not count tokens, and the gateway does not estimate them."
    return NotSupportedError(message, param=error.param, headers=error.headers)
