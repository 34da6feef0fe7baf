"""Who produces what, and who consumes it: questions that are answered before anything is created."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headgate.deploy.ecs._stacks import StackSpec
from headgate.deploy.ecs._templates import Template


def conditions(spec: StackSpec) -> Mapping[str, bool]:
    """Return whether each condition of a stack's template holds with its parameters."""
    template, values = spec.parsed, parameter_values(spec)
    declared: Mapping[str, Any] = template.get("Conditions", {})
    return {name: _holds(condition, values, declared) for name, condition in declared.items()}


def parameter_values(spec: StackSpec) -> Mapping[str, str]:
    """Return the value of every parameter of a stack's template that has one: given, else its default."""
    declared: Mapping[str, Any] = spec.parsed["Parameters"]
    defaults = {name: str(parameter["Default"]) for name, parameter in declared.items() if "Default" in parameter}
    return defaults | dict(spec.parameters)


def resources(spec: StackSpec) -> Mapping[str, Mapping[str, Any]]:
    """Return the resources that a stack creates with its parameters, by logical id."""
    holds = conditions(spec)
    return {
        name: resource
        for name, resource in spec.parsed["Resources"].items()
        if "Condition" not in resource or holds[resource["Condition"]]
    }


def exports(spec: StackSpec) -> frozenset[str]:
    """Return the names that a stack exports with its parameters."""
    holds = conditions(spec)
    return frozenset(
        _text(output["Export"]["Name"], spec)
        for output in spec.parsed.get("Outputs", {}).values()
        if "Export" in output and ("Condition" not in output or holds[output["Condition"]])
    )


def imports(spec: StackSpec) -> frozenset[str]:
    """Return the names that a stack imports with its parameters."""
    template, holds = spec.parsed, conditions(spec)
    outputs = [
        output
        for output in template.get("Outputs", {}).values()
        if "Condition" not in output or holds[output["Condition"]]
    ]
    found = _imports([*resources(spec).values(), *outputs], holds)
    return frozenset(_text(value, spec) for value in found)


def container_variables(spec: StackSpec, container: str) -> frozenset[str]:
    """Return the environment variables that a container of a stack's task definitions is given."""
    holds = conditions(spec)
    found: set[str] = set()
    for resource in resources(spec).values():
        for one in resource.get("Properties", {}).get("ContainerDefinitions", ()):
            if one["Name"] == container:
                found |= {member["Name"] for part in ("Environment", "Secrets") for member in _chosen(one[part], holds)}
    return frozenset(found)


def _chosen(items: Sequence[Any], holds: Mapping[str, bool]) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a list that conditions leave in it."""
    for item in items:
        if "Fn::If" in item:
            condition, then, otherwise = item["Fn::If"]
            item = then if holds[condition] else otherwise
        if item.get("Ref") != "AWS::NoValue":
            yield item


def problems(specs: Sequence[StackSpec]) -> list[str]:
    """Return what would fail if the stacks were created in this order, as sentences; empty when nothing would."""
    found: list[str] = []
    produced: dict[str, str] = {}
    for spec in specs:
        declared: Mapping[str, Any] = spec.parsed["Parameters"]
        found += [
            f"{spec.name}: the template has no parameter {name}." for name in sorted(spec.parameters.keys() - declared)
        ]
        found += [
            f"{spec.name}: nothing gives the parameter {name} a value."
            for name in sorted(declared.keys() - parameter_values(spec).keys())
        ]
        found += [
            f"{spec.name}: imports {name}, which no stack before it exports."
            for name in sorted(imports(spec) - produced.keys())
        ]
        for name in sorted(exports(spec)):
            if name in produced:
                found.append(f"{spec.name}: exports {name}, as {produced[name]} does.")
            produced[name] = spec.name
        found += [f"{spec.name}: {problem}" for problem in _rejected(spec, declared)]
    return found


def _rejected(spec: StackSpec, declared: Mapping[str, Any]) -> Iterator[str]:
    """Yield what CloudFormation would not accept as a value."""
    for name, value in spec.parameters.items():
        parameter = declared.get(name, {})
        allowed = [str(one) for one in parameter.get("AllowedValues", ())]
        pattern = parameter.get("AllowedPattern")
        if allowed and value not in allowed:
            yield f"{name} is {value!r} but must be one of {', '.join(allowed)}."
        if pattern is not None and re.fullmatch(pattern, value) is None:
            yield f"{name} is {value!r}, which does not fit {pattern}."
        if parameter.get("Type") == "Number" and not _within(value, parameter):
            bounds = f"{parameter.get('MinValue', '')}..{parameter.get('MaxValue', '')}"
            yield f"{name} is {value!r} but must be a number within {bounds}."


def _within(value: str, parameter: Mapping[str, Any]) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return bool(parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number))


def _imports(value: Any, holds: Mapping[str, bool]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _imports(item, holds)
    elif isinstance(value, dict):
        if "Fn::ImportValue" in value:
            yield value["Fn::ImportValue"]
        elif "Fn::If" in value:
            condition, then, otherwise = value["Fn::If"]
            yield from _imports(then if holds[condition] else otherwise, holds)
        else:
            yield from _imports(list(value.values()), holds)


def _text(value: Any, spec: StackSpec) -> str:
    """Return a name that is made of parameters only."""
    template = value["Fn::Sub"] if isinstance(value, dict) else value
    values = parameter_values(spec)
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], template)


def _holds(condition: Any, values: Mapping[str, str], declared: Template) -> bool:
    [(function, argument)] = condition.items()
    if function == "Condition":
        return _holds(declared[argument], values, declared)
    if function == "Fn::Equals":
        first, second = (_value(side, values) for side in argument)
        return first == second
    results = [_holds(one, values, declared) for one in argument]
    return {"Fn::Not": not results[0], "Fn::And": all(results), "Fn::Or": any(results)}[function]


def _value(side: Any, values: Mapping[str, str]) -> str:
    if not isinstance(side, dict):
        return str(side)
    if "Fn::Join" in side:
        separator, joined = side["Fn::Join"]
        return str(separator).join(values[joined["Ref"]].split(","))
    return values[side["Ref"]]
