"""Every key of LiteLLM 1.80.5's `config.yaml` and its environment, and what Headgate does with it."""

from collections.abc import Mapping

from headgate.config._keys._environment import ENVIRONMENT
from headgate.config._keys._general import GENERAL_SETTINGS
from headgate.config._keys._key import Key
from headgate.config._keys._litellm import LITELLM_SETTINGS
from headgate.config._keys._models import LITELLM_PARAMS, MODEL_DEFAULTS, MODEL_INFO, MODEL_LIST
from headgate.config._keys._router import (
    ALLOWED_FAILS_POLICY,
    MODEL_GROUP_ALIAS,
    RETRY_POLICY,
    ROUTER_SETTINGS,
    ROUTING_STRATEGY_ARGS,
)
from headgate.config._keys._top import TOP_LEVEL

__all__ = ["ENVIRONMENT", "ITEM", "MODEL_DEFAULTS", "SECTIONS", "Key"]

ITEM = "*"
"""Stands in a section's name for any list position or any name that the user chooses."""

SECTIONS: Mapping[tuple[str, ...], tuple[Key, ...]] = {
    (): TOP_LEVEL,
    ("model_list", ITEM): MODEL_LIST,
    ("model_list", ITEM, "litellm_params"): LITELLM_PARAMS,
    ("model_list", ITEM, "model_info"): MODEL_INFO,
    ("router_settings",): ROUTER_SETTINGS,
    ("router_settings", "routing_strategy_args"): ROUTING_STRATEGY_ARGS,
    ("router_settings", "retry_policy"): RETRY_POLICY,
    ("router_settings", "model_group_retry_policy", ITEM): RETRY_POLICY,
    ("router_settings", "allowed_fails_policy"): ALLOWED_FAILS_POLICY,
    ("router_settings", "model_group_alias", ITEM): MODEL_GROUP_ALIAS,
    ("router_settings", "default_litellm_params"): LITELLM_PARAMS,
    ("litellm_settings",): LITELLM_SETTINGS,
    ("general_settings",): GENERAL_SETTINGS,
}
"""The keys of each mapping whose keys are known."""
