"""The secrets of an environment in AWS Secrets Manager: what there are, created, set, rotated; never shown."""

from headgate.deploy.secrets._catalogue import CATALOGUE, Entry, Member, Turnover, catalogue_for, find
from headgate.deploy.secrets._errors import SecretsError, SecretsUsageError, explained
from headgate.deploy.secrets._operations import (
    Creation,
    Pending,
    create_missing,
    make,
    master_key,
    prepare_revoke,
    prepare_set,
)
from headgate.deploy.secrets._rotate import Rotating, prepare_rotation, rotate
from headgate.deploy.secrets._status import Status, status
from headgate.deploy.secrets._values import read_input
from headgate.deploy.secrets._vault import Vault

__all__ = [
    "CATALOGUE",
    "Creation",
    "Entry",
    "Member",
    "Pending",
    "Rotating",
    "SecretsError",
    "SecretsUsageError",
    "Status",
    "Turnover",
    "Vault",
    "catalogue_for",
    "create_missing",
    "explained",
    "find",
    "make",
    "master_key",
    "prepare_revoke",
    "prepare_rotation",
    "prepare_set",
    "read_input",
    "rotate",
    "status",
]
