"""The settings of routing as plain values, named as in LiteLLM's `router_settings`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Fallbacks = Mapping[str, Sequence[str]]
"""From a model name to the names to try instead, in order; the name `*` stands for every model without an entry."""

Counts = Mapping[str, int]
"""A number per kind of error, under LiteLLM's names: `TimeoutErrorRetries`, `RateLimitErrorAllowedFails` and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyArguments:
    """`routing_strategy_args` of `latency-based-routing`.

    A measurement counts for `ttl` seconds, the last `max_latency_list_size` are averaged, and every deployment within
    `lowest_latency_buffer` (a fraction) of the fastest has an equal chance.
    """

    ttl: float = 3600.0
    lowest_latency_buffer: float = 0.0
    max_latency_list_size: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How requests are routed. Defaults are LiteLLM 1.80.5's.

    `num_retries` counts attempts after the first, per model group. `retry_after` is the least number of seconds before
    an attempt on a deployment that has failed. `allowed_fails` None means that no number was set; then shares of
    failures decide about cooldowns. Times are seconds.
    """

    routing_strategy: str = "simple-shuffle"
    routing_strategy_args: LatencyArguments = field(default_factory=LatencyArguments)
    num_retries: int = 2
    retry_after: float = 0.0
    retry_policy: Counts = field(default_factory=dict)
    model_group_retry_policy: Mapping[str, Counts] = field(default_factory=dict)
    allowed_fails: int | None = None
    allowed_fails_policy: Counts = field(default_factory=dict)
    cooldown_time: float = 5.0
    disable_cooldowns: bool = False
    fallbacks: Fallbacks = field(default_factory=dict)
    context_window_fallbacks: Fallbacks = field(default_factory=dict)
    content_policy_fallbacks: Fallbacks = field(default_factory=dict)
    default_fallbacks: Sequence[str] = ()
    max_fallbacks: int = 5
    enable_pre_call_checks: bool = False
    enable_tag_filtering: bool = False
    tag_filtering_match_any: bool = True
    model_group_alias: Mapping[str, str] = field(default_factory=dict)
    hidden_aliases: frozenset[str] = frozenset()
    """The aliases that are not listed (LiteLLM's `{model: ..., hidden: true}`)."""
