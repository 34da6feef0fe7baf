"""What of a deployment's `litellm_params` reaches the model, and what only tells the gateway how to reach it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from headgate.core.errors import ConfigurationError
from headgate.core.json import Members, raw

# Source of the names: LiteLLM 1.80.5's `LiteLLM_Params`, and what it keeps for itself of a call (`all_litellm_params`).
_SETTINGS = frozenset(
    {
        # who and where
        *("model", "model_id", "custom_llm_provider", "api_key", "api_base", "base_url", "api_version", "organization"),
        *("region_name", "allowed_model_region", "tenant_id", "client_id", "client_secret", "use_litellm_proxy"),
        *("extra_headers", "headers", "extra_body", "provider_specific_header", "ssl_verify", "hf_model_name"),
        # routing, limits and life of a call
        *("timeout", "stream_timeout", "request_timeout", "force_timeout", "max_retries", "num_retries"),
        *("retry_policy", "retry_strategy", "cooldown_time", "allowed_fails", "allowed_fails_policy"),
        *("rpm", "tpm", "weight", "order", "max_parallel_requests", "tags", "max_budget", "budget_duration"),
        *("fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "context_window_fallback_dict"),
        *("max_fallbacks", "fastest_response", "configurable_clientside_auth_params", "use_in_pass_through"),
        *("guardrails", "model_info", "base_model", "tiered_pricing", "max_file_size_mb"),
        # caching and logging
        *("cache", "caching", "caching_groups", "ttl", "preset_cache_key", "no-log", "verbose"),
        "turn_off_message_logging",
        # what is done with the body
        *("drop_params", "additional_drop_params", "allowed_openai_params", "cache_control_injection_points"),
        *("merge_reasoning_content_in_choices", "modify_params", "stream", "supports_system_message"),
        *("ensure_alternating_roles", "user_continue_message", "assistant_continue_message"),
        *("disable_add_transform_inline_image_block", "roles", "bos_token", "eos_token", "final_prompt_value"),
        *("prompt_id", "prompt_label", "prompt_variables", "prompt_version"),
    }
)
_SETTING_PREFIXES = (
    *("aws_", "azure_", "vertex_", "watsonx_", "s3_", "gcs_", "litellm_", "mock_", "auto_router_"),
    # of what LiteLLM reports to, each with its keys
    *("langfuse_", "langsmith_", "humanloop_", "arize_", "posthog_", "wandb_", "weave_"),
)
_COST_NAME = re.compile(r"_cost(?:_|$)")

# A client that limits the answer under one of these names does not get the default under another: OpenAI refuses both.
_LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})


def is_setting(name: str) -> bool:
    """Tell whether a member of `litellm_params` is for the gateway, not a default for the model."""
    return name in _SETTINGS or name.startswith(_SETTING_PREFIXES) or _COST_NAME.search(name) is not None


class Defaults(msgspec.Struct, frozen=True):
    """What a deployment changes in the members that a client sent.

    `values` are taken for members that the client did not send, `extra_body` is set over whatever the client sent,
    `dropped` are taken out. With `supported` given (`drop_params: true` at a provider that knows its parameters), every
    other member of the client's is taken out too.
    """

    values: Members = {}
    extra_body: Members = {}
    dropped: frozenset[str] = frozenset()
    supported: frozenset[str] | None = None

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], *, supported: frozenset[str] | None = None) -> Self:
        """Read the defaults out of `litellm_params`.

        `supported` are the members that the provider's upstream understands; they count only with `drop_params: true`.
        None for an upstream whose parameters are not known. Raises `ConfigurationError` naming every bad member.
        """
        problems: list[str] = []
        values = {
            name: encoded
            for name, value in parameters.items()
            if not is_setting(name) and value is not None and (encoded := _encode(name, value, problems)) is not None
        }
        extra_body = parameters.get("extra_body") or {}
        if not isinstance(extra_body, Mapping):
            problems.append("extra_body must be a mapping of member names to values.")
            extra_body = {}
        extra = {
            str(name): encoded
            for name, value in extra_body.items()
            if (encoded := _encode(f"extra_body.{name}", value, problems)) is not None
        }
        dropped = _names(parameters, "additional_drop_params", problems)
        allowed = _names(parameters, "allowed_openai_params", problems)
        if problems:
            raise ConfigurationError(problems)
        drops = parameters.get("drop_params") is True and supported is not None
        return cls(values, extra, dropped, (supported or frozenset()) | allowed if drops else None)

    def apply(self, members: Members) -> Members:
        """Return the members to send: the same dict when nothing changes, otherwise a new one."""
        if not (self.values or self.extra_body or self.dropped or self.supported is not None):
            return members
        supported, dropped = self.supported, self.dropped
        changed = {
            name: value
            for name, value in members.items()
            if name not in dropped and (supported is None or name in supported)
        }
        limited = not _LIMITS.isdisjoint(members)
        changed.update(
            (name, value)
            for name, value in self.values.items()
            if name not in members and name not in dropped and not (limited and name in _LIMITS)
        )
        changed.update(self.extra_body)
        return changed


def _encode(name: str, value: object, problems: list[str]) -> msgspec.Raw | None:
    try:
        return raw(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        problems.append(f"{name} holds a value that can not be written as JSON.")
        return None


def _names(parameters: Mapping[str, Any], key: str, problems: list[str]) -> frozenset[str]:
    value = parameters.get(key) or ()
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(name, str) for name in value):
        problems.append(f"{key} must be a list of member names.")
        return frozenset()
    nested = [name for name in value if "[" in name or "." in name]
    problems.extend(f"{key}: '{name}' is a path; only whole top-level members can be named." for name in nested)
    return frozenset(value)
