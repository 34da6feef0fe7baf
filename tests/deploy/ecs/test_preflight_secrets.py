"""Secrets that a run reads and does not create."""

import json
from pathlib import Path
from typing import Any

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._secrets import provider_keys, secrets, secrets_apply
from headgate.deploy.engine import DeployError, Verdict
from headgate.deploy.rotation import RotationError
from headgate.deploy.settings import Environment
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.preflights import EVERYTHING, subject
from tests.doubles.moto_offers import answering

DEV = environment("dev")
LATER = frozenset({"gateway"})
CANARY = "sk-canary-4711"
WHOLE = {
    "master-key": {"LITELLM_MASTER_KEY": CANARY},
    "salt-key": {"LITELLM_SALT_KEY": CANARY},
    "ui-password": {"UI_USERNAME": "admin", "UI_PASSWORD": CANARY},
    "database": {
        "username": "headgate_a",
        "password": CANARY,
        "host": "db",
        "port": "5432",
        "dbname": "headgate",
        "DATABASE_URL": f"postgresql://headgate_a:{CANARY}@db/headgate",
    },
}


def hold(account: Account, values: dict[str, Any], folder: str = "headgate/dev") -> None:
    client = account.client("secretsmanager")
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        client.create_secret(Name=f"{folder}/{name}", SecretString=text)


def configured(tmp_path: Path, *variables: str, more: str = "") -> Environment:
    """Return an environment whose configuration reads variables."""
    entries = "".join(
        f"  - model_name: m{number}\n    litellm_params: {{model: openai/m, api_key: os.environ/{name}}}\n"
        for number, name in enumerate(variables)
    )
    path = tmp_path / "config.yaml"
    path.write_text(f"model_list:\n{entries or '  []'}\n{more}")
    return environment("dev", configuration=path)


def test_secrets_that_hold_what_tasks_need_pass(account: Account) -> None:
    hold(account, WHOLE)
    verdict, message = secrets(subject(DEV, account, LATER))
    assert verdict is Verdict.PASSED
    assert message.startswith("headgate/dev/master-key, headgate/dev/salt-key")
    assert CANARY not in message


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"salt-key": None}, "headgate/dev/salt-key is missing or empty: `headgate deploy up security` makes it."),
        ({"ui-password": {"UI_USERNAME": "admin", "UI_PASSWORD": ""}}, "headgate/dev/ui-password lacks UI_PASSWORD"),
        ({"database": {"host": "db"}}, "headgate/dev/database lacks username, password, dbname"),
    ],
)
def test_a_secret_without_its_value_fails(account: Account, change: dict[str, Any], sentence: str) -> None:
    hold(account, {name: value for name, value in (WHOLE | change).items() if value is not None})
    verdict, message = secrets(subject(DEV, account, LATER))
    assert verdict is Verdict.FAILED
    assert sentence in message
    assert CANARY not in message


def test_all_that_is_missing_is_told_at_once(account: Account) -> None:
    message = secrets(subject(DEV, account, LATER))[1]
    assert [f"headgate/dev/{name} is missing" in message for name in WHOLE] == [True] * len(WHOLE)


def test_a_secret_that_is_no_json_object_fails_without_showing_it(account: Account) -> None:
    hold(account, WHOLE | {"salt-key": CANARY})
    with pytest.raises(RotationError, match="headgate/dev/salt-key is no JSON object") as raised:
        secrets(subject(DEV, account, LATER))
    assert CANARY not in str(raised.value)


def test_a_secret_that_is_being_deleted_fails(account: Account) -> None:
    hold(account, WHOLE)
    account.client("secretsmanager").delete_secret(SecretId="headgate/dev/salt-key", RecoveryWindowInDays=7)
    verdict, message = secrets(subject(DEV, account, LATER))
    assert verdict is Verdict.FAILED
    assert "restore-secret --secret-id headgate/dev/salt-key" in message


def test_a_database_that_waits_for_its_first_rotation_only_warns(account: Account) -> None:
    hold(account, WHOLE | {"database": {**WHOLE["database"], "DATABASE_URL": ""}})
    verdict, message = secrets(subject(DEV, account, LATER))
    assert verdict is Verdict.WARNING
    assert "headgate/dev/database has no DATABASE_URL yet: `headgate deploy up database` completes it." in message
    assert secrets(subject(DEV, account, frozenset({"database"})))[0] is Verdict.PASSED


