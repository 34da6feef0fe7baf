"""The settings beside the models, and the whole configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from headgate.config._models import ModelEntry
from headgate.config._section import (
    AllowedFailsPolicy,
    Count,
    Delay,
    Fallbacks,
    Number,
    RetryPolicy,
    Seconds,
    Section,
)

RoutingStrategy = Literal[
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "usage-based-routing",
    "usage-based-routing-v2",
    "cost-based-routing",
]


class RoutingStrategyArguments(Section):
    """`routing_strategy_args` of `latency-based-routing`.

    A measurement counts for `ttl` seconds, the last `max_latency_list_size` count, and every deployment within
    `lowest_latency_buffer` (a fraction) of the fastest has an equal chance.
    """

    ttl: Seconds = 3600.0
    lowest_latency_buffer: Delay = 0.0
    max_latency_list_size: Annotated[Count, Field(ge=1, le=1000)] = 10


def _alias(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class ModelGroupAlias(Section):
    """Another name for a model group; a hidden one is not listed."""

    model: str = Field(min_length=1)
    hidden: bool = False


class RouterSettings(Section):
    """`router_settings`, completed: what they do not set comes from `litellm_settings`, then from the environment.

    Times are seconds. `allowed_fails` is None when no number was set; then the share of failures decides about
    cooldowns. `default_litellm_params` are already part of each entry's parameters. Defaults are LiteLLM 1.80.5's,
    except `timeout`, which is 6000 there.
    """

    routing_strategy: RoutingStrategy = "simple-shuffle"
    routing_strategy_args: RoutingStrategyArguments = RoutingStrategyArguments()
    num_retries: Count = 2
    timeout: Seconds = 600.0
    stream_timeout: Seconds | None = None
    retry_after: Delay = 0.0
    retry_policy: RetryPolicy = Field(default_factory=dict)
    model_group_retry_policy: dict[str, RetryPolicy] = Field(default_factory=dict)
    allowed_fails: Count | None = None
    allowed_fails_policy: AllowedFailsPolicy = Field(default_factory=dict)
    cooldown_time: Delay = 5.0
    disable_cooldowns: bool = False
    fallbacks: Fallbacks = Field(default_factory=dict)
    context_window_fallbacks: Fallbacks = Field(default_factory=dict)
    content_policy_fallbacks: Fallbacks = Field(default_factory=dict)
    default_fallbacks: tuple[str, ...] = ()
    max_fallbacks: Count = 5
    enable_pre_call_checks: bool = False
    enable_tag_filtering: bool = False
    tag_filtering_match_any: bool = True
    model_group_alias: dict[str, Annotated[ModelGroupAlias, BeforeValidator(_alias)]] = Field(default_factory=dict)
    default_litellm_params: dict[str, Any] = Field(default_factory=dict, repr=False)


def _flag_or_path(value: object) -> object:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


class LitellmSettings(Section):
    """`litellm_settings`. What also exists in `router_settings` is None here when unset and counts only there.

    `ssl_verify` is false to accept any certificate of an upstream, or the path of a file of trusted ones.
    """

    drop_params: bool = False
    num_retries: Count | None = None
    request_timeout: Seconds | None = None
    fallbacks: Fallbacks | None = None
    context_window_fallbacks: Fallbacks | None = None
    content_policy_fallbacks: Fallbacks | None = None
    default_fallbacks: tuple[str, ...] | None = None
    allowed_fails: Count | None = None
    cooldown_time: Delay | None = None
    ssl_verify: Annotated[bool | str, BeforeValidator(_flag_or_path)] = True
    force_ipv4: bool = False
    set_verbose: bool = False
    json_logs: bool = False


class GeneralSettings(Section):
    """`general_settings`, completed from the environment. `health_check_interval` is in seconds."""

    master_key: Annotated[SecretStr, Field(min_length=1)] | None = None
    max_request_size_mb: Annotated[Number, Field(gt=0, le=2048)] = 50.0
    litellm_key_header_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    background_health_checks: bool = False
    health_check_interval: Seconds = 300.0
    health_check_details: bool = True

    @property
    def max_request_bytes(self) -> int:
        """The largest request body that is accepted."""
        return int(self.max_request_size_mb * 1024 * 1024)


class Configuration(Section):
    """Everything that the gateway is configured with; holds secrets, none of which its text shows.

    `environ` is the environment with the file's `environment_variables`; `warnings` are sentences for the operator.
    """

    models: tuple[ModelEntry, ...] = ()
    router: RouterSettings = RouterSettings()
    litellm: LitellmSettings = LitellmSettings()
    general: GeneralSettings = GeneralSettings()
    environ: Mapping[str, str] = Field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()
    source: Path | None = None
