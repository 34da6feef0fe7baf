import subprocess
import sys
from typing import Any

import pytest

from headgate.config import embedded_default
from headgate.config._providers import PROVIDERS as CONFIGURABLE
from headgate.core.errors import ConfigurationError
from headgate.core.provider import Operation, Origin
from headgate.providers import PROVIDERS, create, resolve
from headgate.providers._openai import OpenAIProvider


def _problem(model: str, parameters: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        create(model, parameters, environ or {})
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("model", "parameters", "expected"),
    [
        ("openai/gpt-4o", {}, ("openai", "gpt-4o")),
        ("openrouter/meta-llama/llama-3", {}, ("openrouter", "meta-llama/llama-3")),
        ("openai/*", {}, ("openai", "*")),
        ("gpt-4o", {}, ("openai", "gpt-4o")),
        ("o3", {}, ("openai", "o3")),
        ("o1-mini", {}, ("openai", "o1-mini")),
        ("ft:gpt-4o:org::id", {}, ("openai", "ft:gpt-4o:org::id")),
        ("text-embedding-3-small", {}, ("openai", "text-embedding-3-small")),
        ("claude-sonnet-4-5", {}, ("anthropic", "claude-sonnet-4-5")),
        ("anthropic.claude-3-haiku-20240307-v1:0", {}, ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0")),
        ("us.amazon.nova-pro-v1:0", {}, ("bedrock", "us.amazon.nova-pro-v1:0")),
        ("meta-llama/llama", {"custom_llm_provider": "hosted_vllm"}, ("hosted_vllm", "meta-llama/llama")),
        ("azure/dep", {"custom_llm_provider": "azure"}, ("azure", "dep")),
    ],
)
def test_names_are_resolved_as_litellm_resolves_them(
    model: str, parameters: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert resolve(model, parameters) == expected


@pytest.mark.parametrize(
    ("model", "parameters", "words"),
    [
        ("opneai/gpt-4o", {}, "Unknown provider 'opneai' in model 'opneai/gpt-4o'. Did you mean 'openai'?"),
        ("zzzz/x", {}, "Known providers: anthropic, azure,"),
        ("gpt", {"custom_llm_provider": "bedrok"}, "Unknown custom_llm_provider 'bedrok'. Did you mean 'bedrock'?"),
        ("my-model", {}, "Model 'my-model' names no provider; write provider/model, for example openai/my-model."),
        ("*", {}, "names no provider"),
        ("", {}, "names no provider"),
        ("openai/", {}, "The model name after openai/ is empty"),
        ("openai/a\r\nb", {}, "not printable"),
    ],
)
def test_what_can_not_be_resolved_is_explained(model: str, parameters: dict[str, Any], words: str) -> None:
    assert words in _problem(model, parameters)


@pytest.mark.parametrize(
    ("name", "variable", "base"),
    [
        ("openai", "OPENAI_API_KEY", "https://api.openai.com/v1"),
        ("text-completion-openai", "OPENAI_API_KEY", "https://api.openai.com/v1"),
        ("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
        ("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
        ("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
        ("together_ai", "TOGETHERAI_API_KEY", "https://api.together.xyz/v1"),
        ("fireworks_ai", "FIREWORKS_AI_API_KEY", "https://api.fireworks.ai/inference/v1"),
        ("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
        ("xai", "XAI_API_KEY", "https://api.x.ai/v1"),
        ("perplexity", "PERPLEXITYAI_API_KEY", "https://api.perplexity.ai"),
    ],
)
def test_a_key_in_the_environment_is_enough(name: str, variable: str, base: str) -> None:
    provider = create(f"{name}/m", {}, {variable: "k-from-environment"})
    assert (provider.name, provider.api_base) == (name, base)
    assert "has no api_key" in _problem(f"{name}/m", {})
    assert PROVIDERS[name].key_variables[0] in _problem(f"{name}/m", {})


def test_local_servers_need_no_key_and_some_need_a_base() -> None:
    assert create("ollama/llama3", {}, {}).api_base == "http://localhost:11434/v1"
    assert create("ollama_chat/llama3", {"api_base": "http://gpu:11434"}, {}).api_base == "http://gpu:11434/v1"
    assert create("ollama/llama3", {}, {"OLLAMA_API_BASE": "http://gpu:1/v1"}).api_base == "http://gpu:1/v1"
    assert create("openai/local", {"api_base": "http://127.0.0.1:8000/v1"}, {}).name == "openai"
    assert create("hosted_vllm/m", {"api_base": "http://vllm:8000/v1"}, {}).api_base == "http://vllm:8000/v1"
    assert "HOSTED_VLLM_API_BASE" in _problem("hosted_vllm/m", {})


def test_the_demo_provider_lives_nowhere() -> None:
    provider = create("demo/demo", {}, {})
    assert isinstance(provider, OpenAIProvider)
    assert provider.model == "demo"
    assert provider._origin == Origin("demo", "demo", 0)
    assert provider.supports(Operation.CHAT)


@pytest.mark.parametrize(
    ("model", "parameters", "name", "upstream"),
    [
        ("anthropic/claude-sonnet-4-5", {"api_key": "k"}, "anthropic", "claude-sonnet-4-5"),
        ("azure/dep", {"api_key": "k", "api_base": "https://r.openai.azure.com"}, "azure", "dep"),
        (
            "bedrock/anthropic.claude-3-haiku-20240307-v1:0",
            {"aws_region_name": "us-east-1"},
            "bedrock",
            "anthropic.claude",
        ),
    ],
)
def test_providers_with_an_api_of_their_own_are_made_by_their_own_module(
    model: str, parameters: dict[str, Any], name: str, upstream: str
) -> None:
    provider = create(model, parameters, {})
    assert provider.name == name
    assert provider.model.startswith(upstream)


def test_the_configuration_knows_the_same_providers() -> None:
    assert set(PROVIDERS) == CONFIGURABLE


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        (name, variable)
        for name, endpoint in PROVIDERS.items()
        if endpoint.base_url and endpoint.key_required and name != "text-completion-openai"
        for variable in endpoint.key_variables
    ],
)
def test_a_key_in_the_environment_is_enough_to_serve_a_provider(name: str, variable: str) -> None:
    assert f"{name}/*" in [entry.model_name for entry in embedded_default({variable: "sk-1"}).models]


def test_an_unknown_bare_name_is_no_reason_to_guess() -> None:
    assert "names no provider" in _problem("opus", {"api_base": "http://127.0.0.1/v1"})


def test_signing_for_aws_costs_nothing_until_it_is_used() -> None:
    program = (
        "import sys; from headgate.providers import create; create('openai/m', {'api_key': 'k'}, {});"
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('botocore', 'boto3')))"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
