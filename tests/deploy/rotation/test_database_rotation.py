"""The database's function against a real PostgreSQL over verified TLS."""

import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pg8000.exceptions
import psycopg
import pytest

from headgate.deploy.rotation import Credentials, RotationError, _handlers, connector, database_handler, ensure_login
from headgate.deploy.rotation._roles import Connect, scram_verifier
from tests.doubles.postgres import ROOT, Postgres, postgres
from tests.doubles.secrets_manager import STEPS, Cloud, Life, rotate_through_deaths

NAME = "headgate/dev/database"
ADMIN = "headgate/dev/database-admin"
ADMIN_PASSWORD = "canary of the admin's: %/@?"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        with server.admin() as connection:
            # As RDS has it: no superuser, but owner of the database.
            kept = scram_verifier(ADMIN_PASSWORD)
            connection.execute(f"CREATE ROLE manager LOGIN CREATEROLE PASSWORD '{kept}'".encode())
        yield server


@pytest.fixture
def first(server: Postgres) -> Iterator[Credentials]:
    """An empty database with the first of two users; gone with its roles afterwards."""
    with server.admin() as connection:
        connection.execute("CREATE DATABASE gateway OWNER manager")
    login = Credentials("gateway_a", "canary-a/@:%", "localhost", server.port, "gateway")
    admin = connector(str(ROOT))(administrator(login))
    ensure_login(admin, login, "gateway_owner")
    admin.close()
    yield login
    with server.admin() as connection:
        connection.execute("DROP DATABASE gateway WITH (FORCE)")
        for role in ("gateway_a", "gateway_b", "gateway_owner"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def cloud(first: Credentials, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("ADMIN_SECRET_ARN", ADMIN)
    monkeypatch.setenv("DATABASE_HOST", "localhost")
    monkeypatch.setenv("DATABASE_CA_FILE", str(ROOT))
    with Cloud(database_handler) as cloud:
        cloud.create(NAME, first.to_value({"engine": "postgres"}))
        cloud.create(ADMIN, {"username": "manager", "password": ADMIN_PASSWORD})
        yield cloud


def administrator(login: Credentials) -> Credentials:
    return Credentials("manager", ADMIN_PASSWORD, login.host, login.port, login.dbname)


def held(cloud: Cloud) -> Credentials:
    return Credentials.from_value(cloud.value(NAME))


def ask(login: Credentials, statement: str) -> object:
    """Do one statement as a gateway does: with the URL of the secret."""
    with psycopg.connect(login.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else row[0]


def test_a_rotation_brings_the_other_user_into_use(cloud: Cloud, first: Credentials) -> None:
    token = cloud.rotate(NAME)
    value, login = cloud.value(NAME), held(cloud)
    assert (login.username, login.server) == ("gateway_b", first.server)
    assert len(login.password) == 32
    assert value["engine"] == "postgres"
    assert cloud.stages(NAME)[token] == ["AWSCURRENT"]
    assert ask(login, "SELECT session_user || ' as ' || current_user") == "gateway_b as gateway_owner"


def test_the_login_before_works_for_a_whole_cycle(cloud: Cloud, first: Credentials) -> None:
    cloud.rotate(NAME)
    assert ask(first, "SELECT 1") == 1
    second = held(cloud)
    cloud.rotate(NAME)
    third = held(cloud)
    assert (third.username, third.password != first.password) == ("gateway_a", True)
    assert ask(second, "SELECT 1") == ask(third, "SELECT 1") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(first, "SELECT 1")


def test_what_one_user_made_the_other_can_change(cloud: Cloud, first: Credentials, server: Postgres) -> None:
    ask(first, "CREATE TABLE request_logs (id integer)")
    cloud.rotate(NAME)
    ask(held(cloud), "ALTER TABLE request_logs ADD COLUMN model text")
    with server.admin("gateway") as connection:
        row = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'request_logs'").fetchone()
    assert row == ("gateway_owner",)


def test_the_first_rotation_makes_owner_and_user_where_there_are_none(cloud: Cloud, server: Postgres) -> None:
    with server.admin("gateway") as connection:
        connection.execute("DROP OWNED BY gateway_owner")
        for role in ("gateway_a", "gateway_owner"):
            connection.execute(f"DROP ROLE {role}")
    cloud.rotate(NAME)
    assert ask(held(cloud), "CREATE TABLE request_logs (id integer)") is None


def test_a_user_that_logs_in_by_iam_is_made_with_the_others(
    cloud: Cloud, first: Credentials, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IAM_USER", "gateway_iam")
    with _role_of_rds(server):
        for _ in range(2):
            cloud.rotate(NAME)
        with server.admin("gateway") as connection:
            statement = """
                SELECT u.rolcanlogin, a.rolpassword IS NULL, u.rolconfig, array_agg(r.rolname ORDER BY r.rolname)
                FROM pg_roles u JOIN pg_authid a ON a.oid = u.oid
                JOIN pg_auth_members m ON m.member = u.oid JOIN pg_roles r ON r.oid = m.roleid
                WHERE u.rolname = 'gateway_iam' GROUP BY 1, 2, 3
            """
            assert connection.execute(statement).fetchall() == [
                (True, True, ["role=gateway_owner"], ["gateway_owner", "rds_iam"])
            ]
            # The password of the others goes on being one: nobody of them has RDS' role.
            members = "SELECT count(*) FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole AND NOT admin_option"
            assert connection.execute(members).fetchone() == (1,)
        assert ask(held(cloud), "SELECT 1") == 1


def test_without_the_role_of_rds_nothing_is_half_made(
    cloud: Cloud, first: Credentials, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IAM_USER", "gateway_iam")
    with pytest.raises(pg8000.exceptions.DatabaseError, match="rds_iam"):
        cloud.rotate(NAME)
    with server.admin() as connection:
        made = "SELECT count(*) FROM pg_roles WHERE rolname IN ('gateway_b', 'gateway_iam')"
        assert connection.execute(made).fetchone() == (0,)
    assert held(cloud) == first


def test_a_user_with_a_password_never_loses_it_to_iam(
    cloud: Cloud, first: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IAM_USER", "gateway_a")
    with pytest.raises(RotationError, match="IAM_USER names gateway_a, which has a password"):
        cloud.rotate(NAME)
    assert ask(first, "SELECT 1") == 1


@contextmanager
def _role_of_rds(server: Postgres) -> Iterator[None]:
    """Have the role that RDS makes, which its administrator may hand on."""
    with server.admin() as connection:
        connection.execute("CREATE ROLE rds_iam NOLOGIN")
        connection.execute("GRANT rds_iam TO manager WITH ADMIN OPTION")
    try:
        yield
    finally:
        with server.admin() as connection:
            for role in ("gateway_iam", "rds_iam"):
                connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


def test_a_function_that_dies_at_any_moment_and_comes_again_ends_well(
    cloud: Cloud, first: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(first, "CREATE TABLE request_logs (id integer)")
    put: list[str] = []

    def live(life: Life) -> None:
        def mortal(authorities: str | None) -> Connect:
            connect = connector(authorities)
            return lambda login: life.wrap(connect(login))

        monkeypatch.setattr(_handlers, "aws_client", lambda service: life.wrap(cloud.client))
        monkeypatch.setattr(_handlers, "connector", mortal)

    cloud.client.meta.events.register("before-call.secretsmanager.PutSecretValue", lambda **_: put.append("put"))
    # Making the roles alone takes more than ten statements.
    assert rotate_through_deaths(cloud, NAME, live) > 20
    assert put == ["put"]
    assert ask(held(cloud), "SELECT current_user") == "gateway_owner"
    assert ask(first, "SELECT current_user") == "gateway_owner"
    assert ["AWSPENDING"] not in cloud.stages(NAME).values()


class Gateway(threading.Thread):
    """Connects and writes without end with the login that it started with, as a task on ECS does."""

    def __init__(self, login: Credentials) -> None:
        super().__init__()
        self.login = login
        self.served = 0
        self.failures: list[Exception] = []
        self._progress = threading.Condition()
        self._stopped = False

    def run(self) -> None:
        while not self._stopped:
            try:
                ask(self.login, "INSERT INTO request_logs VALUES (1) RETURNING id")
            except psycopg.Error as error:
                self.failures.append(error)
            with self._progress:
                self.served += 1
                self._progress.notify_all()

    def serve(self, more: int) -> None:
        """Wait until it did so many requests more."""
        with self._progress:
            goal = self.served + more
            assert self._progress.wait_for(lambda: self.served >= goal, timeout=30)

    def stop(self) -> None:
        self._stopped = True
        self.join()


def test_no_request_fails_while_logins_are_rotated_under_load(cloud: Cloud, first: Credentials) -> None:
    ask(first, "CREATE TABLE request_logs (id integer)")
    gateways = [Gateway(first) for _ in range(3)]
    with ExitStack() as running:

        def start(gateway: Gateway) -> None:
            gateway.start()
            running.callback(gateway.stop)
            gateway.serve(2)

        def during(steps: Callable[[], object]) -> None:
            before = [gateway.served for gateway in gateways]
            steps()
            for gateway in gateways:
                gateway.serve(2)
            assert all(gateway.served > count for gateway, count in zip(gateways, before, strict=True))

        for gateway in gateways:
            start(gateway)
        logins = {first.username}
        for _ in range(3):
            token = cloud.pending(NAME)
            for step in STEPS:
                during(partial(cloud.step, NAME, token, step))
            # The restart at the end of a rotation: new tasks serve before the old ones end.
            old, gateways = gateways, [Gateway(held(cloud)) for _ in gateways]
            logins.add(held(cloud).username)
            for gateway in gateways:
                start(gateway)
            for gateway in old:
                gateway.stop()
                assert gateway.failures == []
    assert [gateway.failures for gateway in gateways] == [[], [], []]
    assert logins == {"gateway_a", "gateway_b"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"host": "127.0.0.1"}, "Host, port or database differ", id="host"),
        pytest.param({"port": 1}, "Host, port or database differ", id="port"),
        pytest.param({"dbname": "postgres"}, "Host, port or database differ", id="database"),
        pytest.param({"username": "gateway_a"}, "is not that of gateway_b", id="user"),
        pytest.param({"username": "manager"}, "is not that of gateway_b", id="administrator"),
    ],
)
@pytest.mark.parametrize("step", ["setSecret", "testSecret"])
def test_a_pending_login_of_something_else_is_refused(
    cloud: Cloud, changes: dict[str, object], problem: str, step: str
) -> None:
    token = cloud.pending(NAME)
    cloud.step(NAME, token, "createSecret")
    pending = cloud.value(NAME, "AWSPENDING") | changes
    change_version(cloud, token, pending)
    with pytest.raises(RotationError, match=problem):
        cloud.step(NAME, token, step)


def change_version(cloud: Cloud, token: str, value: dict[str, object]) -> None:
    """Give a version another value, which only someone inside of AWS could."""
    from moto.secretsmanager.models import secretsmanager_backends

    [backend] = [regions["eu-central-1"] for regions in secretsmanager_backends.values()]
    backend.secrets[NAME].versions[token]["secret_string"] = json.dumps(value)


def test_a_secret_that_names_another_host_gets_no_administrator_there(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_HOST", "database.example")
    with pytest.raises(RotationError, match=r"names the host 'localhost', but the database is at 'database.example'"):
        cloud.rotate(NAME)


def test_a_user_that_has_no_other_is_refused(cloud: Cloud, first: Credentials) -> None:
    cloud.create("other", {**first.to_value(), "username": "litellm"})
    with pytest.raises(RotationError, match="'litellm', but alternating users are called NAME_a and NAME_b"):
        cloud.rotate("other")


def test_a_wrong_administrator_is_not_hidden(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.client.put_secret_value(SecretId=ADMIN, SecretString='{"username": "manager", "password": "canary-x"}')
    with pytest.raises(pg8000.exceptions.DatabaseError, match="password authentication failed") as refused:
        cloud.rotate(NAME)
    assert "canary" not in str(refused.value) + caplog.text


def test_an_administrator_without_a_password_is_refused(cloud: Cloud) -> None:
    cloud.client.put_secret_value(SecretId=ADMIN, SecretString='{"username": "manager"}')
    with pytest.raises(RotationError, match=f"{ADMIN} has no username and password"):
        cloud.rotate(NAME)


def test_a_login_that_acts_as_itself_is_refused(cloud: Cloud, server: Postgres) -> None:
    token = cloud.pending(NAME)
    for step in ("createSecret", "setSecret"):
        cloud.step(NAME, token, step)
    with server.admin() as connection:
        connection.execute("ALTER ROLE gateway_b RESET ROLE")
    with pytest.raises(RotationError, match="gateway_b acts as gateway_b, not as gateway_owner"):
        cloud.step(NAME, token, "testSecret")


def test_a_table_that_can_not_be_read_stops_the_rotation(cloud: Cloud, first: Credentials, server: Postgres) -> None:
    ask(first, "CREATE TABLE request_logs (id integer)")
    with server.admin("gateway") as connection:
        connection.execute("REVOKE SELECT ON request_logs FROM gateway_owner")
    with pytest.raises(pg8000.exceptions.DatabaseError, match="permission denied for table request_logs"):
        cloud.rotate(NAME)
    assert held(cloud) == first


@pytest.mark.parametrize(
    ("certificate", "authorities"),
    [
        pytest.param("localhost", None, id="unknown-authority"),
        pytest.param("elsewhere", str(ROOT), id="wrong-name"),
        pytest.param("expired", str(ROOT), id="expired"),
    ],
)
def test_a_server_that_can_not_prove_itself_gets_no_password(
    server: Postgres, certificate: str, authorities: str | None
) -> None:
    with server.behind(certificate) as port, pytest.raises(ssl.SSLCertVerificationError):
        connector(authorities)(Credentials("manager", ADMIN_PASSWORD, "localhost", port, "postgres"))


@pytest.mark.parametrize("name", ["ADMIN_SECRET_ARN", "DATABASE_HOST"])
def test_a_function_that_is_not_told_everything_refuses(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(RotationError, match=f"environment has no {name}"):
        cloud.rotate(NAME)


def test_no_log_shows_a_password_neither_the_function_s_nor_the_server_s(
    cloud: Cloud,
    first: Credentials,
    server: Postgres,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.rotate(NAME)
    told = caplog.text + "".join(capfd.readouterr()) + server.log + repr(held(cloud))
    assert "setSecret of headgate/dev/database: done" in told
    assert 'ALTER ROLE "gateway_b" SET ROLE' in told or "ALTER ROLE gateway_b SET ROLE" in told
    canaries = {*cloud.every_secret(), first.password}
    assert len(canaries) >= 6
    assert [secret for secret in canaries if secret in told] == []


def test_the_authorities_in_the_package_are_used_where_none_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_handlers, "__file__", str(tmp_path / "headgate/deploy/rotation/_handlers.py"))
    assert _handlers._authorities() is None
    packaged = tmp_path / "database-ca.pem"
    packaged.write_bytes(ROOT.read_bytes())
    assert _handlers._authorities() == str(packaged)
    monkeypatch.setenv("DATABASE_CA_FILE", "/elsewhere.pem")
    assert _handlers._authorities() == "/elsewhere.pem"
