"""The keys of `litellm_settings`."""

from headgate.config._keys._key import honoured, ignored, planned, refused

LITELLM_SETTINGS = (
    *honoured("drop_params", "false", "Drops what a provider does not support, instead of an error."),
    *honoured("num_retries", "2", "As in router_settings, which win."),
    *honoured("request_timeout", "600", "As timeout in router_settings, which win."),
    *honoured("fallbacks", "[]", "As in router_settings, which win."),
    *honoured("context_window_fallbacks", "[]", "As in router_settings, which win."),
    *honoured("content_policy_fallbacks", "[]", "As in router_settings, which win."),
    *honoured("default_fallbacks", "[]", "As in router_settings, which win."),
    *honoured("allowed_fails", "none", "As in router_settings, which win."),
    *honoured("cooldown_time", "5", "As in router_settings, which win."),
    *honoured("ssl_verify", "true", "Whether upstream certificates are verified, or a file of trusted ones."),
    *honoured("force_ipv4", "false", "Upstreams are reached over IPv4 only."),
    *honoured("set_verbose", "false", "Logs at level debug, unless HEADGATE_LOG or --log-level say otherwise."),
    *honoured("json_logs", "false", "Logs one JSON object per line."),
    *ignored("Bodies are never logged.", "turn_off_message_logging", "redact_user_api_key_info"),
    *ignored("Keys never reach a log or a metric.", "redact_messages_in_exceptions"),
    *ignored("Requests are always translated for the provider; see drop_params.", "modify_params"),
    *ignored("For LiteLLM's own benchmark; use a model with mock_response.", "network_mock"),
    *ignored("LiteLLM's own banner.", "suppress_debug_info"),
    *planned("answers are not cached.", "cache", "cache_params"),
    *planned(
        "callbacks are not called, and /metrics does not exist.",
        *("callbacks", "success_callback", "failure_callback", "service_callback", "service_callbacks"),
        *("custom_prometheus_metadata_labels", "custom_prometheus_tags", "prometheus_metrics_config"),
        *("require_auth_for_metrics_endpoint", "s3_callback_params", "langfuse_default_tags"),
        *("prometheus_initialize_budget_metrics", "audit_log_callbacks"),
    ),
    *planned(
        "budgets are not counted.",
        *("max_budget", "budget_duration", "max_internal_user_budget", "internal_user_budget_duration"),
        *("default_max_internal_user_budget", "max_end_user_budget", "max_end_user_budget_id"),
        *("disable_end_user_cost_tracking", "disable_end_user_cost_tracking_prometheus_only"),
        *("cost_discount_config", "cost_margin_config"),
    ),
    *planned(
        "there are no virtual keys, users or teams; only the master key opens.",
        *("upperbound_key_generate_params", "default_key_generate_params", "key_generation_settings"),
        *("default_team_settings", "default_team_params", "default_internal_user_params"),
    ),
    *planned("every request has the same priority.", "priority_reservation", "priority_reservation_settings"),
    *planned("headers of clients are not forwarded per model group.", "model_group_settings"),
    *planned("answers are not checked against their schema.", "enable_json_schema_validation"),
    *planned("prompt management is not offered.", "global_prompt_directory", "global_bitbucket_config"),
    *planned("prompt management is not offered.", "global_gitlab_config"),
    *planned("MCP servers are not offered.", "mcp_aliases"),
    *refused(
        "Headgate runs no guardrails; requests would go out unguarded. Remove the key to accept that.",
        *("guardrails", "post_call_rules", "pre_call_rules"),
    ),
    *refused(
        "Headgate runs no Python code from a configuration. Serve the provider behind an API like OpenAI's.",
        "custom_provider_map",
    ),
)
