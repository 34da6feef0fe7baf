"""The shapes in which clients speak, and which operation belongs to which."""

from collections.abc import Callable
from typing import NamedTuple

from headgate.core.errors import GatewayError
from headgate.core.provider import Operation
from headgate.dialects._errors import (
    anthropic_error,
    anthropic_stream_error,
    openai_error,
    openai_stream_error,
    responses_stream_error,
)


class Dialect(NamedTuple):
    """How a client of one API is told about an error: as a whole body, or as the last event of a stream."""

    name: str
    error: Callable[[GatewayError], bytes]
    stream_error: Callable[[GatewayError], bytes]


OPENAI = Dialect("openai", openai_error, openai_stream_error)
RESPONSES = Dialect("responses", openai_error, responses_stream_error)
ANTHROPIC = Dialect("anthropic", anthropic_error, anthropic_stream_error)

_BY_OPERATION = {
    Operation.RESPONSES: RESPONSES,
    Operation.MESSAGES: ANTHROPIC,
    Operation.COUNT_TOKENS: ANTHROPIC,
}


def dialect_of(operation: Operation) -> Dialect:
    """Return the dialect in which clients ask for an operation."""
    return _BY_OPERATION.get(operation, OPENAI)
