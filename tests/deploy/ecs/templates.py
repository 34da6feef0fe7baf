"""The templates as data, and ways to look at them."""

from collections.abc import Iterator, Mapping
from typing import Any

from headgate.deploy.ecs import TEMPLATES, parse_template, template_text

PARSED = {name: parse_template(template_text(name)) for name in TEMPLATES}


def of_type(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and properties of every resource of a type."""
    for template, parsed in PARSED.items():
        for name, found in parsed["Resources"].items():
            if found["Type"] == kind:
                yield f"{template}.{name}", found.get("Properties", {})


def only(kind: str) -> Mapping[str, Any]:
    """Return the properties of the one resource of a type."""
    [(_, properties)] = of_type(kind)
    return properties


def resource(template: str, name: str) -> Any:
    """Return the properties of a resource."""
    return PARSED[template]["Resources"][name]["Properties"]


def default(template: str, parameter: str) -> Any:
    """Return a parameter's default."""
    return PARSED[template]["Parameters"][parameter]["Default"]


def statements(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every statement of the policies in a value."""
    if isinstance(value, dict | list):
        if isinstance(value, dict) and "Effect" in value:
            yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from statements(item)


def variable_name(variable: Any) -> Any:
    """Return the name of a container's variable that may stand under a condition."""
    return variable["Name"] if "Name" in variable else variable["Fn::If"][1]["Name"]
