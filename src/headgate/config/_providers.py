"""The names of the providers, and which of them the environment has credentials for."""

from collections.abc import Mapping
from typing import NamedTuple

PROVIDERS = frozenset(
    {
        *("anthropic", "azure", "bedrock", "deepseek", "demo", "fireworks_ai", "groq", "hosted_vllm", "mistral"),
        *(
            "ollama",
            "ollama_chat",
            "openai",
            "openrouter",
            "perplexity",
            "text-completion-openai",
            "together_ai",
            "xai",
        ),
    }
)
"""What may stand before the slash in `litellm_params.model`."""


class Detection(NamedTuple):
    """A provider is usable when for each group of variables one is set; `parameters` are filled from the variables."""

    provider: str
    variables: tuple[tuple[str, ...], ...]
    parameters: Mapping[str, tuple[str, ...]]


_KEYS = (
    ("openai", ("OPENAI_API_KEY",)),
    ("anthropic", ("ANTHROPIC_API_KEY",)),
    ("groq", ("GROQ_API_KEY",)),
    ("mistral", ("MISTRAL_API_KEY",)),
    ("deepseek", ("DEEPSEEK_API_KEY",)),
    ("together_ai", ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_AI_TOKEN")),
    ("fireworks_ai", ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN")),
    ("openrouter", ("OPENROUTER_API_KEY", "OR_API_KEY")),
    ("xai", ("XAI_API_KEY",)),
    ("perplexity", ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY")),
)
# Source: botocore's credential chain. An instance's own role shows only by a network call, so it is not looked for.
_AWS = (
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)

_AZURE = {"api_base": ("AZURE_API_BASE",), "api_version": ("AZURE_API_VERSION",)}

DETECTIONS = (
    *(Detection(provider, (names,), {"api_key": names}) for provider, names in _KEYS),
    Detection(
        "azure",
        (("AZURE_TENANT_ID",), ("AZURE_CLIENT_ID",), ("AZURE_CLIENT_SECRET",), ("AZURE_API_BASE",)),
        _AZURE,
    ),
    # After the other way, so that a key counts where there are both.
    Detection("azure", (("AZURE_API_KEY",), ("AZURE_API_BASE",)), {"api_key": ("AZURE_API_KEY",), **_AZURE}),
    Detection("bedrock", (_AWS,), {"aws_region_name": ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION")}),
    Detection(
        "hosted_vllm",
        (("HOSTED_VLLM_API_BASE",),),
        {"api_base": ("HOSTED_VLLM_API_BASE",), "api_key": ("HOSTED_VLLM_API_KEY",)},
    ),
    Detection("ollama_chat", (("OLLAMA_API_BASE",),), {"api_base": ("OLLAMA_API_BASE",)}),
)
"""How credentials show in the environment; the variables are those that LiteLLM reads."""


def first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the value of the first variable that is set and not empty."""
    return next((environ[name] for name in names if environ.get(name)), None)


def detected_providers(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the providers that the environment has credentials for, each with its `litellm_params` from there."""
    return {
        detection.provider: {
            key: value for key, names in detection.parameters.items() if (value := first_set(environ, names))
        }
        for detection in DETECTIONS
        if all(first_set(environ, names) for names in detection.variables)
    }
