"""Names that the templates give to what they make, told without asking AWS."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from headgate.deploy.ecs._environment import Inputs
from headgate.deploy.ecs._graph import parameter_values, resources
from headgate.deploy.ecs._stacks import StackSpec, stack_specs
from headgate.deploy.settings import Environment

_NO_INPUTS = Inputs(image="", rotation_package="")


def stacks_of(environment: Environment) -> Mapping[str, StackSpec]:
    """Return the stacks of an environment by template, for their names only: what steps produce is left open."""
    return {spec.template: spec for spec in stack_specs(environment, _NO_INPUTS)}


def names_of(spec: StackSpec, kind: str, member: str) -> Iterator[tuple[str, str]]:
    """Yield logical id and name of each resource of a type; `member` is the property that holds the name."""
    values = parameter_values(spec)
    for logical, resource in resources(spec).items():
        if resource["Type"] == kind:
            yield logical, _text(resource["Properties"][member], values)


def _text(value: Any, values: Mapping[str, str]) -> str:
    template = value["Fn::Sub"] if isinstance(value, dict) else str(value)
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], template)
