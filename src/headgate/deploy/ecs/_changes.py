"""What an update would do, read from a change set."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headgate.deploy.ecs._graph import parameter_values, resources
from headgate.deploy.ecs._stacks import StackSpec

Action = Literal["create", "update", "replace", "maybe replace", "delete"]
_ANYONE = ("0.0.0.0/0", "::/0")
_INBOUND = ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress")
_WITHOUT_RESOURCE = frozenset({"ecr:GetAuthorizationToken"})
"""Actions that can be allowed on everything only:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html"""
_POLICIES = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")


@dataclass(frozen=True)
class Change:
    """What happens to one resource. `broadens` says, one sentence each, what becomes open that was not."""

    action: Action
    resource: str
    type: str
    broadens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What happens to one stack: nothing without changes. `state` is its state now, None when it does not exist."""

    stack: str
    state: str | None
    changes: tuple[Change, ...]

    @property
    def action(self) -> Literal["create", "update", "replace", "nothing"]:
        """The gravest of what happens to the stack's resources."""
        if not self.changes:
            return "nothing"
        if self.state is None:
            return "create"
        return "replace" if any("replace" in change.action for change in self.changes) else "update"


def creation(spec: StackSpec) -> Plan:
    """Return the plan for a stack that is not there; it needs no credentials."""
    values = parameter_values(spec)
    found = ((name, one["Type"], _resolved(one.get("Properties", {}), values)) for name, one in resources(spec).items())
    changes = (Change("create", name, kind, tuple(_openings(kind, given))) for name, kind, given in found)
    return Plan(spec.name, None, tuple(changes))


def from_change_set(stack: str, state: str, changes: list[Mapping[str, Any]]) -> Plan:
    """Return the plan that a described change set holds, as `describe_change_set` lists its changes."""
    found = [change["ResourceChange"] for change in changes if "ResourceChange" in change]
    return Plan(stack, state, tuple(_change(change) for change in found))


def _change(change: Mapping[str, Any]) -> Change:
    kind = change["ResourceType"]
    before, after = (_properties(change.get(side)) for side in ("BeforeContext", "AfterContext"))
    known = set(_openings(kind, before))
    opened = tuple(opening for opening in _openings(kind, after) if opening not in known)
    return Change(_action(change), change["LogicalResourceId"], kind, opened)


def _action(change: Mapping[str, Any]) -> Action:
    match change["Action"], change.get("Replacement"):
        case "Add", _:
            return "create"
        case "Remove", _:
            return "delete"
        case _, "True":
            return "replace"
        case _, "Conditional":
            return "maybe replace"
        case _:
            return "update"


def _properties(context: str | None) -> Mapping[str, Any]:
    properties = json.loads(context).get("Properties", {}) if context else {}
    return properties if isinstance(properties, dict) else {}


def _openings(kind: str, properties: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a resource lets anyone do."""
    if kind in _INBOUND:
        rules = properties.get("SecurityGroupIngress", []) if kind == _INBOUND[0] else [properties]
        for rule in rules:
            source = rule.get("CidrIp", rule.get("CidrIpv6"))
            if source in _ANYONE:
                yield f"port {_port(rule)} becomes reachable from {source}"
    if properties.get("PubliclyAccessible") in (True, "true"):
        yield "becomes reachable from the internet"
    for statement in _statements(properties) if kind in _POLICIES else ():
        if statement.get("Effect") == "Allow" and not statement.get("Condition"):
            for action in _listed(statement.get("Action")):
                for resource in _listed(statement.get("Resource")):
                    if _is_wide(str(action), resource):
                        yield f"may do {action} on {_shown(resource)}"


def _is_wide(action: str, resource: Any) -> bool:
    """Tell whether a statement allows more than named actions on named resources."""
    return action == "*" or action.endswith(":*") or (resource == "*" and action not in _WITHOUT_RESOURCE)


def _resolved(value: Any, values: Mapping[str, str]) -> Any:
    """Return `value` with parameters in the place of references to them."""
    if isinstance(value, list):
        return [_resolved(item, values) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"Ref"} and value["Ref"] in values:
            return values[value["Ref"]]
        return {key: _resolved(item, values) for key, item in value.items()}
    return value


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _statements(item)
    elif isinstance(value, dict):
        if "Statement" in value:
            yield from _listed(value["Statement"])
        else:
            yield from _statements(list(value.values()))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _port(rule: Mapping[str, Any]) -> str:
    first, last = (str(rule.get(side, "any")) for side in ("FromPort", "ToPort"))
    return first if first == last else f"{first}-{last}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("Fn::Sub") or json.dumps(value))
    return str(value)
