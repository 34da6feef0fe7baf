"""The gateway's PostgreSQL login: two users take turns, so that the one in use is never changed."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from headgate.deploy.rotation._credentials import Credentials, alternate, new_password, owner_of
from headgate.deploy.rotation._protocol import Rotation, RotationError, Value
from headgate.deploy.rotation._roles import Connect, can_log_in, ensure_login

ReadAdmin = Callable[[], tuple[str, str]]
"""Reads the user and the password of a role that may create roles."""

_APPLICATION_TABLE = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relowner = (SELECT oid FROM pg_roles WHERE rolname = :owner)
    ORDER BY c.oid LIMIT 1
"""


class DatabaseRotation:
    """Rotates a login. Only `host` is ever connected to; `restart` makes running gateways read the new login.

    `iam_user` is made beside the alternating users, where it is missing; it logs in by IAM and is never rotated.
    """

    def __init__(
        self,
        connect: Connect,
        read_admin: ReadAdmin,
        host: str,
        restart: Callable[[], None],
        iam_user: str | None = None,
    ) -> None:
        self._connect = connect
        self._read_admin = read_admin
        self._host = host
        self._restart = restart
        self._iam_user = iam_user

    def create(self, current: Value, rotation: Rotation) -> Value:
        """Return the other user's login with a new password."""
        login = Credentials.from_value(current)
        successor = replace(login, username=alternate(login.username), password=new_password())
        return successor.to_value(current)

    def apply(self, current: Value, pending: Value) -> None:
        """Give the other user its password, through a role that may create roles."""
        login = self._checked(current, pending)
        if can_log_in(self._connect, login):
            return
        user, password = self._read_admin()
        with closing(self._connect(replace(login, username=user, password=password))) as connection:
            ensure_login(connection, login, owner_of(login.username), self._iam_user)

    def test(self, current: Value, pending: Value) -> None:
        """Log in as a gateway does, and read from a table of its own where it has one."""
        login = self._checked(current, pending)
        owner = owner_of(login.username)
        with closing(self._connect(login)) as connection:
            [[role]] = connection.run("SELECT current_user")
            if role != owner:
                raise RotationError(f"{login.username} acts as {role}, not as {owner}: rotate anew.")
            for [table] in connection.run(_APPLICATION_TABLE, owner=owner):
                # The name comes quoted from the catalogue.
                connection.run(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608

    def finished(self) -> None:
        """Restart what got the login as it started."""
        self._restart()

    def _checked(self, current: Value, pending: Value) -> Credentials:
        """Return the pending login. Raises `RotationError` unless it is the other user's on the same server.

        Whoever can write the secret could otherwise have passwords sent to a server of their own.
        """
        before, after = Credentials.from_value(current), Credentials.from_value(pending)
        if after.server != before.server:
            raise RotationError("Host, port or database differ between the current and the pending login: rotate anew.")
        if after.host != self._host:
            raise RotationError(
                f"The secret names the host {after.host!r}, but the database is at {self._host!r}: correct the secret."
            )
        if after.username != alternate(before.username):
            raise RotationError(f"The pending login is not that of {alternate(before.username)}: rotate anew.")
        if self._iam_user in (after.username, before.username, owner_of(after.username)):
            raise RotationError(f"IAM_USER names {self._iam_user}, which has a password: name a user of its own.")
        return after
