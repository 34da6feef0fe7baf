"""What each operation can not do without, checked before an upstream is asked."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members
from headgate.core.provider import Operation

_ARRAY = re.compile(rb"\[\s*[^\]\s]")
_TEXT = re.compile(rb'"(?!")')
_TEXT_OR_ARRAY = re.compile(rb'"(?!")|\[\s*[^\]\s]')
_POSITIVE = re.compile(rb"[1-9][0-9]{0,17}")


class Requirement(NamedTuple):
    """A member that must be there: `matches` looks at the beginning of its raw value, `words` say what it must be.

    One of `alternatives` being there instead is as good.
    """

    name: str
    matches: Callable[[msgspec.Raw], object]
    words: str
    alternatives: tuple[str, ...] = ()


def _array(name: str) -> Requirement:
    return Requirement(name, _ARRAY.match, "a non-empty array")


def _text(name: str) -> Requirement:
    return Requirement(name, _TEXT.match, "a non-empty string")


def _text_or_array(name: str, *alternatives: str) -> Requirement:
    return Requirement(name, _TEXT_OR_ARRAY.match, "a non-empty string or array", alternatives)


# https://platform.openai.com/docs/api-reference, https://docs.anthropic.com/en/api/messages, and for rerank
# https://docs.cohere.com/reference/rerank. A moderation may also hold an array of parts.
REQUIREMENTS: Mapping[Operation, tuple[Requirement, ...]] = {
    Operation.CHAT: (_array("messages"),),
    Operation.COMPLETION: (_text_or_array("prompt"),),
    Operation.EMBEDDING: (_text_or_array("input"),),
    # A stored prompt brings its own input.
    Operation.RESPONSES: (_text_or_array("input", "prompt", "conversation", "previous_response_id"),),
    Operation.MESSAGES: (
        _array("messages"),
        Requirement("max_tokens", _POSITIVE.fullmatch, "an integer of at least 1"),
    ),
    Operation.COUNT_TOKENS: (_array("messages"),),
    Operation.IMAGE_GENERATION: (_text("prompt"),),
    Operation.IMAGE_EDIT: (_text("prompt"),),
    Operation.SPEECH: (_text("input"),),
    Operation.TRANSCRIPTION: (),
    Operation.MODERATION: (_text_or_array("input"),),
    Operation.RERANK: (_text("query"), _array("documents")),
}

FILES: Mapping[Operation, tuple[str, ...]] = {
    Operation.IMAGE_EDIT: ("image", "image[]"),
    Operation.TRANSCRIPTION: ("file",),
}
"""The operations that come as a form, and the names under which its file may come."""


def require(operation: Operation, members: Members) -> None:
    """Raise `InvalidRequestError` naming the first member that is missing or of the wrong type."""
    for name, matches, words, alternatives in REQUIREMENTS[operation]:
        value = members.get(name)
        if value is not None and matches(value):
            continue
        if value is not None and value != _NULL:
            raise InvalidRequestError(f"Invalid value for '{name}': expected {words}.", param=name)
        if not any(other in members for other in alternatives):
            raise InvalidRequestError(f"Missing required parameter: '{name}'.", param=name)


_NULL = msgspec.Raw(b"null")
