"""The variables of the environment that LiteLLM reads for its core, its server, its router and its HTTP client.

What a provider's own variables (`OPENAI_API_KEY` and so on) do, its table in `headgate.providers` says.
"""

from headgate.config._keys._key import honoured, ignored, planned

_OWN_CLIENT = "Headgate's HTTP client is its own; it is bounded, and looks names up again, by itself."
_NO_PAGES = "There are no pages that describe the API."

ENVIRONMENT = (
    # core
    *honoured("LITELLM_MASTER_KEY", "none", "The master key, where the file has none."),
    *honoured("PROXY_MASTER_KEY", "none", "Another name of LITELLM_MASTER_KEY, which wins."),
    *honoured("CONFIG_FILE_PATH", "none", "The configuration, where --config does not name one."),
    *honoured("LITELLM_LOG", "INFO", "The log level; HEADGATE_LOG wins."),
    *honoured("JSON_LOGS", "false", "Logs one JSON object per line."),
    *ignored("Files named .env are never read.", "LITELLM_MODE"),
    *ignored("Everything works without a license.", "LITELLM_LICENSE"),
    *planned("nothing is kept in a database.", "DATABASE_URL", "DIRECT_URL", "STORE_MODEL_IN_DB", "LITELLM_SALT_KEY"),
    *planned("nothing is kept in a database.", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_SCHEMA"),
    *planned("nothing is kept in a database.", "DATABASE_USER", "DATABASE_USERNAME", "DATABASE_PASSWORD"),
    *planned("configurations are read from files.", "LITELLM_CONFIG_BUCKET_NAME", "LITELLM_CONFIG_BUCKET_OBJECT_KEY"),
    *planned("configurations are read from files.", "LITELLM_CONFIG_BUCKET_TYPE"),
    # server
    *honoured("HOST", "127.0.0.1", "The address to listen on (LiteLLM: 0.0.0.0)."),
    *honoured("PORT", "4000", "The port to listen on."),
    *honoured("NUM_WORKERS", "1", "Worker processes."),
    *honoured("DEFAULT_NUM_WORKERS_LITELLM_PROXY", "1", "Another name of NUM_WORKERS, which wins."),
    *honoured("KEEPALIVE_TIMEOUT", "75", "Seconds after which an idle connection is closed."),
    *honoured("SSL_KEYFILE_PATH", "none", "The key of the server's certificate."),
    *honoured("SSL_CERTFILE_PATH", "none", "The server's certificate."),
    *honoured("SERVER_ROOT_PATH", "none", "The path under which everything is served, and nothing beside it."),
    *honoured("REQUEST_TIMEOUT", "600", "Seconds that one attempt may take (LiteLLM: 6000)."),
    *honoured("MAX_REQUEST_SIZE_MB", "50", "The largest request body, in MB of 1024 * 1024 bytes."),
    *ignored("Memory stays flat, so workers are not recycled.", "MAX_REQUESTS_BEFORE_RESTART", "PYTHON_GC_THRESHOLD"),
    *ignored("Health is told at the gateway's own port.", "SEPARATE_HEALTH_APP", "SEPARATE_HEALTH_PORT"),
    *ignored("Set HEADGATE_SHUTDOWN_TIMEOUT.", "SUPERVISORD_STOPWAITSECS"),
    *ignored("The image never runs as root.", "LITELLM_NON_ROOT"),
    *ignored("LiteLLM's own migrations of its database.", "LITELLM_MIGRATION_DIR"),
    *ignored(_NO_PAGES, "NO_DOCS", "NO_REDOC", "NO_OPENAPI", "DOCS_URL"),
    *ignored("Prices come with the package; no list is fetched.", "LITELLM_LOCAL_MODEL_COST_MAP"),
    *planned("prices come with the package; set a model's own.", "LITELLM_MODEL_COST_MAP_URL"),
    *planned("there is no console to sign in to.", "PROXY_BASE_URL", "LITELLM_UI_PATH", "LITELLM_ASSETS_PATH"),
    # limits and router
    *honoured("DEFAULT_MAX_RETRIES", "2", "As router_settings.num_retries, which wins."),
    *honoured("ROUTER_MAX_FALLBACKS", "5", "As router_settings.max_fallbacks, which wins."),
    *honoured("DEFAULT_ALLOWED_FAILS", "none", "As router_settings.allowed_fails, which wins."),
    *honoured("DEFAULT_COOLDOWN_TIME_SECONDS", "5", "As router_settings.cooldown_time, which wins."),
    *planned("more failures than successes in a minute are too many.", "DEFAULT_FAILURE_THRESHOLD_PERCENT"),
    *planned("1000 failures without a success are too many.", "SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD"),
    *planned("limits are per minute.", "LITELLM_RATE_LIMIT_WINDOW_SIZE"),
    *ignored("LiteLLM's older way to count; limits are counted exactly.", "LEGACY_MULTI_INSTANCE_RATE_LIMITING"),
    # HTTP client
    *honoured("SSL_VERIFY", "true", "As litellm_settings.ssl_verify, which wins."),
    *honoured("HTTPS_PROXY", "none", "The proxy for https:// upstreams."),
    *honoured("HTTP_PROXY", "none", "The proxy for http:// upstreams."),
    *honoured("NO_PROXY", "none", "Hosts that are reached without a proxy."),
    *ignored(_OWN_CLIENT, "AIOHTTP_CONNECTOR_LIMIT", "AIOHTTP_KEEPALIVE_TIMEOUT", "AIOHTTP_TTL_DNS_CACHE"),
    *ignored(_OWN_CLIENT, "DISABLE_AIOHTTP_TRANSPORT"),
    *ignored("Proxies of the environment are always used.", "AIOHTTP_TRUST_ENV"),
)
