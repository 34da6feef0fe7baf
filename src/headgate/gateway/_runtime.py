"""What serves requests, made from a configuration. A reload makes a new one and swaps it in whole."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

import msgspec

from headgate.config import PROVIDERS, Configuration, ModelEntry, RouterSettings, expand_entry, is_catch_all
from headgate.core.clock import monotonic
from headgate.core.errors import ConfigurationError, NotSupportedError
from headgate.core.money import Price
from headgate.core.provider import Operation, Provider
from headgate.gateway._headers import deployment_lines
from headgate.gateway._policy import routing_policy
from headgate.governance import Authenticator
from headgate.ledger import prices
from headgate.providers import create, with_messages
from headgate.routing import Deployment, Router
from headgate.transport.connection import Timeouts

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
        provider = self.messages if operation is Operation.MESSAGES else self.provider
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


class Runtime(msgspec.Struct, frozen=True):
    """One configuration in force."""

    configuration: Configuration
    router: Router[Target]
    authenticator: Authenticator

    @property
    def deployments(self) -> list[Deployment[Target]]:
        """Every deployment, in the order of the configuration."""
        return list(self.router.all_deployments())


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


def build_runtime(configuration: Configuration, master_key: str | None, previous: Runtime | None = None) -> Runtime:
    """Make what serves a configuration; the deployments' health is taken over from `previous`.

    Raises `ConfigurationError` with every deployment that can not work.
    """
    problems: list[str] = []
    deployments: list[Deployment[Target]] = []
    taken = {entry.model_name for entry in configuration.models if not is_catch_all(entry)}
    for entry in configuration.models:
        try:
            entries = expand_entry(entry, configuration.environ, taken)
            deployments.extend([_deployment(one, configuration) for one in entries])
        except ConfigurationError as error:
            where = f"{entry.file}:{entry.line}: " if entry.file is not None else ""
            problems.extend(f"{where}model {entry.model_name!r}: {problem}" for problem in error.problems)
    if problems:
        raise ConfigurationError(problems)
    policy = routing_policy(configuration.router)
    # Choosing a deployment is no secret; what must not be guessed comes from os.urandom.
    router = Router(deployments, policy, clock=monotonic, random=Random())  # noqa: S311
    if previous is not None:
        router.adopt(previous.router)
    authenticator = Authenticator(master_key, header_name=configuration.general.litellm_key_header_name)
    return Runtime(configuration, router, authenticator)


def _deployment(entry: ModelEntry, configuration: Configuration) -> Deployment[Target]:
    parameters, info = entry.parameters, entry.info
    provider = _provider(entry, configuration)
    target = Target(entry, provider, _probed(entry, provider, configuration), configuration.router)
    facts = None
    if configuration.router.enable_pre_call_checks and info.max_input_tokens is None:
        facts = prices.facts(target.provider.name, target.provider.model, {**target.info, **target.parameters})
    price = None
    if configuration.router.routing_strategy == "cost-based-routing":
        found = target.price("", monotonic())
        price = found.input + found.output if found is not None else None
    return Deployment(
        id=info.id,
        group=entry.model_name,
        provider=target,
        model=target.provider.model,
        weight=parameters.weight,
        rpm=parameters.rpm,
        tpm=parameters.tpm,
        order=parameters.order,
        tags=frozenset(parameters.tags),
        max_parallel_requests=parameters.max_parallel_requests,
        num_retries=parameters.num_retries if parameters.num_retries is not None else parameters.max_retries,
        cooldown_time=parameters.cooldown_time,
        max_input_tokens=info.max_input_tokens or (facts.max_input_tokens if facts is not None else None),
        price=price,
    )


def _provider(entry: ModelEntry, configuration: Configuration) -> Provider:
    mock = entry.parameters.mock_response
    if mock is not None:
        # The built-in model answers with a text that comes along in the body; no upstream is called.
        extra = {**entry.parameters.extra_body, "mock_response": mock}
        name = entry.parameters.model.rpartition("/")[2]
        return create(f"demo/{name}", {"extra_body": extra}, {})
    return create(entry.parameters.model, entry.parameters.resolved(), configuration.environ)


def _probed(entry: ModelEntry, provider: Provider, configuration: Configuration) -> Provider | None:
    named = entry.info.health_check_model
    if named is None or entry.parameters.mock_response is not None:
        return provider if "*" not in provider.model else None
    model = named if named.partition("/")[0] in PROVIDERS else f"{provider.name}/{named}"
    try:
        return create(model, entry.parameters.resolved(), configuration.environ)
    except ConfigurationError as error:
        raise ConfigurationError([f"health_check_model: {problem}" for problem in error.problems]) from error
