"""The catalogue of secrets against the tables that it comes from."""

import re

import pytest

from headgate.deploy.engine import SAFETY_RULES, Operation, Risk, Safety, safety_of
from headgate.deploy.secrets import CATALOGUE, SecretsUsageError, Turnover, catalogue_for, find

BY_NAME = {entry.name: entry for entry in CATALOGUE}


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("master-key", {"LITELLM_MASTER_KEY": 48}),
        ("ui-password", {"UI_USERNAME": "admin", "UI_PASSWORD": 24}),
        ("api-keys", {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "", "AWS_BEDROCK_REGION": ""}),
        (
            "database",
            {
                "username": "headgate_a",
                "password": 32,
                "host": "",
                "port": "5432",
                "dbname": "headgate",
                "DATABASE_URL": "",
            },
        ),
        ("salt-key", {"LITELLM_SALT_KEY": 48}),
        ("redis", {"REDIS_PASSWORD": 64}),
        ("open-webui-key", {"OPENAI_API_KEY": "", "WEBUI_SECRET_KEY": 48}),
        ("open-webui-admin", {"WEBUI_ADMIN_EMAIL": "admin@headgate.internal", "WEBUI_ADMIN_PASSWORD": 24}),
    ],
)
def test_what_each_secret_holds(name: str, members: dict[str, object]) -> None:
    assert {member.name: member.length or member.default for member in BY_NAME[name].members} == members


def test_how_each_secret_gets_another_value() -> None:
    turnover = {entry.name: entry.turnover for entry in CATALOGUE}
    assert turnover == {
        "master-key": Turnover.AUTOMATIC,
        "ui-password": Turnover.MANUAL,
        "api-keys": Turnover.MANUAL,
        "database": Turnover.AUTOMATIC,
        "salt-key": Turnover.NEVER,
        "redis": Turnover.MANUAL,
        "open-webui-key": Turnover.MANUAL,
        "open-webui-admin": Turnover.MANUAL,
    }


@pytest.mark.parametrize(
    ("name", "safety"),
    [
        ("master-key", Safety.DOUBLE_CONFIRM),
        ("database", Safety.DOUBLE_CONFIRM),
        ("redis", Safety.CONFIRM),
        ("salt-key", Safety.BLOCKED),
        ("ui-password", Safety.CONFIRM),
        ("api-keys", Safety.CONFIRM),
        ("open-webui-key", Safety.CONFIRM),
    ],
)
def test_what_replacing_a_secret_takes(name: str, safety: Safety) -> None:
    assert safety_of(Risk(BY_NAME[name].resource, Operation.REGENERATE)).safety is safety


def test_an_environment_has_the_secrets_of_what_runs_in_it() -> None:
    everywhere = ["master-key", "ui-password", "api-keys", "database", "salt-key"]
    webui = ["open-webui-key", "open-webui-admin"]

    def names(*, redis: bool, open_webui: bool) -> list[str]:
        return [entry.name for entry in catalogue_for(redis=redis, open_webui=open_webui)]

    assert names(redis=False, open_webui=False) == everywhere
    assert names(redis=True, open_webui=False) == [*everywhere, "redis"]
    assert names(redis=False, open_webui=True) == [*everywhere, *webui]
    assert names(redis=True, open_webui=True) == list(BY_NAME)


def test_the_safety_rules_speak_of_secrets_that_there_are() -> None:
    ruled = {rule.resource for rule in SAFETY_RULES if rule.operation is Operation.REGENERATE}
    assert ruled <= {entry.resource for entry in CATALOGUE}


def test_no_name_looks_like_an_address_of_secrets_manager() -> None:
    # CreateSecret's documentation: a hyphen and six characters at the end make a partial ARN ambiguous.
    assert [entry.name for entry in CATALOGUE if re.search(r"-\w{6}$", entry.name)] == []


def test_a_secret_is_found_by_its_name_and_by_that_of_the_safety_rules() -> None:
    assert find("database") is find("database-url") is BY_NAME["database"]
    assert find("redis-password") is BY_NAME["redis"]
    with pytest.raises(SecretsUsageError, match="no secret called 'master'; there are master-key, ui-password"):
        find("master")
