"""The keys of `general_settings`."""

from headgate.config._keys._key import honoured, ignored, planned, refused

_NO_DATABASE = "nothing is kept in a database."
_NO_KEYS = "there are no virtual keys, users or teams; only the master key opens."

GENERAL_SETTINGS = (
    *honoured("master_key", "LITELLM_MASTER_KEY", "The key that opens everything; the file wins over the environment."),
    *honoured("max_request_size_mb", "50", "The largest request body, in MB of 1024 * 1024 bytes."),
    *honoured("litellm_key_header_name", "none", "One more request header that may carry the key."),
    *honoured(
        "background_health_checks",
        "false",
        "Probes the deployments at an interval; /health answers with the last results and their time.",
    ),
    *honoured(
        "health_check_interval",
        "300",
        "Seconds from one round of background health checks to the next, give or take a tenth.",
    ),
    *honoured("health_check_details", "true", "Shows addresses and the texts of errors in /health."),
    *planned(
        _NO_DATABASE,
        *("database_url", "database_connection_pool_limit", "database_connection_timeout", "store_model_in_db"),
        *("database_connection_pool_timeout", "supported_db_objects", "store_prompts_in_spend_logs"),
        *("maximum_spend_logs_retention_period", "maximum_spend_logs_retention_interval"),
        *("maximum_spend_logs_cleanup_cron", "disable_spend_logs", "disable_spend_updates", "disable_error_logs"),
    ),
    *ignored(
        "LiteLLM's way to write to its database; Headgate has none of its limits.",
        *("proxy_batch_write_at", "proxy_batch_polling_interval", "use_redis_transaction_buffer"),
        *("proxy_budget_rescheduler_min_time", "proxy_budget_rescheduler_max_time", "disable_prisma_schema_update"),
        *("disable_adding_master_key_hash_to_db", "disable_reset_budget", "allow_requests_on_db_unavailable"),
        *("user_api_key_cache_ttl",),
    ),
    *ignored("The master key is never returned.", "disable_master_key_return"),
    *planned(_NO_KEYS, "custom_key_generate", "default_team_disabled", "service_account_settings", "role_permissions"),
    *planned(_NO_KEYS, "enforce_rbac", "user_header_name", "user_header_mappings"),
    *planned(
        "only the master key opens; other ways to sign in are turned away.",
        *("custom_sso", "custom_ui_sso_sign_in_handler", "enable_jwt_auth", "litellm_jwtauth", "enable_oauth2_auth"),
        *("oauth2_config_mappings", "ui_access_mode"),
    ),
    *refused(
        "Whoever has the master key would come in all the same. Remove the key to accept that.",
        *("allowed_ips", "enable_oauth2_proxy_auth", "custom_auth", "allowed_routes", "admin_only_routes"),
    ),
    *refused("Headgate opens no further route without a key. Remove the key.", "public_routes"),
    *refused(
        "A client may not choose the upstream, its address or its key. Remove the key.", "allow_client_side_credentials"
    ),
    *refused(
        "Requests would go out without this being enforced. Remove the key to accept that.",
        *("enforced_params", "enforce_user_param", "reject_clientside_metadata_tags"),
    ),
    *planned("secrets come from the environment.", "key_management_system", "key_management_settings"),
    *planned("limits are set per model, with max_parallel_requests.", "max_parallel_requests"),
    *planned("limits are set per model, with max_parallel_requests.", "global_max_parallel_requests"),
    *planned("answers have the transport's own limit.", "max_response_size_mb"),
    *planned("name the model in the request.", "completion_model", "embedding_model", "image_generation_model"),
    *planned("name the model in the request.", "moderation_model"),
    *ignored("Without a configuration, models are inferred from the environment.", "infer_model_from_keys"),
    *planned("each replica checks by itself.", "use_shared_health_check"),
    *planned(
        "nobody is alerted.",
        *("alerting", "alerting_threshold", "alert_types", "alert_to_webhook_url", "alerting_args"),
        *("spend_report_frequency",),
    ),
    *planned("the client's address is that of the connection.", "use_x_forwarded_for"),
    *planned("only the headers that an operation needs travel on.", "forward_client_headers_to_llm_api"),
    *planned("set organization per model.", "forward_openai_org_id"),
    *planned(
        "pass-through routes are not offered.", "pass_through_endpoints", "use_client_credentials_pass_through_routes"
    ),
    *planned("tokens are limited by input and output together.", "token_rate_limit_type"),
    *planned("ask for it with stream_options.include_usage.", "always_include_stream_usage"),
    *planned("responses are not bound to keys.", "disable_responses_id_security"),
    *ignored(
        "A deployment at its limit is left out before a call.", "disable_retry_on_max_parallel_request_limit_error"
    ),
    *ignored("Everything works without a licence.", "litellm_license"),
    *planned("there is no model hub.", "enable_public_model_hub"),
    *ignored(
        "Headgate follows LiteLLM 1.80.5, which does not have it either.",
        *("enable_health_check_routing", "health_check_staleness_threshold", "health_check_concurrency"),
        *("fail_closed_budget_enforcement", "disable_budget_reservation", "pass_through_request_timeout"),
        *("dangerously_permit_weak_or_unset_master_key",),
    ),
)
