"""What is read of the answers and events of OpenAI-compatible upstreams; everything else in them is skipped.

msgspec reads the annotations of these classes when the program runs; compiled modules have none, so they live here.
"""

from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] | None
"""Tokens; what no answer can have taken is refused."""


class Body(msgspec.Struct):
    """A whole answer."""

    usage: msgspec.Raw = msgspec.Raw()
    meta: msgspec.Raw = msgspec.Raw()
    error: Any = None
    object: Any = None


class Chunk(msgspec.Struct):
    """An event of a chat or completion stream."""

    choices: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    error: Any = None


class TypedResponse(msgspec.Struct):
    """The answer inside a typed event."""

    usage: msgspec.Raw = msgspec.Raw()


class TypedEvent(msgspec.Struct):
    """An event of a stream whose events name their type."""

    type: str = ""
    usage: msgspec.Raw = msgspec.Raw()
    response: TypedResponse | None = None


class InputDetails(msgspec.Struct):
    """Parts of the input, by kind."""

    cached_tokens: Count = None
    cache_write_tokens: Count = None
    audio_tokens: Count = None


class OutputDetails(msgspec.Struct):
    """Parts of the output, by kind."""

    reasoning_tokens: Count = None
    audio_tokens: Count = None


class Report(msgspec.Struct):
    """A `usage` object, in every spelling."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    input_tokens_details: InputDetails | None = None
    input_token_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: Count = None
    """DeepSeek's name for the cached tokens."""


class Tokens(msgspec.Struct):
    """The token counts in Cohere's `meta`."""

    input_tokens: Count = None
    output_tokens: Count = None


class Meta(msgspec.Struct):
    """Cohere's report of a rerank."""

    tokens: Tokens | None = None
