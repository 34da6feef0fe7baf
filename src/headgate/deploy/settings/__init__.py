"""`headgate.deploy.yaml`: what is deployed, where, and how large; everything wrong with it is told at once."""

from headgate.deploy.settings._connections import ConnectionBudget, connection_budget
from headgate.deploy.settings._deployed import forget, remember, remembered
from headgate.deploy.settings._environment import Environment
from headgate.deploy.settings._example import default_file
from headgate.deploy.settings._load import FILE_NAME, DeploySettings, load_settings
from headgate.deploy.settings._presets import PRESETS
from headgate.deploy.settings._validation import configuration_checks

__all__ = [
    "FILE_NAME",
    "PRESETS",
    "ConnectionBudget",
    "DeploySettings",
    "Environment",
    "configuration_checks",
    "connection_budget",
    "default_file",
    "forget",
    "load_settings",
    "remember",
    "remembered",
]
