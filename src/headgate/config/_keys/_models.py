"""The keys of an entry of `model_list`."""

from headgate.config._keys._key import honoured, ignored, planned, refused

MODEL_LIST = (
    *honoured("model_name", "required", "The name that clients ask for; may hold one `*`, as in `openai/*`."),
    *honoured("litellm_params", "required", "How to reach the deployment."),
    *honoured("model_info", "{}", "What is known about the deployment."),
)

_ENVIRONMENT = "from the environment"

_PRICES = {
    "input_cost_per_token": "Dollars per input token, in place of the price list's.",
    "output_cost_per_token": "Dollars per output token, in place of the price list's.",
    "cache_read_input_token_cost": "Dollars per input token read from the provider's cache.",
    "cache_creation_input_token_cost": "Dollars per input token written to the provider's cache.",
    "input_cost_per_audio_token": "Dollars per input token of audio.",
    "output_cost_per_audio_token": "Dollars per output token of audio.",
    "output_cost_per_reasoning_token": "Dollars per output token of reasoning.",
}
_TIERS = tuple(f"{name}_above_{size}k_tokens" for size in (128, 200) for name in list(_PRICES)[:4])
_PRICE_KEYS = (
    *(key for name, note in _PRICES.items() for key in honoured(name, "price list", note)),
    *(
        key
        for name in _TIERS
        for key in honoured(name, "price list", "The same for longer inputs, in whole thousands.")
    ),
    *honoured("input_cost_per_query", "price list", "Dollars per request, beside the tokens."),
    *planned(
        "calls are priced by tokens and by request only.",
        *("input_cost_per_second", "output_cost_per_second", "input_cost_per_character", "output_cost_per_character"),
        *("input_cost_per_image", "output_cost_per_image", "input_cost_per_pixel", "output_cost_per_pixel"),
        *("input_cost_per_audio_per_second", "input_cost_per_video_per_second", "tiered_pricing"),
        *("input_cost_per_token_batches", "output_cost_per_token_batches"),
        *("input_cost_per_token_flex", "output_cost_per_token_flex"),
        *("input_cost_per_token_priority", "output_cost_per_token_priority"),
        *("cache_read_input_token_cost_flex", "cache_read_input_token_cost_priority"),
        *("cache_creation_input_token_cost_above_1hr", "cache_creation_input_audio_token_cost"),
        *("input_cost_per_character_above_128k_tokens", "output_cost_per_character_above_128k_tokens"),
        *("input_cost_per_image_above_128k_tokens", "output_cost_per_image_token"),
        *("input_cost_per_audio_per_second_above_128k_tokens", "output_cost_per_audio_per_second"),
        *("input_cost_per_video_per_second_above_128k_tokens", "output_cost_per_video_per_second"),
        *("search_context_cost_per_query", "citation_cost_per_token"),
    ),
)

