"""Prices that the configuration sets, under LiteLLM's names in `litellm_params` or `model_info`."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from headgate.core.errors import ConfigurationError
from headgate.core.money import NANO_PER_DOLLAR, Price, pico_dollars

KEYS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "output_cost_per_reasoning_token": "reasoning",
}
"""Dollars per token, each with the field of `Price` that it sets."""

REQUEST_KEY = "input_cost_per_query"
"""Dollars per request."""

UNSUPPORTED = (
    "input_cost_per_second",
    "output_cost_per_second",
    "input_cost_per_character",
    "output_cost_per_character",
    "input_cost_per_image",
    "output_cost_per_image",
    "input_cost_per_pixel",
    "output_cost_per_pixel",
    "input_cost_per_audio_per_second",
    "input_cost_per_video_per_second",
    "input_cost_per_token_batches",
    "output_cost_per_token_batches",
    "input_cost_per_token_flex",
    "output_cost_per_token_flex",
    "input_cost_per_token_priority",
    "output_cost_per_token_priority",
    "cache_read_input_token_cost_flex",
    "cache_read_input_token_cost_priority",
    "cache_creation_input_token_cost_above_1hr",
    "cache_creation_input_audio_token_cost",
    "input_cost_per_character_above_128k_tokens",
    "output_cost_per_character_above_128k_tokens",
    "input_cost_per_image_above_128k_tokens",
    "output_cost_per_image_token",
    "input_cost_per_audio_per_second_above_128k_tokens",
    "output_cost_per_audio_per_second",
    "input_cost_per_video_per_second_above_128k_tokens",
    "output_cost_per_video_per_second",
    "search_context_cost_per_query",
    "citation_cost_per_token",
    "tiered_pricing",
)
"""LiteLLM's keys that price what is not counted here; they change nothing."""

_ABOVE = re.compile(r"(?P<key>.+)_above_(?P<thousands>[1-9][0-9]{0,5})k_tokens")

# What is billed at the price of the whole unless it has its own; a new price of the whole counts for the parts too.
_PARTS = {"input": ("cache_read", "cache_write", "input_audio"), "output": ("output_audio", "reasoning")}


def apply(base: Price | None, parameters: Mapping[str, Any]) -> Price | None:
    """Return the base price with what the parameters set; the base itself when they set nothing.

    A configured input or output price is flat: it also takes the place of published prices for its parts (cached and
    audio input, reasoning and audio output) and of published tiers, except where those are configured too. Raises
    `ConfigurationError` for a price that is not a number of dollars.
    """
    flat: dict[str, int] = {}
    tiers: dict[int, dict[str, int]] = {}
    for key, value in parameters.items():
        if value is None:
            continue
        if key in KEYS:
            flat[KEYS[key]] = pico_dollars(_dollars(key, value))
        elif (above := _ABOVE.fullmatch(key)) is not None and above["key"] in KEYS:
            changes = tiers.setdefault(int(above["thousands"]) * 1000, {})
            changes[KEYS[above["key"]]] = pico_dollars(_dollars(key, value))
    per_request = parameters.get(REQUEST_KEY)
    if not flat and not tiers and per_request is None:
        return base
    price = base or Price()
    if tiers or not flat.keys().isdisjoint(_PARTS):
        price = msgspec.structs.replace(price, tiers=())
    price = _change(price, flat)
    if per_request is not None:
        nano = int((_dollars(REQUEST_KEY, per_request) * NANO_PER_DOLLAR).to_integral_value())
        price = msgspec.structs.replace(price, per_request=nano)
    reached, steps = price, []
    for start, changes in sorted(tiers.items()):
        reached = msgspec.structs.replace(reached, **changes)
        steps.append((start, reached))
    return msgspec.structs.replace(price, tiers=tuple(steps)) if steps else price


def _change(price: Price, changes: Mapping[str, int]) -> Price:
    reset: dict[str, None] = {part: None for whole in _PARTS if whole in changes for part in _PARTS[whole]}
    return msgspec.structs.replace(price, **{**reset, **changes})


def _dollars(key: str, value: object) -> Decimal:
    if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and amount >= 0:
            return amount
    raise ConfigurationError([f"{key}: expected a number of dollars, not {str(value)[:40]!r}"])
