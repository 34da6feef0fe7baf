"""Published prices: genai-prices' data, read into our own types.

The data is loaded by the first look-up (0.2 s, some megabytes) and not before. It knows prices by date and time of day;
its prices for service tiers (flex, priority, batch), searches and stored data are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from headgate.core.money import Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, TieredPrices

# From LiteLLM's names to those of the data. A self-hosted server is nobody's product and has no entry.
_PROVIDERS = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "azure": "azure",
    "azure_ai": "azure",
    "anthropic": "anthropic",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "openrouter": "openrouter",
    "xai": "x-ai",
    "perplexity": "perplexity",
    "gemini": "google",
    "vertex_ai": "google",
    "cohere": "cohere",
}

_GEOGRAPHIES = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"})
"""Prefixes of Bedrock's inference profiles
(https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html).
"""

_TOKEN_PRICES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""From the fields of `Price` to the data's prices in dollars per million tokens."""

_REQUESTS = "requests_kcount"
"""The data's price in dollars per thousand requests."""

# A dollar per million tokens is 10**12 / 10**6 pico-dollars a token, one per thousand requests 10**9 / 10**3
# nano-dollars a request.
_PICO_PER_MTOK = 10**6
_NANO_PER_KCOUNT = 10**6


def knows(provider: str) -> bool:
    """Tell whether prices of this provider (LiteLLM's name) are published."""
    return provider in _PROVIDERS


def find(provider: str, model: str) -> ModelInfo | None:
    """Return what is published about a model, None when nothing is."""
    if provider not in _PROVIDERS:
        return None
    from genai_prices.data_snapshot import get_snapshot

    snapshot, identifier = get_snapshot(), _PROVIDERS[provider]
    for name in _bedrock_names(model) if identifier == "aws" else (model,):
        try:
            return snapshot.find_provider_model(name, None, identifier, None)[1]
        except LookupError:
            continue
    return None


def _bedrock_names(model: str) -> tuple[str, ...]:
    """Return what a Bedrock model may be called in the data: as invoked, without its geography, and in a region.

    Prices of a geography and of its regions are the same; only global inference profiles have their own.
    """
    name = model.rpartition("/")[2]
    geography, _, rest = name.partition(".")
    base = rest if geography in _GEOGRAPHIES else name
    return (name, base) if geography == "global" else (name, base, f"us.{base}")


def price(model: ModelInfo, now: datetime) -> Price | None:
    """Return the model's price at a point in time; None when it is not billed by tokens or requests."""
    prices = {key: value for key, value in vars(model.get_prices(now)).items() if value is not None}
    if prices and prices.keys().isdisjoint({*_TOKEN_PRICES.values(), _REQUESTS}):
        return None
    starts = {tier.start for value in prices.values() for tier in getattr(value, "tiers", ())}
    tiers = tuple((start, _flat(prices, start + 1)) for start in sorted(starts))
    return msgspec.structs.replace(_flat(prices, 0), tiers=tiers)


def _flat(prices: Mapping[str, Decimal | TieredPrices], input_tokens: int) -> Price:
    """Return the price of a request with so many input tokens."""
    amounts = {key: _at(value, input_tokens) for key, value in prices.items()}
    tokens = {name: _integer(amounts[key] * _PICO_PER_MTOK) for name, key in _TOKEN_PRICES.items() if key in amounts}
    per_request = _integer(amounts.get(_REQUESTS, Decimal(0)) * _NANO_PER_KCOUNT)
    return msgspec.structs.replace(Price(per_request=per_request), **tokens)


def _at(value: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if input_tokens > tier.start]
    return reached[-1] if reached else value.base


def _integer(amount: Decimal) -> int:
    return int(amount.to_integral_value())
