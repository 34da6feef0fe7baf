"""What all checks look at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import yaml

from headgate.deploy.ecs._account import Account, Identity
from headgate.deploy.ecs._configuration import GatewayConfiguration, read_configuration
from headgate.deploy.ecs._environment import Inputs
from headgate.deploy.ecs._graph import container_variables, resources
from headgate.deploy.ecs._preflight._questions import Questions
from headgate.deploy.ecs._stacks import StackSpec, stack_specs
from headgate.deploy.engine import Verdict
from headgate.deploy.settings import Environment

Result = tuple[Verdict, str]
"""How it is, and a sentence that says what to do where it is not well."""

_ANY_ZONE = "Z0"
_OPEN = Inputs(image="", rotation_package="")
_GRAVITY = (Verdict.PASSED, Verdict.UNKNOWN, Verdict.WARNING, Verdict.FAILED)


@dataclass(frozen=True)
class Deployed:
    """A model of the gateway's configuration: its name there, the provider's name of it, and its parameters."""

    name: str
    model: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """One environment in one account, and what a run is about to do.

    `made_here` are the components that the run creates, `acts_on` all that it creates or changes; None for any.
    `clock` returns seconds since 1970.
    """

    environment: Environment
    account: Account
    made_here: frozenset[str]
    acts_on: frozenset[str] | None
    clock: Callable[[], float]
    questions: Questions
    _elsewhere: dict[str, Questions] = field(default_factory=dict)

    def makes(self, component: str) -> bool:
        """Tell whether the run creates a component."""
        return component in self.made_here

    def touches(self, *components: str) -> bool:
        """Tell whether the run creates or changes one of these."""
        return self.acts_on is None or not self.acts_on.union(self.made_here).isdisjoint(components)

    def identity(self) -> Identity:
        """Return who is signed in. Raises `CredentialsError`."""
        return self.account.identity()

    def elsewhere(self, region: str) -> Questions:
        """Return what asks the same account in a region."""
        if region == self.environment.region:
            return self.questions
        account = Account(region, self.account.expected, self.account.call)
        return self._elsewhere.setdefault(region, Questions(account))

    @cached_property
    def stacks(self) -> Mapping[str, StackSpec]:
        """Return the stacks by template; what only steps can produce is left open. Raises `ConfigurationError`."""
        return self._stacks(_OPEN)

    def task_variables(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the variables that tasks get, and those among them that the secret `api-keys` has to hold."""
        keyless = self._stacks(replace(_OPEN, provider_keys=frozenset()))
        every, without = (container_variables(stacks["gateway"], "proxy") for stacks in (self.stacks, keyless))
        return every, every - without

    def _stacks(self, inputs: Inputs) -> Mapping[str, StackSpec]:
        zone = None if self.environment.domain is None else self.environment.hosted_zone_id or _ANY_ZONE
        environment = self.environment.model_copy(update={"hosted_zone_id": zone})
        return {spec.template: spec for spec in stack_specs(environment, inputs)}

    def created(self) -> Iterator[Mapping[str, Any]]:
        """Yield the resources that the run creates, as they stand in the templates. Raises `ConfigurationError`."""
        for template, spec in self.stacks.items():
            if self.makes(template):
                yield from resources(spec).values()

    @cached_property
    def configuration(self) -> GatewayConfiguration | None:
        """Return the gateway's configuration, None where the image's own serves. Raises `ConfigurationError`."""
        path = self.environment.configuration
        return None if path is None else read_configuration(path)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """Return the configuration as data, empty without one. Raises `ConfigurationError`."""
        found = self.configuration
        document = {} if found is None else yaml.safe_load(found.content)
        return document if isinstance(document, dict) else {}

    @property
    def models(self) -> Iterator[Deployed]:
        """Yield the configuration's models. Raises `ConfigurationError`."""
        for entry in self.document.get("model_list") or ():
            parameters = entry.get("litellm_params") if isinstance(entry, dict) else None
            if isinstance(parameters, dict) and isinstance(parameters.get("model"), str):
                yield Deployed(str(entry.get("model_name", "")), parameters["model"], parameters)


def gravest(results: list[Result]) -> Result:
    """Return the gravest verdict of several, with every sentence that has it; there is at least one."""
    verdict = max((one for one, _ in results), key=_GRAVITY.index)
    return verdict, " ".join(dict.fromkeys(message for one, message in results if one is verdict))
