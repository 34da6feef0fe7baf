"""The templates as text and as data."""

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

Template = Mapping[str, Any]
"""A parsed template in which every function stands in its long form, `{"Fn::Sub": ...}` for `!Sub`."""

_SHORT_WITHOUT_PREFIX = ("Ref", "Condition")


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise yaml.constructor.ConstructorError(None, None, f"!{suffix} of what is neither text, list nor mapping")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in _SHORT_WITHOUT_PREFIX else f"Fn::{suffix}": value}


def loader_on(base: type[yaml.SafeLoader]) -> type[yaml.SafeLoader]:
    """Return `base` with CloudFormation's short forms of functions."""
    loader: type[yaml.SafeLoader] = type("TemplateLoader", (base,), {})
    loader.add_multi_constructor("!", _function)
    return loader


# libyaml takes a tenth of the time; PyYAML does without where it was built without it.
_LOADER = loader_on(getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def template_text(name: str) -> str:
    """Return a template of this package, by its name without `.yaml`."""
    return (resources.files(__package__) / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


@functools.cache
def parse_template(text: str) -> Template:
    """Return a template as data, the same object for the same text. Raises `yaml.YAMLError` for text that is none."""
    template = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a SafeLoader
    if not isinstance(template, dict):
        raise yaml.YAMLError("A template is a mapping.")
    return template