LITELLM_PARAMS = (
    *honoured(
        "model",
        "required",
        "`provider/model`; a `*` stands for what the client asked for, and alone for every provider, by its prefix.",
    ),
    *honoured("api_key", _ENVIRONMENT, "The provider's key."),
    *honoured("api_base", "the provider's", "The base URL."),
    *honoured("base_url", "api_base", "Another name of api_base, which wins."),
    *honoured("api_version", "the provider's", "The API version, for Azure."),
    *honoured("organization", "none", "The OpenAI organization."),
    *honoured("azure_ad_token", _ENVIRONMENT, "A Microsoft Entra token, where there is no api_key."),
    *honoured("tenant_id", _ENVIRONMENT, "The Microsoft Entra tenant of client_id."),
    *honoured("client_id", _ENVIRONMENT, "The application that Azure is reached as, where there is no key or token."),
    *honoured("client_secret", _ENVIRONMENT, "Its secret; the token for it is fetched ahead of time."),
    *honoured("azure_scope", "Cognitive Services", "What that token is for."),
    *honoured("custom_llm_provider", "the model's prefix", "The provider, where the model's name does not say it."),
    *honoured("region_name", _ENVIRONMENT, "The AWS region; aws_region_name wins."),
    *honoured("model_id", "the model's name", "The ARN that Bedrock is asked for, such as an inference profile's."),
    *honoured("base_model", "the model's name", "The model that it is, where its name does not say so."),
    *honoured("timeout", "router_settings.timeout", "Seconds that one attempt may take."),
    *honoured("stream_timeout", "router_settings.stream_timeout", "Seconds until the first byte of a stream."),
    *honoured("num_retries", "router_settings.num_retries", "Retries after the first attempt."),
    *honoured("max_retries", "num_retries", "Another name of num_retries, which wins."),
    *honoured("cooldown_time", "router_settings.cooldown_time", "Seconds that the deployment rests after failures."),
    *honoured("rpm", "no limit", "Requests per minute; also its share under simple-shuffle."),
    *honoured("tpm", "no limit", "Tokens per minute; also its share under simple-shuffle."),
    *honoured("weight", "equal shares", "Its share of the group's requests under simple-shuffle."),
    *honoured("order", "none", "Deployments of a lower order are used first."),
    *honoured("max_parallel_requests", "no limit", "Calls in flight at the same time."),
    *honoured("tags", "[]", "Tags that a request may ask for, with enable_tag_filtering."),
    *honoured("mock_response", "none", "Answers with this and calls nothing; for embeddings, a list of numbers."),
    *honoured("drop_params", "litellm_settings.drop_params", "Drops what the provider does not support."),
    *honoured("additional_drop_params", "[]", "Members of the request that are always dropped."),
    *honoured("allowed_openai_params", "[]", "Members of the request that are never dropped."),
    *honoured("extra_headers", "{}", "Headers for the provider."),
    *honoured("headers", "{}", "LiteLLM's older name of extra_headers."),
    *honoured("extra_body", "{}", "Members set over those of the request."),
    *honoured("aws_access_key_id", _ENVIRONMENT, "AWS credentials."),
    *honoured("aws_secret_access_key", _ENVIRONMENT, "AWS credentials."),
    *honoured("aws_session_token", _ENVIRONMENT, "AWS credentials."),
    *honoured("aws_region_name", _ENVIRONMENT, "The AWS region."),
    *honoured("aws_role_name", "none", "The ARN of a role to assume."),
    *honoured("aws_session_name", "generated", "The name of the assumed role's session."),
    *honoured("aws_external_id", "none", "The external id that the role asks for."),
    *honoured("aws_web_identity_token", "none", "A file that holds a web identity token."),
    *honoured("aws_profile_name", _ENVIRONMENT, "A profile of the AWS configuration files."),
    *honoured("aws_sts_endpoint", "the region's", "The URL of the AWS token service."),
    *honoured("aws_bedrock_runtime_endpoint", "the region's", "The URL of the Bedrock runtime."),
    *_PRICE_KEYS,
    *planned("budgets are not counted.", "max_budget", "budget_duration"),
    *planned("name the credentials in the model itself.", "litellm_credential_name"),
    *planned("pass-through routes are not offered.", "use_in_pass_through"),
    *planned("cache points are sent as the client set them.", "cache_control_injection_points"),
    *planned("reasoning stays in its own member.", "merge_reasoning_content_in_choices"),
    *planned("Vertex AI is not among the providers.", "vertex_project", "vertex_location", "vertex_credentials"),
    *planned("Azure is reached with a key, a token or client_secret.", "azure_username", "azure_password"),
    *planned("set ssl_verify in litellm_settings.", "ssl_verify"),
    *planned("set timeout.", "request_timeout", "force_timeout"),
    *planned("set it in router_settings.", "retry_policy", "allowed_fails", "allowed_fails_policy", "max_fallbacks"),
    *planned("set it in router_settings.", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks"),
    *planned("set context_window_fallbacks in router_settings.", "context_window_fallback_dict"),
    *planned("retries follow router_settings.", "retry_strategy"),
    *planned("one deployment is asked at a time.", "fastest_response"),
    *planned("models are not chosen by region.", "allowed_model_region"),
    *planned("set extra_headers.", "provider_specific_header"),
    *planned("answers are not cached.", "cache", "caching", "caching_groups", "ttl", "preset_cache_key"),
    *planned(
        "prompt management is not offered.", *(f"prompt_{what}" for what in ("id", "label", "variables", "version"))
    ),
    *planned("messages are sent as the client set them.", "supports_system_message", "ensure_alternating_roles"),
    *planned("messages are sent as the client set them.", "user_continue_message", "assistant_continue_message"),
    *planned("set max_request_size_mb in general_settings.", "max_file_size_mb"),
    *ignored("Bodies are never logged.", "turn_off_message_logging", "no-log", "verbose"),
    *ignored("The client says whether it wants a stream.", "stream"),
    *ignored("model_info stands beside litellm_params.", "model_info"),
    *ignored("Requests are always translated for the provider; see drop_params.", "modify_params"),
    *ignored("Prompts are never written out as text.", "roles", "bos_token", "eos_token", "final_prompt_value"),
    *ignored("LiteLLM's own, for providers that Headgate does not call.", "use_litellm_proxy", "hf_model_name"),
    *ignored("Links to images are sent as they are.", "disable_add_transform_inline_image_block"),
    *refused("Headgate runs no guardrails; requests would go out unguarded. Remove the key.", "guardrails"),
    *refused("A client may not choose the upstream or its key. Remove the key.", "configurable_clientside_auth_params"),
)

MODEL_INFO = (
    *honoured("id", "a hash of the entry", "Names the deployment, unique in the configuration."),
    *honoured("mode", "chat", "What the model is for; decides how its health is probed."),
    *honoured("base_model", "the model's name", "The model that prices and limits are looked up for."),
    *honoured("max_tokens", "price list", "The context window where max_input_tokens is not set."),
    *honoured("max_input_tokens", "price list", "The context window, for enable_pre_call_checks."),
    *honoured("max_output_tokens", "price list", "Shown by /model/info."),
    *_PRICE_KEYS,
    *honoured("health_check_model", "the model", "The model that health checks ask; a wildcard without it is skipped."),
    *honoured("disable_background_health_check", "false", "Leaves the deployment out of background health checks."),
    *planned("teams are not known.", "team_id", "team_public_model_name"),
    *planned("keys have no access groups.", "access_groups"),
    *ignored("Kept and shown; nothing depends on it.", "tier"),
)

MODEL_DEFAULTS = frozenset(
    {
        *("temperature", "top_p", "top_k", "n", "stop", "seed", "user", "logit_bias", "logprobs", "top_logprobs"),
        *("max_tokens", "max_completion_tokens", "max_output_tokens", "presence_penalty", "frequency_penalty"),
        *("response_format", "tools", "tool_choice", "parallel_tool_calls", "stream_options", "modalities"),
        *("thinking", "reasoning_effort", "reasoning", "service_tier", "dimensions", "encoding_format", "metadata"),
        *("store", "prediction", "audio", "web_search_options", "verbosity", "safety_identifier", "voice", "size"),
        *("quality", "style", "background", "instructions", "input_type", "guardrailConfig", "anthropic_beta"),
        # OpenRouter's
        *("models", "provider"),
    }
)
"""Members of requests that a model is often given a default for; any other is passed on as well."""
