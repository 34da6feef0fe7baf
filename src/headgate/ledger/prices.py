"""What a model costs and how much it takes: the configuration first, then the published data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from headgate.core.errors import ConfigurationError
from headgate.core.money import Price
from headgate.ledger import _catalog, _overrides

UNSUPPORTED_KEYS = _overrides.UNSUPPORTED
"""LiteLLM's price keys that change nothing here."""


class ModelFacts(msgspec.Struct, frozen=True):
    """What is known of a model beside its price. `max_input_tokens` None means unknown."""

    max_input_tokens: int | None = None


def lookup(provider: str, model: str, parameters: Mapping[str, Any], *, now: datetime) -> Price | None:
    """Return the price of a model at `now` (an aware time), None when nobody told it.

    `provider` is LiteLLM's name of the provider, `model` the upstream's name of the model, `parameters` the members of
    `litellm_params` and `model_info` together. Their prices (`input_cost_per_token` and so on, dollars per token) go
    before the published ones, and `base_model` names the model that a deployment with a name of its own serves. A
    self-hosted model is free only where a price of 0 is configured. Raises `ConfigurationError` for a price that is not
    a number of dollars.

    The first call loads the published prices; a call takes some 10 us, so a caller on the hot path keeps the answer,
    though not for long: some prices depend on the time of day.
    """
    found = _catalog.find(*_subject(provider, model, parameters))
    return _overrides.apply(None if found is None else _catalog.price(found, now), parameters)


def facts(provider: str, model: str, parameters: Mapping[str, Any]) -> ModelFacts:
    """Return what is known of a model; the parameters' own `max_input_tokens` goes before the published one.

    Raises `ConfigurationError` when that is not a positive integer.
    """
    found = _catalog.find(*_subject(provider, model, parameters))
    limit = parameters.get("max_input_tokens")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0):
        raise ConfigurationError([f"max_input_tokens: expected a positive integer, not {str(limit)[:40]!r}"])
    if found is None:
        return ModelFacts(limit)
    return ModelFacts(limit or found.context_window)


def _subject(provider: str, model: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return the provider and the model whose data counts; `base_model` may name another model, or both."""
    base = parameters.get("base_model")
    if not isinstance(base, str) or not base:
        return provider, model
    prefix, slash, rest = base.partition("/")
    return (prefix, rest) if slash and _catalog.knows(prefix) else (provider, base)
