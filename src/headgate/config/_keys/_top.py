"""The sections of the file."""

from headgate.config._keys._key import honoured, ignored, planned, refused

TOP_LEVEL = (
    *honoured("model_list", "[]", "The models: one entry per deployment; entries with the same model_name share load."),
    *honoured("router_settings", "{}", "How requests are routed, retried and failed over."),
    *honoured("litellm_settings", "{}", "Settings of calls; those that router_settings also know count less there."),
    *honoured("general_settings", "{}", "Settings of the gateway."),
    *honoured("environment_variables", "{}", "Variables for this configuration; they win over the process' own."),
    *honoured("include", "[]", "Files, relative to this one: their lists extend, everything else replaces."),
    *planned("callbacks have no settings here.", "callback_settings"),
    *planned("only files that are sent along are served.", "files_settings"),
    *ignored("The Assistants API is not served; OpenAI shuts it down in 2026.", "assistant_settings"),
    *planned("search tools are not called.", "search_tools"),
    *planned("fine-tuning is not served.", "finetune_settings"),
    *planned("Vertex AI is not among the providers.", "default_vertex_config"),
    *refused(
        "Headgate runs no guardrails; requests would go out unguarded. Remove the key to accept that.", "guardrails"
    ),
    *planned("prompt management is not offered.", "prompts"),
    *planned("vector stores are not served.", "vector_store_registry"),
    *planned("put the credentials into each model's litellm_params.", "credential_list"),
    *planned("MCP servers are not offered.", "mcp_servers", "mcp_tools"),
    *planned("agents are not served.", "agent_list"),
)
