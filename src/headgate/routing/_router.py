"""The router: model groups, their deployments, and the dispatch of requests to them."""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Generic

from headgate.core.clock import Clock
from headgate.routing._deployment import Deployment, P
from headgate.routing._dispatch import Dispatch, Rules
from headgate.routing._fallbacks import Wishes
from headgate.routing._names import Group, Names
from headgate.routing._policy import Policy
from headgate.routing._selection import Demand
from headgate.routing._strategies import assign_shares

_NO_WISHES = Wishes()


class Router(Generic[P]):
    """Routes requests over deployments by a policy.

    Nothing in it is shared between threads; one event loop drives it. Raises `ConfigurationError` for a policy that
    cannot work: an unknown strategy or error name, an alias to nothing, a pattern with two wildcards.
    """

    def __init__(self, deployments: Iterable[Deployment[P]], policy: Policy, *, clock: Clock, random: Random) -> None:
        self.policy = policy
        members: dict[str, list[Deployment[P]]] = {}
        for deployment in deployments:
            members.setdefault(deployment.group, []).append(deployment)
        self._groups = {name: Group(name, group) for name, group in members.items()}
        for group in self._groups.values():
            assign_shares(group.deployments)
        self._names = Names(self._groups, policy.model_group_alias)
        self._rules = Rules(policy, self._names, clock, random)

    def adopt(self, previous: "Router[P]") -> None:
        """Take over what the previous router has seen of the deployments that this one has too, by their id.

        Requests still under way on the previous router go on being counted.
        """
        seen = {deployment.id: deployment.health for deployment in previous.all_deployments()}
        for deployment in self.all_deployments():
            deployment.health = seen.get(deployment.id, deployment.health)

    def groups(self) -> tuple[str, ...]:
        """Return the public model names to list: groups, wildcards as configured, and aliases that are not hidden."""
        policy = self.policy
        aliases = [alias for alias in policy.model_group_alias if alias not in policy.hidden_aliases]
        return tuple(dict.fromkeys([*self._groups, *aliases]))

    def deployments(self, model: str) -> tuple[Deployment[P], ...]:
        """Return the deployments behind a public model name, alias or wildcard pattern; none when it is unknown."""
        if "*" in model and model in self._groups:
            return self._groups[model].deployments
        target = self._names.find(model)
        return () if target is None else target.group.deployments

    def all_deployments(self) -> tuple[Deployment[P], ...]:
        """Return every deployment once, in the order of its group."""
        return tuple(deployment for group in self._groups.values() for deployment in group.deployments)

    def resolve(self, model: str) -> tuple[str, str]:
        """Return the name of the group that serves a model, and what its `*` stands for.

        Raises `ModelNotFoundError`.
        """
        target = self._names.require(model)
        return target.group.name, target.wildcard

    def dispatch(
        self,
        model: str,
        *,
        supports: Callable[[P], bool],
        tags: Sequence[str] = (),
        input_tokens: int | None = None,
        stream: bool = False,
        fallbacks: Sequence[str] | None = None,
        context_window_fallbacks: Sequence[str] | None = None,
        content_policy_fallbacks: Sequence[str] | None = None,
        disable_fallbacks: bool = False,
        num_retries: int | None = None,
    ) -> Dispatch[P]:
        """Return the journey of one request, not yet begun. Raises `ModelNotFoundError`.

        `supports` tells whether a provider can serve the operation. The fallback lists and `num_retries` are the
        client's own, in place of the configured ones; they are cut to `max_fallbacks` and to a handful of retries.
        """
        wishes = _NO_WISHES
        if (
            fallbacks is not None
            or num_retries is not None
            or disable_fallbacks
            or context_window_fallbacks is not None
            or content_policy_fallbacks is not None
        ):
            wishes = Wishes(
                fallbacks, context_window_fallbacks, content_policy_fallbacks, disable_fallbacks, num_retries
            )
        return Dispatch(self._rules, self._names.require(model), Demand(supports, tags, input_tokens, stream), wishes)