def test_the_password_of_redis_comes_with_redis(account: Account) -> None:
    with_redis = environment("dev", redis=True)
    hold(account, WHOLE)
    assert secrets(subject(with_redis, account, frozenset({"redis"})))[0] is Verdict.PASSED
    verdict, message = secrets(subject(with_redis, account, LATER))
    assert verdict is Verdict.FAILED
    assert message == "headgate/dev/redis is missing or empty: `headgate deploy up redis` makes it."


def test_secrets_that_may_not_be_read_are_unknown_with_the_action(account: Account) -> None:
    answering(account, "secretsmanager", "GetSecretValue", "AccessDeniedException")
    verdict, message = secrets(subject(DEV, account, LATER))
    assert verdict is Verdict.UNKNOWN
    assert "secretsmanager:GetSecretValue" in message


@pytest.mark.parametrize(
    ("made_here", "acts_on", "applies"),
    [
        (EVERYTHING, None, False),
        (LATER, None, True),
        (frozenset({"alb"}), frozenset({"alb"}), False),
        (frozenset[str](), frozenset({"gateway"}), True),
    ],
)
def test_secrets_count_for_a_run_that_reads_them(
    account: Account, made_here: frozenset[str], acts_on: frozenset[str] | None, applies: bool
) -> None:
    assert secrets_apply(subject(DEV, account, made_here, acts_on)) is applies


def test_a_key_that_the_secret_holds_passes(account: Account, tmp_path: Path) -> None:
    hold(account, {"api-keys": {"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": ""}})
    of = configured(tmp_path, "OPENAI_API_KEY", "LITELLM_MASTER_KEY", "AWS_BEDROCK_REGION")
    assert provider_keys(subject(of, account, LATER)) == (
        Verdict.PASSED,
        "headgate/dev/api-keys holds OPENAI_API_KEY",
    )


@pytest.mark.parametrize("held", [None, {"ANTHROPIC_API_KEY": CANARY}, {"OPENAI_API_KEY": ""}])
def test_a_key_that_the_secret_does_not_hold_fails(account: Account, tmp_path: Path, held: Any) -> None:
    hold(account, {} if held is None else {"api-keys": held})
    verdict, message = provider_keys(subject(configured(tmp_path, "OPENAI_API_KEY"), account, LATER))
    assert verdict is Verdict.FAILED
    assert message == (
        "headgate/dev/api-keys does not hold OPENAI_API_KEY, which the configuration reads: `headgate secrets set"
        " api-keys --env dev`."
    )


def test_keys_of_a_secret_that_the_run_creates_are_asked_for(account: Account, tmp_path: Path) -> None:
    verdict, message = provider_keys(subject(configured(tmp_path, "OPENAI_API_KEY"), account))
    assert verdict is Verdict.WARNING
    assert "`up security` first, then `headgate secrets set api-keys --env dev`, then the rest." in message


def test_a_variable_that_nothing_gives_to_tasks_fails(account: Account, tmp_path: Path) -> None:
    verdict, message = provider_keys(subject(configured(tmp_path, "AZURE_API_KEY"), account))
    assert verdict is Verdict.FAILED
    assert message.startswith("nothing gives tasks AZURE_API_KEY,")
    assert "tasks get ANTHROPIC_API_KEY, OPENAI_API_KEY" in message


def test_what_redis_gives_is_there_with_redis_only(account: Account, tmp_path: Path) -> None:
    of = configured(tmp_path, "REDIS_PASSWORD")
    assert provider_keys(subject(of, account))[0] is Verdict.FAILED
    assert provider_keys(subject(of.model_copy(update={"redis": True}), account))[0] is Verdict.PASSED


def test_a_variable_that_the_configuration_sets_itself_is_given(account: Account, tmp_path: Path) -> None:
    of = configured(tmp_path, "WEIGHT", more="environment_variables: {WEIGHT: '1'}\n")
    assert provider_keys(subject(of, account)) == (Verdict.PASSED, "the configuration reads no provider's key")


def test_keys_that_may_not_be_read_are_unknown(account: Account, tmp_path: Path) -> None:
    answering(account, "secretsmanager", "GetSecretValue", "AccessDeniedException")
    with pytest.raises(DeployError, match="secretsmanager:GetSecretValue"):
        provider_keys(subject(configured(tmp_path, "OPENAI_API_KEY"), account, LATER))
