"""What serves requests, made from a configuration. A reload makes a new one and swaps it in whole."""

from collections.abc import Callable
from random import Random

import msgspec

from headgate.config import PROVIDERS, Configuration, ModelEntry, expand_entry, is_catch_all
from headgate.core.clock import monotonic
from headgate.core.errors import ConfigurationError
from headgate.core.provider import Provider
from headgate.gateway._policy import routing_policy
from headgate.gateway._target import Target
from headgate.governance import Authenticator
from headgate.ledger import prices
from headgate.providers import create
from headgate.routing import Deployment, Router


class Runtime(msgspec.Struct, frozen=True):
    """One configuration in force."""

    configuration: Configuration
    router: Router[Target]
    authenticator: Authenticator

    @property
    def deployments(self) -> list[Deployment[Target]]:
        """Every deployment, in the order of the configuration."""
        return list(self.router.all_deployments())


def build_runtime(
    configuration: Configuration,
    master_key: str | None,
    previous: Runtime | None = None,
    *,
    on_previous_use: Callable[[], None] = lambda: None,
) -> Runtime:
    """Make what serves a configuration; the deployments' health is taken over from `previous`.

    For `on_previous_use` see `Authenticator`. Raises `ConfigurationError` with every deployment that can not work.
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
    header_name = configuration.general.litellm_key_header_name
    authenticator = Authenticator(master_key, header_name=header_name, on_previous_use=on_previous_use)
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
