"""The configuration: LiteLLM's `config.yaml`, its environment variables, and what is wrong with them."""

from headgate.config._audit import KeyUse
from headgate.config._catch_all import expand_entry, is_catch_all
from headgate.config._default import embedded_default
from headgate.config._findings import Disposition, Finding, Severity
from headgate.config._load import load_configuration
from headgate.config._models import ModelEntry, ModelInfo, ModelParameters, may_hold_secret
from headgate.config._providers import PROVIDERS
from headgate.config._report import Report, check_configuration
from headgate.config._server import ServerSettings, server_settings
from headgate.config._settings import (
    Configuration,
    GeneralSettings,
    LitellmSettings,
    ModelGroupAlias,
    RouterSettings,
    RoutingStrategyArguments,
)

__all__ = [
    "PROVIDERS",
    "Configuration",
    "Disposition",
    "Finding",
    "GeneralSettings",
    "KeyUse",
    "LitellmSettings",
    "ModelEntry",
    "ModelGroupAlias",
    "ModelInfo",
    "ModelParameters",
    "Report",
    "RouterSettings",
    "RoutingStrategyArguments",
    "ServerSettings",
    "Severity",
    "check_configuration",
    "embedded_default",
    "expand_entry",
    "is_catch_all",
    "load_configuration",
    "may_hold_secret",
    "server_settings",
]
