import subprocess
import sys
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from headgate.core.errors import ConfigurationError
from headgate.core.money import Price
from headgate.core.usage import Usage
from headgate.ledger import prices
from headgate.ledger.prices import ModelFacts, facts, lookup

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

USAGES = [
    Usage(input_tokens=9, output_tokens=4),
    Usage(input_tokens=1),
    Usage(input_tokens=123_457, output_tokens=98_765, cache_read_tokens=45_679, cache_write_tokens=12_347),
    Usage(input_tokens=100_000, output_tokens=3),
    Usage(input_tokens=200_001, output_tokens=333, cache_read_tokens=200_000),
    Usage(input_tokens=900_001, output_tokens=1),
]


def found(provider: str, model: str, **parameters: Any) -> Price:
    price = lookup(provider, model, parameters, now=NOW)
    assert price is not None
    return price


def published_cost(provider: str, model: str, usage: Usage) -> Decimal:
    """Nano-dollars as genai-prices' own Decimal arithmetic has them."""
    from genai_prices import Usage as PublishedUsage
    from genai_prices import calc_price

    counts = PublishedUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    return calc_price(counts, model, provider_id=provider, genai_request_timestamp=NOW).total_price * 10**9


def test_nine_tokens_in_and_four_out_of_gpt_4o() -> None:
    assert found("openai", "gpt-4o").cost(Usage(input_tokens=9, output_tokens=4)) == 62_500


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: f"{usage.input_tokens}-{usage.output_tokens}")
@pytest.mark.parametrize(
    ("provider", "model", "published"),
    [
        ("openai", "gpt-4o", "openai"),
        ("openai", "gpt-4o-mini-2024-07-18", "openai"),
        ("openai", "gpt-4.1-nano", "openai"),
        ("openai", "o3-mini", "openai"),
        ("openai", "text-embedding-3-small", "openai"),
        ("azure", "gpt-4o-mini", "azure"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic"),
        ("anthropic", "claude-3-5-haiku-20241022", "anthropic"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"),
        ("bedrock", "amazon.nova-pro-v1:0", "aws"),
        ("gemini", "gemini-2.5-pro", "google"),
        ("groq", "llama-3.3-70b-versatile", "groq"),
        ("mistral", "mistral-large-latest", "mistral"),
        ("deepseek", "deepseek-chat", "deepseek"),
        ("perplexity", "sonar-pro", "perplexity"),
        ("xai", "grok-4", "x-ai"),
        ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
        ("fireworks_ai", "accounts/fireworks/models/llama-v3p1-8b-instruct", "fireworks"),
        ("openrouter", "openai/gpt-4o", "openrouter"),
    ],
)
def test_costs_are_exactly_the_published_ones(provider: str, model: str, published: str, usage: Usage) -> None:
    expected = published_cost(published, model, usage).to_integral_value(ROUND_HALF_UP)
    assert found(provider, model).cost(usage) == expected


def test_every_published_model_of_a_provider_has_its_exact_cost() -> None:
    from genai_prices.data_snapshot import get_snapshot

    usage, checked = USAGES[2], 0
    for provider in get_snapshot().providers:
        if provider.id not in {"openai", "anthropic", "aws", "azure", "google", "mistral", "groq"}:
            continue
        name = {"aws": "bedrock", "google": "gemini"}.get(provider.id, provider.id)
        for model in provider.models:
            price = lookup(name, model.id, {}, now=NOW)
            if price is not None and provider.find_model(model.id) is model:
                expected = published_cost(provider.id, model.id, usage).to_integral_value(ROUND_HALF_UP)
                assert price.cost(usage) == expected, (provider.id, model.id)
                checked += 1
    assert checked > 300


@pytest.mark.parametrize(
    ("called", "same_as"),
    [
        ("eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("apac.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("global.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("amazon.nova-2-lite-v1:0", "us.amazon.nova-2-lite-v1:0"),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "anthropic.claude-sonnet-4-20250514-v1:0",
        ),
    ],
)
def test_bedrock_names_are_understood(called: str, same_as: str) -> None:
    assert found("bedrock", called) == found("bedrock", same_as)


def test_global_inference_profiles_have_their_own_price() -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert found("bedrock", f"global.{model}").input < found("bedrock", f"eu.{model}").input


@pytest.mark.parametrize("provider", ["hosted_vllm", "ollama", "demo", "nobody"])
def test_a_self_hosted_model_is_unknown_until_it_is_configured(provider: str) -> None:
    assert lookup(provider, "gpt-4o", {}, now=NOW) is None
    assert found(provider, "gpt-4o", input_cost_per_token=0, output_cost_per_token=0.0) == Price()


def test_an_unknown_model_and_one_that_is_not_billed_by_tokens_have_no_price() -> None:
    assert lookup("openai", "no-such-model", {}, now=NOW) is None
    assert lookup("azure", "my-deployment", {}, now=NOW) is None
    assert lookup("openai", "whisper-1", {}, now=NOW) is None


def test_a_price_can_depend_on_the_date() -> None:
    dated = {when: lookup("openai", "o3", {}, now=when) for when in (datetime(2025, 6, 1, tzinfo=UTC), NOW)}
    before, after = dated.values()
    assert before is not None
    assert after is not None
    assert before.input == 5 * after.input


def test_base_model_names_the_model_of_a_deployment() -> None:
    assert found("azure", "my-deployment", base_model="gpt-4o") == found("azure", "gpt-4o")
    assert found("azure", "my-deployment", base_model="azure/gpt-4o") == found("azure", "gpt-4o")
    assert found("hosted_vllm", "mine", base_model="openai/gpt-4o") == found("openai", "gpt-4o")
    assert facts("azure", "my-deployment", {"base_model": "gpt-4o"}).max_input_tokens == 128_000


def test_every_override_sets_its_price() -> None:
    price = found(
        "hosted_vllm",
        "mine",
        input_cost_per_token=1e-06,
        output_cost_per_token="0.000002",
        cache_read_input_token_cost=1e-07,
        cache_creation_input_token_cost=1.25e-06,
        input_cost_per_audio_token=3e-05,
        output_cost_per_audio_token=6e-05,
        output_cost_per_reasoning_token=4e-06,
        input_cost_per_query=0.01,
        input_cost_per_token_above_200k_tokens=2e-06,
        output_cost_per_token_above_272k_tokens=3e-06,
    )
    flat = Price(
        input=1_000_000,
        output=2_000_000,
        cache_read=100_000,
        cache_write=1_250_000,
        input_audio=30_000_000,
        output_audio=60_000_000,
        reasoning=4_000_000,
        per_request=10_000_000,
    )
    assert [threshold for threshold, _ in price.tiers] == [200_000, 272_000]
    assert [(tier.input, tier.output, tier.cache_read) for _, tier in price.tiers] == [
        (2_000_000, 2_000_000, 100_000),
        (2_000_000, 3_000_000, 100_000),
    ]
    assert price.cost(Usage(input_tokens=10)) == flat.cost(Usage(input_tokens=10))


def test_an_override_leaves_other_published_prices_alone() -> None:
    published = found("openai", "gpt-4o")
    price = found("openai", "gpt-4o", cache_read_input_token_cost=1e-06)
    assert (price.cache_read, price.input, price.output) == (1_000_000, published.input, published.output)


def test_a_configured_input_price_is_flat() -> None:
    published = found("gemini", "gemini-2.5-pro")
    assert published.tiers
    price = found("gemini", "gemini-2.5-pro", input_cost_per_token=1e-06)
    assert (price.input, price.output, price.cache_read, price.tiers) == (1_000_000, published.output, None, ())


@pytest.mark.parametrize("value", ["free", -1e-06, float("nan"), float("inf"), True, [1], "sk-" + "x" * 100])
def test_a_price_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        lookup("openai", "gpt-4o", {"input_cost_per_token": value}, now=NOW)
    assert str(raised.value).startswith("input_cost_per_token: ")
    assert len(str(raised.value)) < 120


def test_unsupported_keys_change_nothing() -> None:
    parameters = dict.fromkeys(prices.UNSUPPORTED_KEYS, 1)
    assert lookup("openai", "gpt-4o", parameters, now=NOW) == found("openai", "gpt-4o")


def test_facts_prefer_the_configuration() -> None:
    assert facts("openai", "gpt-4o", {}) == ModelFacts(max_input_tokens=128_000)
    assert facts("openai", "gpt-4o", {"max_input_tokens": 1000}).max_input_tokens == 1000
    assert facts("ollama", "llama3", {}) == ModelFacts()
    with pytest.raises(ConfigurationError, match="max_input_tokens"):
        facts("openai", "gpt-4o", {"max_input_tokens": "many"})


def test_published_prices_are_loaded_by_the_first_lookup_only() -> None:
    script = "import sys, headgate.ledger.prices; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
