"""`model: "*"`: one entry of `model_list` that stands for every provider with credentials in the environment."""

from collections.abc import Collection, Mapping

from headgate.config._models import ModelEntry
from headgate.config._providers import detected_providers
from headgate.core.errors import ConfigurationError

_OF_ONE_PROVIDER = ("api_key", "api_base", "base_url", "organization", "azure_ad_token", "client_secret")


def is_catch_all(entry: ModelEntry) -> bool:
    """Tell whether the provider is left to the name that a client asks for."""
    return entry.parameters.model == "*" and entry.parameters.custom_llm_provider is None


def expand_entry(entry: ModelEntry, environ: Mapping[str, str], taken: Collection[str] = ()) -> list[ModelEntry]:
    """Return one wildcard entry per provider in place of a catch-all, any other entry as it is.

    `openai/*`, `anthropic/*` and so on: each provider has cooldowns and limits of its own, and only those are asked
    that the operator has given credentials for. Group names that are `taken` by other entries are left out, which are
    meant more specifically. Raises `ConfigurationError` for a catch-all that can not work, or whose credentials would
    go to any provider that a client names.
    """
    if not is_catch_all(entry):
        return [entry]
    names = [name for name in _OF_ONE_PROVIDER if name in entry.parameters.model_fields_set]
    if names:
        problem = f"model '*' stands for every provider, and {names[0]} belongs to one; write for example openai/*."
        raise ConfigurationError([problem])
    if "*" not in entry.model_name:
        problem = "model '*' takes the model from the name that a client asks for; write model_name: \"*\" too."
        raise ConfigurationError([problem])
    providers = detected_providers(environ)
    if not providers:
        problem = "model '*' stands for every provider with credentials in the environment, and there are none;"
        raise ConfigurationError([f"{problem} set OPENAI_API_KEY, for example."])
    groups = {provider: entry.model_name.replace("*", f"{provider}/*") for provider in providers}
    return [
        entry.model_copy(
            update={
                "model_name": group,
                "parameters": entry.parameters.model_copy(update={"model": f"{provider}/*"}),
                "info": entry.info.model_copy(update={"id": f"{entry.info.id}/{provider}"}),
            }
        )
        for provider, group in groups.items()
        if group not in taken
    ]
