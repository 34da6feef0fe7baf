"""What some stacks need before, beside and after CloudFormation."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from headgate.deploy.ecs._empty import release_database
from headgate.deploy.ecs._service import Service
from headgate.deploy.ecs._stack_component import Hooks
from headgate.deploy.ecs._virtual_keys import MEMBER, give_key, has_key
from headgate.deploy.ecs._world import World
from headgate.deploy.engine import DeployError, Health, Progress, State
from headgate.deploy.rotation import KEY_PREFIX, MasterKey
from headgate.deploy.secrets import explained as secret_explained
from headgate.deploy.secrets import find, prepare_rotation, rotate
from headgate.deploy.verification import Web

LOGIN_SECONDS = 900.0
"""How long the first rotation may take: a function in a VPC starts slowly, and Secrets Manager tries again."""
_POLL_SECONDS = 10.0
GATEWAY_SERVICE = "gateway"


def hooks_of(
    world: World, web: Web, clock: Callable[[], float] = time.monotonic, *, keep_data: bool = True
) -> dict[str, Hooks]:
    """Return the hooks of the stacks that have some, by template.

    `web` reaches the gateway at its public address. Without `keep_data` nothing is saved of what a stack gives up.
    """
    chat = _OpenWebui(world, web)
    database, load_balancer, gateway = _Database(world, clock, keep_data), _LoadBalancer(world), _Gateway(world, clock)
    return {
        "alb": Hooks(release=load_balancer.release),
        "database": Hooks(
            prepare=database.prepare, complete=database.complete, health=database.health, release=database.release
        ),
        "webui": Hooks(obstacle=chat.obstacle, prepare=chat.prepare),
        "security": Hooks(complete=_Security(world, clock).complete),
        "gateway": Hooks(prepare=gateway.prepare, complete=gateway.complete, health=gateway.health),
    }


class _Security:
    """CloudFormation generates the master key without the prefix that clients know keys by."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self._world = world
        self._service = Service(world.account, world.prefix, GATEWAY_SERVICE, clock)

    def complete(self, progress: Progress) -> None:
        entry, vault = find("master-key"), self._world.vault
        with secret_explained(vault.name(entry)):
            key = MasterKey.from_value(vault.value(entry) or {})
        if not key.current.startswith(KEY_PREFIX) and self._service.state() is None:
            progress("giving the master key its prefix, before anybody uses it")
            vault.put(entry, MasterKey(KEY_PREFIX + key.current).to_value())


class _Database:
    """The stack needs the rotation package; whoever logs in needs the first rotation to have ended."""

    def __init__(self, world: World, clock: Callable[[], float], keep_data: bool) -> None:
        self._world = world
        self._clock = clock
        self._keep_data = keep_data

    def prepare(self, progress: Progress) -> None:
        self._world.package.upload(self._world.bucket, progress)

    def complete(self, progress: Progress) -> None:
        """Wait for the gateway's login, and have it made when nobody is about to."""
        entry, vault, until = find("database"), self._world.vault, self._clock() + LOGIN_SECONDS
        while not self._has_login():
            found = vault.existing(entry)
            if found.pending is None and found.rotated and self._clock() > until - LOGIN_SECONDS + _POLL_SECONDS:
                progress("making the gateway's database users")
                rotating = prepare_rotation(vault, entry, datetime.now(UTC))
                left = max(0.0, until - self._clock())
                rotate(vault, rotating, timeout=left, clock=self._clock, sleep=self._world.account.call.wait)
                continue
            if self._clock() > until:
                raise DeployError(
                    f"{vault.name(entry)} has no DATABASE_URL after {LOGIN_SECONDS:.0f} s: its first rotation, which"
                    " makes the gateway's users, does not end. `headgate deploy logs database` shows why."
                )
            progress("waiting for the first rotation, which makes the gateway's database users")
            self._world.account.call.wait(_POLL_SECONDS)

    def health(self) -> State | None:
        if self._has_login():
            return None
        return State(Health.UNHEALTHY, "the gateway's database users are not made yet")

    def release(self, progress: Progress) -> None:
        release_database(self._world.account, self._world.environment, progress, keep_data=self._keep_data)
        client = self._world.account.client("rds")
        identifier = f"{self._world.environment.name}-{self._world.environment.project}-db"
        call = self._world.account.call
        try:
            [found] = call(client.describe_db_instances, DBInstanceIdentifier=identifier)["DBInstances"]
        except client.exceptions.DBInstanceNotFoundFault:
            return
        if found.get("DeletionProtection"):
            progress(f"{identifier} may be deleted now")
            call(client.modify_db_instance, DBInstanceIdentifier=identifier, DeletionProtection=False)

    def _has_login(self) -> bool:
        return bool((self._world.vault.value(find("database")) or {}).get("DATABASE_URL"))


