"""What a decoded request consists of, and the shapes of the members that are looked into.

msgspec reads the annotations of these classes when the program runs; compiled modules have none, so they live here.
"""

import msgspec

from headgate.core.provider import Call


class Steering(msgspec.Struct):
    """What the client asks of the gateway; None where it leaves that to the configuration.

    Lists of fallbacks hold model names. `timeout` and `stream_timeout` are seconds, the latter to the first byte of a
    stream. `tags` select deployments and mark the request. `user` is the client's label for its own user.
    """

    tags: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] | None = None
    context_window_fallbacks: tuple[str, ...] | None = None
    content_policy_fallbacks: tuple[str, ...] | None = None
    disable_fallbacks: bool = False
    num_retries: int | None = None
    timeout: float | None = None
    stream_timeout: float | None = None
    user: str | None = None


class Request(msgspec.Struct):
    """A decoded request: what goes to a provider, and what the client asks of the gateway."""

    call: Call
    steering: Steering


class StreamOptions(msgspec.Struct):
    """`stream_options` of OpenAI's API."""

    include_usage: bool | None = None


class AnthropicMetadata(msgspec.Struct):
    """`metadata` of Anthropic's API."""

    user_id: str | None = None
