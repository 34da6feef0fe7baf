"""What stacks need besides CloudFormation, against the parts of AWS that it concerns."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._hooks import hooks_of
from headgate.deploy.ecs._stack_component import Hooks
from headgate.deploy.ecs._world import World
from headgate.deploy.engine import DeployError, Health
from headgate.deploy.verification import Answer
from tests.deploy.ecs.environments import environment


class _NoWeb:
    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        raise AssertionError(url)


def _image() -> str:
    raise DeployError("there is no image")


class Clock:
    """Seconds that pass as somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 5
        return self.now


def _hooks(account: Account, of: Any = None) -> Mapping[str, Hooks]:
    return hooks_of(World(of or environment("dev"), account, _image), _NoWeb(), Clock())


def _secret(account: Account, name: str, value: Mapping[str, str] | None = None) -> None:
    text = {} if value is None else {"SecretString": json.dumps(value)}
    account.client("secretsmanager").create_secret(Name=f"headgate/dev/{name}", **text)


def _held(account: Account, name: str) -> dict[str, str]:
    answer = account.client("secretsmanager").get_secret_value(SecretId=f"headgate/dev/{name}")
    value: dict[str, str] = json.loads(answer["SecretString"])
    return value


def _service(account: Account) -> None:
    client = account.client("ecs")
    client.create_cluster(clusterName="headgate-dev")
    container = {"name": "proxy", "image": "headgate:1", "memory": 512}
    client.register_task_definition(family="proxy", containerDefinitions=[container])
    client.create_service(cluster="headgate-dev", serviceName="gateway", taskDefinition="proxy", desiredCount=0)


def test_the_generated_master_key_gets_its_prefix_before_anybody_uses_it(account: Account) -> None:
    _secret(account, "master-key", {"LITELLM_MASTER_KEY": "generated"})
    told: list[str] = []
    _hooks(account)["security"].complete(told.append)
    assert _held(account, "master-key")["LITELLM_MASTER_KEY"] == "sk-generated"
    assert "generated" not in "".join(told)
    _hooks(account)["security"].complete(told.append)
    assert len(told) == 1


def test_a_master_key_in_use_stays_what_it_is(account: Account) -> None:
    _service(account)
    _secret(account, "master-key", {"LITELLM_MASTER_KEY": "generated"})
    _hooks(account)["security"].complete(lambda sentence: None)
    assert _held(account, "master-key") == {"LITELLM_MASTER_KEY": "generated"}


def test_a_database_without_users_is_not_healthy_and_its_rotation_is_waited_for(account: Account) -> None:
    _secret(account, "database", {"username": "headgate_a"})
    database = _hooks(account)["database"]
    state = database.health()
    assert state is not None
    assert state.health is Health.UNHEALTHY
    with pytest.raises(DeployError, match=r"no DATABASE_URL after 900 s.*headgate deploy logs database"):
        database.complete(lambda sentence: None)
    account.client("secretsmanager").put_secret_value(
        SecretId="headgate/dev/database", SecretString=json.dumps({"DATABASE_URL": "postgresql://a"})
    )
    database.complete(lambda sentence: None)
    assert database.health() is None


def test_a_gateway_whose_service_is_gone_is_not_healthy(account: Account) -> None:
    state = _hooks(account)["gateway"].health()
    assert state is not None
    assert (state.health, state.reason) == (Health.UNHEALTHY, "the service gateway is gone")


def test_a_protected_database_and_load_balancer_are_released_before_they_go(account: Account) -> None:
    rds = account.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="dev-headgate-db",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        DeletionProtection=True,
    )
    told: list[str] = []
    for _ in range(2):
        _hooks(account)["database"].release(told.append)
    [found] = rds.describe_db_instances(DBInstanceIdentifier="dev-headgate-db")["DBInstances"]
    assert not found["DeletionProtection"]
    assert told == ["dev-headgate-db may be deleted now"]
    # Without a stack there is no load balancer to release.
    _hooks(account)["alb"].release(told.append)
    assert len(told) == 1


def test_open_webui_waits_for_a_key_where_the_gateway_makes_none(account: Account) -> None:
    _secret(account, "open-webui-key", {"WEBUI_SECRET_KEY": "x"})
    obstacle = _hooks(account)["webui"].obstacle()
    assert obstacle is not None
    assert "headgate secrets set open-webui-key OPENAI_API_KEY --env dev" in obstacle
    assert _hooks(account, environment("dev", image="litellm"))["webui"].obstacle() is None
    account.client("secretsmanager").put_secret_value(
        SecretId="headgate/dev/open-webui-key", SecretString=json.dumps({"OPENAI_API_KEY": "sk-of-its-own"})
    )
    assert _hooks(account)["webui"].obstacle() is None