class _LoadBalancer:
    """It refuses to be deleted where the environment is protected."""

    def __init__(self, world: World) -> None:
        self._world = world

    def release(self, progress: Progress) -> None:
        arn = self._world.runner().outputs(self._world.stack("alb")).get("LoadBalancerArn")
        if arn is None:
            return
        client = self._world.account.client("elbv2")
        progress("the load balancer may be deleted now")
        attribute = {"Key": "deletion_protection.enabled", "Value": "false"}
        self._world.account.call(client.modify_load_balancer_attributes, LoadBalancerArn=arn, Attributes=[attribute])


class _Gateway:
    """The stack needs the configuration's object; its service starts with one task."""

    def __init__(self, world: World, clock: Callable[[], float]) -> None:
        self._world = world
        self._service = Service(world.account, world.prefix, GATEWAY_SERVICE, clock)

    def prepare(self, progress: Progress) -> None:
        self._check_keys()
        configuration = self._world.configuration
        if configuration is not None and self._world.bucket.put_once(configuration.key, configuration.content):
            progress(f"uploaded {configuration.key}")

    def complete(self, progress: Progress) -> None:
        state, environment = self._service.state(), self._world.environment
        if state is not None and state.desired < environment.min_tasks:
            progress(f"{environment.tasks} tasks")
            self._service.scale(environment.tasks)
        self._service.wait_until_steady(progress)

    def health(self) -> State | None:
        state = self._service.state()
        if state is None:
            return State(Health.UNHEALTHY, f"the service {GATEWAY_SERVICE} is gone")
        well = state.steady and state.desired >= self._world.environment.min_tasks
        return State(Health.HEALTHY if well else Health.UNHEALTHY, str(state))

    def _check_keys(self) -> None:
        """Insist on the keys that the configuration reads: without one a task fails every request for its models."""
        configuration, entry = self._world.configuration, find("api-keys")
        if configuration is None:
            return
        wanted = configuration.variables & frozenset(entry.names) - {"AWS_BEDROCK_REGION"}
        held = self._world.vault.value(entry) or {}
        if missing := sorted(name for name in wanted if not held.get(name)):
            example = json.dumps(dict.fromkeys(missing, "..."))
            raise DeployError(
                f"The gateway's configuration reads {', '.join(missing)}, which the secret"
                f" {self._world.vault.name(entry)} does not hold. Set it from standard input, as {example}:"
                f" headgate secrets set api-keys --env {self._world.environment.name}"
            )


class _OpenWebui:
    """Its task needs a virtual key, which the gateway makes."""

    def __init__(self, world: World, web: Web) -> None:
        self._world = world
        self._web = web

    def obstacle(self) -> str | None:
        environment = self._world.environment
        if environment.runs_litellm or has_key(self._world.vault, find("open-webui-key")):
            return None
        return (
            "it needs a virtual key, and Headgate's image does not make any yet: have one made elsewhere, and set it"
            f" with `headgate secrets set open-webui-key {MEMBER} --env {environment.name}`"
        )

    def prepare(self, progress: Progress) -> None:
        url = self._world.runner().outputs(self._world.stack("alb"))["Url"]
        give_key(
            self._world.vault, find("open-webui-key"), url, f"{self._world.prefix}-open-webui", self._web, progress
        )
