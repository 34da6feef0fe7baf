"""Which upstreams there are, and how a `provider/model` of LiteLLM's becomes a provider."""

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from headgate.core.errors import ConfigurationError
from headgate.core.provider import Provider


class Endpoint(NamedTuple):
    """A provider as data: where it listens and which environment variables name its key and base URL.

    `base_url` is empty where only the deployment knows it. `path` is appended to a base URL of the deployment's own
    that has no path. `model_prefix` completes a model name without a slash. `usage_on_request` says that the usage of a
    stream must be asked for with `stream_options`; an upstream that reports it anyway may refuse that member. `renamed`
    pairs members of OpenAI's API with what the upstream calls them.
    """

    base_url: str
    key_variables: tuple[str, ...] = ()
    base_variables: tuple[str, ...] = ()
    key_required: bool = True
    path: str = ""
    model_prefix: str = ""
    usage_on_request: bool = True
    renamed: tuple[tuple[str, str], ...] = ()


# Sources: each provider's API reference; names of the environment variables: LiteLLM 1.80.5's provider pages.
_OPENAI = Endpoint("https://api.openai.com/v1", ("OPENAI_API_KEY",), ("OPENAI_BASE_URL", "OPENAI_API_BASE"))
_OLLAMA = Endpoint("http://localhost:11434/v1", ("OLLAMA_API_KEY",), ("OLLAMA_API_BASE",), False, "/v1")
_TOGETHER_KEYS = ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_AI_TOKEN")
_FIREWORKS_KEYS = ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN")

PROVIDERS: Mapping[str, Endpoint] = {
    "openai": _OPENAI,
    "text-completion-openai": _OPENAI,
    "azure": Endpoint("", ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"), ("AZURE_API_BASE",)),
    "anthropic": Endpoint(
        "https://api.anthropic.com", ("ANTHROPIC_API_KEY",), ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL")
    ),
    "bedrock": Endpoint("", ("AWS_BEARER_TOKEN_BEDROCK",), ("AWS_BEDROCK_RUNTIME_ENDPOINT",), False),
    "hosted_vllm": Endpoint("", ("HOSTED_VLLM_API_KEY",), ("HOSTED_VLLM_API_BASE",), False),
    "ollama": _OLLAMA,
    "ollama_chat": _OLLAMA,
    "groq": Endpoint("https://api.groq.com/openai/v1", ("GROQ_API_KEY",), ("GROQ_API_BASE",)),
    "mistral": Endpoint(
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        ("MISTRAL_API_BASE",),
        usage_on_request=False,
        renamed=(("max_completion_tokens", "max_tokens"),),
    ),
    "deepseek": Endpoint("https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",), ("DEEPSEEK_API_BASE",)),
    "together_ai": Endpoint("https://api.together.xyz/v1", _TOGETHER_KEYS, ("TOGETHER_AI_API_BASE",)),
    "fireworks_ai": Endpoint(
        "https://api.fireworks.ai/inference/v1",
        _FIREWORKS_KEYS,
        ("FIREWORKS_API_BASE",),
        model_prefix="accounts/fireworks/models/",
    ),
    "openrouter": Endpoint(
        "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY", "OR_API_KEY"), ("OPENROUTER_API_BASE",)
    ),
    "xai": Endpoint("https://api.x.ai/v1", ("XAI_API_KEY",), ("XAI_API_BASE",)),
    "perplexity": Endpoint(
        "https://api.perplexity.ai",
        ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
        ("PERPLEXITY_API_BASE",),
        usage_on_request=False,
    ),
    "demo": Endpoint("", key_required=False),
}

# How a name without a provider is read; the first match counts.
_BARE = (
    (
        re.compile(
            r"(?:gpt|chatgpt|text-embedding|dall-e|whisper|tts|omni-moderation|text-moderation|codex|davinci|babbage"
            r"|ft:|o[134](?:$|-))"
        ),
        "openai",
    ),
    (re.compile(r"claude"), "anthropic"),
    (
        re.compile(
            r"(?:(?:us|eu|apac|jp|au|ca|us-gov|global)\.)?"
            r"(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|stability|writer)\."
        ),
        "bedrock",
    ),
)


def resolve(model: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Split LiteLLM's model name into the provider's name and the name that the upstream knows.

    `custom_llm_provider` in the parameters counts before the prefix. Raises `ConfigurationError` when no provider is
    named or the named one is unknown.
    """
    named = parameters.get("custom_llm_provider")
    if named is not None:
        if not isinstance(named, str) or named not in PROVIDERS:
            raise ConfigurationError([f"Unknown custom_llm_provider {str(named)!r}.{_nearest(str(named))}"])
        return _checked(named, model.removeprefix(f"{named}/"))
    prefix, slash, rest = model.partition("/")
    if slash and prefix in PROVIDERS:
        return _checked(prefix, rest)
    for pattern, provider in _BARE:
        if pattern.match(model):
            return _checked(provider, model)
    if slash:
        raise ConfigurationError([f"Unknown provider {prefix!r} in model {model!r}.{_nearest(prefix)}"])
    message = f"Model {model!r} names no provider; write provider/model, for example openai/{model or 'gpt-4o'}."
    raise ConfigurationError([message])


def create(model: str, parameters: Mapping[str, Any], environ: Mapping[str, str]) -> Provider:
    """Make the provider of a deployment from its resolved `litellm_params`.

    Keys and base URLs that the parameters do not hold are taken from `environ`. A provider's module is imported when
    its first deployment is made, so that botocore costs nothing where Bedrock is not used. Raises
    `ConfigurationError` with a sentence per problem; none of them holds a secret.
    """
    name, upstream_model = resolve(model, parameters)
    if name == "anthropic":
        from headgate.providers._anthropic import AnthropicProvider

        return AnthropicProvider.from_parameters(name, upstream_model, parameters, environ)
    if name == "bedrock":
        from headgate.providers._bedrock import BedrockProvider

        return BedrockProvider.from_parameters(name, upstream_model, parameters, environ)
    if name == "azure":
        from headgate.providers._azure import AzureProvider

        return AzureProvider.from_parameters(name, upstream_model, parameters, environ)
    from headgate.providers._openai import OpenAIProvider

    return OpenAIProvider.from_parameters(name, upstream_model, parameters, environ)


def _checked(provider: str, model: str) -> tuple[str, str]:
    if not model or len(model) > 512 or not model.isprintable():
        raise ConfigurationError([f"The model name after {provider}/ is empty, too long or not printable."])
    return provider, model


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, PROVIDERS, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{hint} Known providers: {', '.join(sorted(PROVIDERS))}."
