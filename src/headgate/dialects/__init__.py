"""The client's side of the wire: requests decoded, errors written in the client's own shape. Nothing here does I/O."""

from headgate.dialects._decode import decode
from headgate.dialects._dialect import ANTHROPIC, OPENAI, RESPONSES, Dialect, dialect_of
from headgate.dialects._errors import (
    anthropic_error,
    anthropic_stream_error,
    openai_error,
    openai_stream_error,
    responses_stream_error,
)
from headgate.dialects._request import Request, Steering
from headgate.dialects._requirements import FILES

__all__ = [
    "ANTHROPIC",
    "FILES",
    "OPENAI",
    "RESPONSES",
    "Dialect",
    "Request",
    "Steering",
    "anthropic_error",
    "anthropic_stream_error",
    "decode",
    "dialect_of",
    "openai_error",
    "openai_stream_error",
    "responses_stream_error",
]
