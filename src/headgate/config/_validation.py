"""Validation whose problems are told with the lines of the file."""

from typing import TypeVar

from pydantic import ValidationError

from headgate.config._findings import Findings, KeyPath, dotted
from headgate.config._section import Section
from headgate.config._tree import Node

_S = TypeVar("_S", bound=Section)


def validate(model: type[_S], value: object, node: Node, path: KeyPath, findings: Findings) -> _S | None:
    """Validate a value; None, with each problem noted at its line, when it does not fit the model."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            place, key = _locate(node, path, problem["loc"])
            if not findings.has(dotted(key)):
                findings.error(place, key, f"{dotted(key)}: {_sentence(problem['msg'])}")
        return None


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}."


def _locate(node: Node, path: KeyPath, location: tuple[str | int, ...]) -> tuple[Node, KeyPath]:
    """Follow a validator's location into the tree as far as it goes."""
    for step in location:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            # A missing key is named at the mapping that lacks it; other steps are the validator's own.
            return node, (*path, step) if isinstance(node.value, dict) and isinstance(step, str) else path
        path = (*path, step)
    return node, path
