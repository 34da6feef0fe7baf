"""Rotation functions for AWS Lambda: the gateway's master key, and its PostgreSQL login.

The whole package also runs inside Lambda, where nothing but the standard library, boto3 and pg8000 can be imported.
"""

from headgate.deploy.rotation._credentials import PASSWORD_LENGTH, Credentials, alternate, new_password, owner_of
from headgate.deploy.rotation._handlers import (
    AUTHORITIES_FILE,
    aws_client,
    database_handler,
    master_key_handler,
    overdue_handler,
)
from headgate.deploy.rotation._master_key import (
    KEY_LENGTH,
    KEY_PREFIX,
    WINDOW,
    MasterKey,
    check_rotation,
    new_master_key,
    random_text,
)
from headgate.deploy.rotation._overdue import is_overdue
from headgate.deploy.rotation._package import Kind, package
from headgate.deploy.rotation._protocol import EMERGENCY_TAG, RotationError, decode, rotation_interval
from headgate.deploy.rotation._restart import restart_services
from headgate.deploy.rotation._roles import connector, ensure_login

__all__ = [
    "AUTHORITIES_FILE",
    "EMERGENCY_TAG",
    "KEY_LENGTH",
    "KEY_PREFIX",
    "PASSWORD_LENGTH",
    "WINDOW",
    "Credentials",
    "Kind",
    "MasterKey",
    "RotationError",
    "alternate",
    "aws_client",
    "check_rotation",
    "connector",
    "database_handler",
    "decode",
    "ensure_login",
    "is_overdue",
    "master_key_handler",
    "new_master_key",
    "new_password",
    "overdue_handler",
    "owner_of",
    "package",
    "random_text",
    "restart_services",
    "rotation_interval",
]
