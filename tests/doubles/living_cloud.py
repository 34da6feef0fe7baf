"""moto brought to life: its database is a real PostgreSQL, its functions run, and its services run the real gateway.

Whatever a part consumes it takes from where AWS would: a function its environment and its secrets, a task its
configuration object, its secrets and its command line. What no earlier step produced is an error here.
"""

import contextlib
import importlib
import io
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit, urlunsplit

import moto.awslambda.models
import moto.ecs.models
import moto.elbv2.models
import moto.rds.models
import psycopg
from moto.secretsmanager.models import secretsmanager_backends

from headgate.deploy.rotation import Credentials, _handlers, connector
from headgate.deploy.rotation._roles import Connect, scram_verifier
from tests.doubles import moto_types
from tests.doubles.postgres import ROOT, Postgres

ACCOUNT = "123456789012"
REGION = "us-east-1"
_START_SECONDS = 30


@dataclass
class Task:
    """A task that runs: the process of its gateway, and the port on loopback where that listens."""

    process: subprocess.Popen[str]
    port: int
    environment: Mapping[str, str]
    reader: threading.Thread

    def stop(self) -> int:
        """End it as ECS does; return its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@dataclass
class LivingCloud:
    """What moto leaves out. `url` is moto's; `directory` is for the tasks' volumes."""

    server: Postgres
    url: str
    directory: Path
    tasks: dict[str, Task] = field(default_factory=dict)
    invoked: list[str] = field(default_factory=list)
    real_connect: Any = socket.create_connection

    def close(self) -> None:
        """End every task."""
        for service in list(self.tasks):
            self.stop_task(service)

    def connect(self, address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        """Connect to a load balancer by name: to the one task behind it."""
        host, _ = address
        if host.endswith(".elb.amazonaws.com"):
            [task] = self.tasks.values()
            address = ("127.0.0.1", task.port)
        connection: socket.socket = self.real_connect(address, *arguments, **options)
        return connection

    def make_administrator(self, database: Any) -> None:
        """Do what RDS does for a new instance: a database, and an administrator whose password is in a secret."""
        password = secrets.token_hex(16)
        name = database.db_name
        user = database.master_username
        with self.server.admin() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            for role in (f"{name}_a", f"{name}_b", f"{name}_owner", user):
                connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
            connection.execute(f"CREATE ROLE {user} LOGIN CREATEROLE PASSWORD '{scram_verifier(password)}'".encode())
            connection.execute(f"CREATE DATABASE {name} OWNER {user}".encode())
        backend = secretsmanager_backends[ACCOUNT][REGION]
        if moto_types.ADMINISTRATOR in backend.secrets:
            backend.delete_secret(moto_types.ADMINISTRATOR, None, True)
        value = json.dumps({"username": user, "password": password})
        backend.create_secret(
            moto_types.ADMINISTRATOR, value, None, None, None, None, None, replica_regions=[], force_overwrite=False
        )

    def invoke(self, backend: Any, function_name: str, qualifier: Any, body: str, *_: Any, **__: Any) -> str:
        """Call a function's real handler, with the function's environment, out of its real package."""
        function = backend.get_function(function_name)
        members = zipfile.ZipFile(io.BytesIO(function.code_bytes)).namelist()
        module, _, name = function.handler.rpartition(".")
        assert f"{module.replace('.', '/')}/__init__.py" in members
        self.invoked.append(function.function_name)
        with patch.dict(os.environ, function.environment_vars):
            getattr(importlib.import_module(module), name)(json.loads(body), None)
        return "null"

    def connector(self, authorities: str | None) -> Connect:
        """Reach the real server in the place of any host of RDS."""
        inner = connector(str(ROOT))

        def connect(login: Credentials) -> Any:
            assert login.host.endswith(".rds.amazonaws.com")
            return inner(replace(login, host="localhost", port=self.server.port))

        return connect

    def log_in(self, url: str) -> str:
        """Log in as a task would with its DATABASE_URL; return as whom."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.hostname.endswith(".rds.amazonaws.com")
        who = parts.netloc.rpartition("@")[0]
        local = urlunsplit(parts._replace(netloc=f"{who}@localhost:{self.server.port}"))
        with psycopg.connect(local, sslrootcert=str(ROOT)) as connection:
            row = connection.execute("SELECT current_user").fetchone()
        assert row is not None
        return str(row[0])

    def run_task(self, backend: Any, service: Any) -> None:
        """Run one task of a service as ECS would, in the place of all that should run."""
        definition = backend.describe_task_definition(service.task_definition)
        containers = {one["name"]: one for one in _as_ecs_writes(definition.container_definitions)}
        self.stop_task(service.name)
        folder = self.directory / f"{service.name}-{secrets.token_hex(4)}"
        for name in ("configuration", "temporary", "data"):
            (folder / name).mkdir(parents=True)
        self._prepare(containers["prepare"], folder)
        environment = self._environment(containers["proxy"])
        self.tasks[service.name] = _started(containers["proxy"], environment, folder)

    def stop_task(self, service: str) -> None:
        """End the task of a service."""
        if task := self.tasks.pop(service, None):
            assert task.stop() == 0

    def _prepare(self, container: Mapping[str, Any], folder: Path) -> None:
        environment = self._environment(container) | {
            "TEMPORARY": str(folder / "temporary"),
            "CONFIGURATION": str(folder / "configuration"),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "task",
            "AWS_SECRET_ACCESS_KEY": "task",
        }
        command = [sys.executable, "-c", *container["command"]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        environment = {one["name"]: str(one["value"]) for one in _present(container, "environment")}
        for one in _present(container, "secrets"):
            environment[one["name"]] = self._secret(one["valueFrom"])
        return environment

    def _secret(self, source: str) -> str:
        """Return what ECS would put into a variable; it refuses to start a task without it."""
        *arn, member, _, _ = source.split(":") if source.count(":") > 6 else [*source.split(":"), "", "", ""]
        value = secretsmanager_backends[ACCOUNT][REGION].get_secret_value(":".join(arn), "", "")["SecretString"]
        return str(json.loads(value)[member]) if member else str(value)


def _started(container: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Task:
    port = _free_port()
    places = {"/etc/headgate/config.yaml": str(folder / "configuration" / "config.yaml")}
    words = [places.get(str(word), str(word)) for word in _present(container, "command")]
    words[words.index("--port") + 1] = str(port)
    given = {**environment, "PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port)}
    given |= {"HEADGATE_DATA_DIR": str(folder / "data"), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [str(Path(sys.executable).parent / "headgate"), *words]
    process = subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return Task(process, port, environment, _reading(process, port))


def _reading(process: subprocess.Popen[str], port: int) -> threading.Thread:
    """Wait until the gateway says that it listens; read on, so that it never waits for its reader."""
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if f":{port}" in line:
                ready.set()
        ready.set()

    thread = threading.Thread(target=read)
    thread.start()
    if ready.wait(_START_SECONDS) and process.poll() is None:
        return thread
    process.kill()
    process.wait()
    thread.join()
    assert process.stdout is not None
    process.stdout.close()
    raise AssertionError("".join(said))


def _as_ecs_writes(value: Any) -> Any:
    """Return definitions with ECS' names of members; after an update moto holds them with CloudFormation's."""
    if isinstance(value, list):
        return [_as_ecs_writes(item) for item in value]
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _as_ecs_writes(item) for key, item in value.items()}
    return value


def _present(container: Mapping[str, Any], member: str) -> list[Any]:
    """Leave out what a condition leaves out; moto keeps it as null."""
    return [one for one in container.get(member, []) if one is not None]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class _RotationSchedule(moto_types.Taught):
    """A schedule that rotates at once where it is told to."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        backend = secretsmanager_backends[account_id][region_name]
        secret: Any = backend.secrets[given["SecretId"]]
        rules = {name: int(value) for name, value in given["RotationRules"].items()}
        if given["RotateImmediatelyOnUpdate"] in (True, "true"):
            backend.rotate_secret(given["SecretId"], None, given["RotationLambdaARN"], rules)
        else:
            secret.rotation_requested = secret.rotation_enabled = True
            secret.rotation_lambda_arn = given["RotationLambdaARN"]
            secret.auto_rotate_after_days = rules["AutomaticallyAfterDays"]
        return cls(given["SecretId"])


@contextlib.contextmanager
def living_cloud(server: Postgres, url: str, directory: Path) -> Iterator[LivingCloud]:
    """Bring moto to life, in this process, for a while."""
    cloud = LivingCloud(server, url, directory)
    make_database = moto.rds.models.RDSBackend.create_db_instance
    make_service = moto.ecs.models.EC2ContainerServiceBackend.create_service
    change_service = moto.ecs.models.EC2ContainerServiceBackend.update_service

    def create_db_instance(self: Any, *arguments: Any, **options: Any) -> Any:
        database = make_database(self, *arguments, **options)
        cloud.make_administrator(database)
        return database

    def create_service(self: Any, *arguments: Any, **options: Any) -> Any:
        service = make_service(self, *arguments, **options)
        # CloudFormation starts one task where a template does not say how many.
        service.desired_count = service.desired_count or 1
        cloud.run_task(self, service)
        return _steady(service)

    def update_service(self: Any, properties: dict[str, Any]) -> Any:
        before = {one.name: one.task_definition for one in self.services.values()}
        anew = bool(properties.get("force_new_deployment"))
        service = change_service(self, properties)
        if anew or before[service.name] != service.task_definition:
            cloud.run_task(self, service)
        return _steady(service)

    def delete(self: Any, account_id: str, region_name: str) -> None:
        cloud.stop_task(self.name)
        moto.ecs.models.ecs_backends[account_id][region_name].delete_service(self.cluster_name, self.name, True)

    with (
        patch.dict(moto_types.TAUGHT, {"AWS::SecretsManager::RotationSchedule": _RotationSchedule}),
        patch.object(moto.awslambda.models.LambdaBackend, "invoke", _method(cloud.invoke)),
        patch.object(moto.rds.models.RDSBackend, "create_db_instance", create_db_instance),
        patch.object(moto.ecs.models.EC2ContainerServiceBackend, "create_service", create_service),
        patch.object(moto.ecs.models.EC2ContainerServiceBackend, "update_service", update_service),
        patch.object(moto.ecs.models.Service, "delete", delete, create=True),
        patch.object(_handlers, "connector", cloud.connector),
        patch.object(socket, "create_connection", cloud.connect),
    ):
        try:
            yield cloud
        finally:
            cloud.close()


def _method(function: Any) -> Any:
    return lambda self, *arguments, **options: function(self, *arguments, **options)


def _steady(service: Any) -> Any:
    """Let every task that should run do so, and be healthy."""
    # moto's CloudFormation does not hand a service's load balancers on.
    for group in moto.elbv2.models.elbv2_backends[ACCOUNT][REGION].target_groups.values():
        group.register([{"Id": f"10.0.11.{10 + task}", "Port": group.port} for task in range(service.desired_count)])
    service.running_count, service.pending_count = service.desired_count, 0
    service.deployments = service.deployments[:1]
    service.deployments[0] |= {
        "status": "PRIMARY",
        "rolloutState": "COMPLETED",
        "runningCount": service.desired_count,
        "pendingCount": 0,
    }
    return service
