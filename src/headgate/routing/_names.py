"""From the model name that a client sends to the model group that serves it."""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple

from headgate.core.errors import ConfigurationError, ModelNotFoundError
from headgate.routing._deployment import Deployment, P

LONGEST_NAME = 2048
"""Characters of a model name that a wildcard accepts; the ARN of a Bedrock inference profile has at most 2048."""

_SHOWN = 100


class Group(Generic[P]):
    """The deployments of one public model name."""

    __slots__ = ("deployments", "name", "ordered", "single", "wildcard")

    def __init__(self, name: str, deployments: Sequence[Deployment[P]]) -> None:
        self.name = name
        self.deployments = tuple(deployments)
        self.single = len(self.deployments) == 1
        self.wildcard = "*" in name
        self.ordered = any(deployment.order is not None for deployment in self.deployments)


class Target(NamedTuple, Generic[P]):
    """What a name leads to: `requested` as sent, `model` with aliases resolved, and what the `*` stood for."""

    requested: str
    model: str
    group: Group[P]
    wildcard: str


class Names(Generic[P]):
    """Finds groups by alias, exact name and wildcard, in this order; of wildcards the most specific one."""

    def __init__(self, groups: Mapping[str, Group[P]], aliases: Mapping[str, str]) -> None:
        self._groups = groups
        self._patterns: list[tuple[str, str, Group[P]]] = []
        for name, group in groups.items():
            prefix, star, suffix = name.partition("*")
            if "*" in suffix:
                raise ConfigurationError([f"model_name '{name}': a wildcard name may hold one '*' only"])
            if star:
                self._patterns.append((prefix, suffix, group))
        self._patterns.sort(key=lambda pattern: (len(pattern[0]) + len(pattern[1]), len(pattern[0])), reverse=True)
        self._known = {name: Target(name, name, group, "") for name, group in groups.items() if not group.wildcard}
        self._known |= self._resolve_aliases(aliases)

    def _resolve_aliases(self, aliases: Mapping[str, str]) -> dict[str, Target[P]]:
        resolved, problems = {}, []
        for alias, model in aliases.items():
            target = self.find(model)
            if target is None:
                problems.append(f"model_group_alias '{alias}': there is no model '{model}'")
            else:
                resolved[alias] = target._replace(requested=alias)
        if problems:
            raise ConfigurationError(problems)
        return resolved

    def find(self, model: str) -> Target[P] | None:
        """Return what the name leads to, None when nothing."""
        target = self._known.get(model)
        if target is not None or len(model) > LONGEST_NAME:
            return target
        for prefix, suffix, group in self._patterns:
            if model.startswith(prefix) and model.endswith(suffix) and len(model) > len(prefix) + len(suffix):
                return Target(model, model, group, model[len(prefix) : len(model) - len(suffix)])
        return None

    def require(self, model: str) -> Target[P]:
        """Return what the name leads to. Raises `ModelNotFoundError` when nothing."""
        target = self.find(model)
        if target is None:
            message = (
                f"Invalid model name passed in model={shorten(model)}. "
                "Call `/v1/models` to view available models for your key."
            )
            raise ModelNotFoundError(message, param="model")
        return target


def shorten(name: str) -> str:
    """Cut a client's name to a length fit for messages."""
    return name if len(name) <= _SHOWN else name[:_SHOWN] + "..."
