"""The keys of `router_settings`."""

from headgate.config._keys._key import Key, honoured, ignored, planned
from headgate.config._section import ALLOWED_FAILS_NAMES, RETRY_NAMES

ROUTER_SETTINGS = (
    *honoured("routing_strategy", "simple-shuffle", "How a deployment of a model group is chosen."),
    *honoured("routing_strategy_args", "{}", "Arguments of latency-based-routing."),
    *honoured("num_retries", "2", "Retries after the first attempt."),
    *honoured("timeout", "600", "Seconds that one attempt may take (LiteLLM: 6000)."),
    *honoured("stream_timeout", "none", "Seconds until the first byte of a stream; after them it fails over."),
    *honoured("retry_after", "0", "The least number of seconds before a retry of a deployment that failed."),
    *honoured("retry_policy", "{}", "Retries per kind of error."),
    *honoured("model_group_retry_policy", "{}", "A retry_policy per model group."),
    *honoured("allowed_fails", "none", "Failures per minute before a deployment rests; 3 counts as well."),
    *honoured("allowed_fails_policy", "{}", "Failures before a deployment rests, per kind of error."),
    *honoured("cooldown_time", "5", "Seconds that a deployment rests."),
    *honoured("disable_cooldowns", "false", "No deployment ever rests."),
    *honoured("fallbacks", "[]", "Models to try instead, in order; `*` is for every other model."),
    *honoured("context_window_fallbacks", "[]", "Models to try when the prompt is too long."),
    *honoured("content_policy_fallbacks", "[]", "Models to try when the provider refuses the content."),
    *honoured("default_fallbacks", "[]", "Models to try for every model without fallbacks of its own."),
    *honoured("max_fallbacks", "5", "Fallbacks that one request may go through."),
    *honoured(
        "enable_pre_call_checks", "false", "Leaves out deployments whose context window or limits do not suffice."
    ),
    *honoured("enable_tag_filtering", "false", "Chooses only among deployments with the request's tags."),
    *honoured("tag_filtering_match_any", "true", "One common tag is enough; otherwise the deployment needs them all."),
    *honoured("model_group_alias", "{}", "Other names for model groups; a hidden one is not listed."),
    *honoured("default_litellm_params", "{}", "litellm_params for every model that does not set them itself."),
    *planned(
        "limits and cooldowns are counted per process, without Redis.",
        *("redis_host", "redis_port", "redis_password", "redis_url", "redis_db"),
    ),
    *planned("answers are not cached.", "cache_responses", "cache_kwargs", "caching_groups"),
    *ignored("Connections are pooled per upstream and closed when idle.", "client_ttl"),
    *ignored("Set max_parallel_requests per model.", "default_max_parallel_requests"),
    *planned("requests are not queued by priority.", "default_priority", "polling_interval"),
    *planned("set enable_pre_call_checks for the checks there are.", "optional_pre_call_checks"),
    *planned("budgets are not counted.", "provider_budget_config"),
    *planned("nobody is alerted.", "alerting_config"),
    *ignored("A model that cannot work is always an error, named by file and line.", "ignore_invalid_deployments"),
    *ignored("The log level does it: HEADGATE_LOG=DEBUG.", "set_verbose", "debug_level"),
)

ROUTING_STRATEGY_ARGS = (
    *honoured("ttl", "3600", "Seconds that a measurement counts."),
    *honoured("lowest_latency_buffer", "0", "Deployments within this fraction of the fastest share the requests."),
    *honoured("max_latency_list_size", "10", "Measurements that are averaged."),
)


def _counts(names: tuple[str, ...], default: str, what: str) -> tuple[Key, ...]:
    return tuple(key for name in names for key in honoured(name, default, what))


RETRY_POLICY = _counts(RETRY_NAMES, "num_retries", "Retries after this kind of error.")
ALLOWED_FAILS_POLICY = _counts(ALLOWED_FAILS_NAMES, "allowed_fails", "Failures of this kind before a deployment rests.")

MODEL_GROUP_ALIAS = (
    *honoured("model", "required", "The model group that the alias stands for."),
    *honoured("hidden", "false", "The alias works and is not listed."),
)
