"""Logins of PostgreSQL that share one owner: whatever either makes, both can use and change."""

import base64
import hashlib
import hmac
import os
import ssl
from collections.abc import Callable
from typing import Any

from headgate.deploy.rotation._credentials import Credentials

Connect = Callable[[Credentials], Any]
"""Opens a connection of pg8000's native interface."""

CONNECT_SECONDS = 10.0
"""After how long a server that does not answer counts as away."""

_ITERATIONS = 4096
"""PostgreSQL's own default (`scram_iterations`)."""

_LOCK = 0x6865616467617465
"""The advisory lock under which roles are changed: two at once would fail each other."""

IAM_ROLE = "rds_iam"
"""Whoever has this role logs in by IAM, and with no password any more:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html"""

_BAD_PASSWORD = ("28P01", "28000")
"""SQLSTATE of a wrong password, and of a login that does not exist or is not allowed."""


def connector(authorities: str | None) -> Connect:
    """Return what connects over TLS and verifies the server's certificate and name.

    `authorities` is a file of certificate authorities, None for those of the system.
    """
    context = ssl.create_default_context(cafile=authorities)

    def connect(login: Credentials) -> Any:
        # Only what really connects needs it: the other function's package is made without.
        import pg8000.native

        return pg8000.native.Connection(
            login.username,
            host=login.host,
            port=login.port,
            database=login.dbname,
            password=login.password,
            ssl_context=context,
            timeout=CONNECT_SECONDS,
            application_name="headgate-rotation",
        )

    return connect


def can_log_in(connect: Connect, login: Credentials) -> bool:
    """Tell whether the server takes a login. Raises pg8000's errors for anything but a wrong one."""
    import pg8000.exceptions

    try:
        connect(login).close()
    except pg8000.exceptions.DatabaseError as error:
        details = error.args[0] if error.args else {}
        if isinstance(details, dict) and details.get("C") in _BAD_PASSWORD:
            return False
        raise
    return True


def ensure_login(connection: Any, login: Credentials, owner: str, iam_user: str | None = None) -> None:
    """Give `login` its password and the owner's rights, in one transaction; make both roles where they are missing.

    `connection` is one of pg8000's native interface, to the database of the login, by a role that may create roles
    and owns the database. Sessions of the login begin as `owner`, so that what a migration makes belongs to it.
    `iam_user` is a further user with the owner's rights, who logs in by IAM and has no password.
    """
    import pg8000.native

    role, user = pg8000.native.identifier(owner), pg8000.native.identifier(login.username)
    database = pg8000.native.identifier(login.dbname)
    # The plain password would stand in the server's log wherever statements are logged.
    password = pg8000.native.literal(scram_verifier(login.password))
    connection.run("BEGIN")
    try:
        connection.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if not _exists(connection, owner):
            connection.run(f"CREATE ROLE {role} NOLOGIN")
        verb = "ALTER" if _exists(connection, login.username) else "CREATE"
        connection.run(f"{verb} ROLE {user} WITH LOGIN PASSWORD {password}")
        connection.run(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}")
        connection.run(f"GRANT USAGE, CREATE ON SCHEMA public TO {role}")
        _act_as(connection, user, role)
        if iam_user is not None:
            by_iam = pg8000.native.identifier(iam_user)
            if not _exists(connection, iam_user):
                connection.run(f"CREATE ROLE {by_iam} LOGIN")
            _act_as(connection, by_iam, role)
            connection.run(f"GRANT {IAM_ROLE} TO {by_iam}")
        connection.run("COMMIT")
    except BaseException:
        connection.run("ROLLBACK")
        raise


def _act_as(connection: Any, user: str, role: str) -> None:
    connection.run(f"GRANT {role} TO {user}")
    connection.run(f"ALTER ROLE {user} SET ROLE {role}")


def _exists(connection: Any, role: str) -> bool:
    return bool(connection.run("SELECT 1 FROM pg_roles WHERE rolname = :role", role=role))


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return what PostgreSQL keeps of a password (RFC 5803, SCRAM-SHA-256); random without a salt."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    kept, first, second = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{kept}${first}:{second}"
