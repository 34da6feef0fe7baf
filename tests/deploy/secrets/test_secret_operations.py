"""Creating, setting, rotating and judging secrets, against Secrets Manager by moto."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from headgate.deploy.rotation import MasterKey, master_key_handler
from headgate.deploy.secrets import (
    CATALOGUE,
    Creation,
    SecretsError,
    SecretsUsageError,
    Vault,
    create_missing,
    find,
    make,
    prepare_revoke,
    prepare_rotation,
    prepare_set,
    read_input,
    rotate,
    status,
)
from headgate.deploy.secrets._vault import Description
from tests.doubles.secrets_manager import REGION, Cloud

PREFIX = "headgate/dev"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOST = {"database": {"host": "db.example"}}
KEYS = {
    "api-keys": {"OPENAI_API_KEY": "sk-canary-openai"},
    "open-webui-key": {"OPENAI_API_KEY": "sk-canary-open-webui"},
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud(master_key_handler) as cloud:
        yield cloud


@pytest.fixture
def vault(cloud: Cloud) -> Vault:
    return Vault(cloud.client, PREFIX)


def values(cloud: Cloud) -> dict[str, object]:
    """Return what each secret of the catalogue holds that there is."""
    vault = Vault(cloud.client, PREFIX)
    return {entry.name: vault.value(entry) for entry in CATALOGUE}


# -- creating ------------------------------------------------------------------------------------------------------


def test_everything_that_can_be_made_is_made(cloud: Cloud, vault: Vault) -> None:
    made = create_missing(vault, HOST | KEYS)
    assert set(made.values()) == {Creation.CREATED}
    key = cloud.value(f"{PREFIX}/master-key")
    assert len(key["current"]) == 48
    assert key["current"] == key["LITELLM_MASTER_KEY"]
    ui = cloud.value(f"{PREFIX}/ui-password")
    assert (ui["UI_USERNAME"], len(ui["UI_PASSWORD"])) == ("admin", 24)
    assert cloud.value(f"{PREFIX}/api-keys") == {"OPENAI_API_KEY": "sk-canary-openai"}
    database = cloud.value(f"{PREFIX}/database")
    assert database["DATABASE_URL"] == (
        f"postgresql://headgate_a:{database['password']}@db.example:5432/headgate?sslmode=require"
    )
    assert len(cloud.value(f"{PREFIX}/redis")["REDIS_PASSWORD"]) == 64
    assert len(cloud.value(f"{PREFIX}/salt-key")["LITELLM_SALT_KEY"]) == 48


def test_what_has_to_be_given_waits_for_it(cloud: Cloud, vault: Vault) -> None:
    made = create_missing(vault)
    assert made["api-keys"] is made["database"] is Creation.WITHOUT_VALUE
    assert values(cloud)["api-keys"] is values(cloud)["database"] is None
    again = create_missing(vault, HOST | KEYS)
    assert again["api-keys"] is again["database"] is Creation.FILLED
    assert cloud.value(f"{PREFIX}/database")["host"] == "db.example"


def test_creating_again_changes_nothing(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault, HOST | KEYS)
    before = values(cloud)
    others = {"database": {"host": "other.example"}, "api-keys": {"OPENAI_API_KEY": "sk-other"}}
    assert set(create_missing(vault, others).values()) == {Creation.KEPT}
    assert values(cloud) == before


def test_a_value_of_a_template_is_completed_and_kept(cloud: Cloud, vault: Vault) -> None:
    generated = {"engine": "postgres", "username": "gw_a", "dbname": "gw", "password": "canary"}
    cloud.create(f"{PREFIX}/database", generated)
    cloud.create(f"{PREFIX}/api-keys", {"OPENAI_API_KEY": "first"})
    cloud.create(f"{PREFIX}/ui-password", {"UI_USERNAME": "root"})
    given = HOST | {"api-keys": {"OPENAI_API_KEY": "second", "ANTHROPIC_API_KEY": "third"}}
    made = create_missing(vault, given)
    assert made["database"] is made["api-keys"] is made["ui-password"] is Creation.COMPLETED
    assert cloud.value(f"{PREFIX}/database") == generated | {
        "host": "db.example",
        "port": 5432,
        "DATABASE_URL": "postgresql://gw_a:canary@db.example:5432/gw?sslmode=require",
    }
    assert cloud.value(f"{PREFIX}/api-keys") == {"OPENAI_API_KEY": "first", "ANTHROPIC_API_KEY": "third"}
    assert cloud.value(f"{PREFIX}/ui-password")["UI_USERNAME"] == "root"


def test_a_database_that_does_not_exist_yet_leaves_its_secret_as_it_is(cloud: Cloud, vault: Vault) -> None:
    cloud.create(f"{PREFIX}/database", {"username": "gw_a", "dbname": "gw", "password": "canary"})
    assert create_missing(vault)["database"] is Creation.KEPT


def test_key_and_tags_go_to_what_is_created(cloud: Cloud, vault: Vault) -> None:
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
    create_missing(vault, entries=[find("salt-key")], key=key, tags={"project": "headgate"})
    described = cloud.client.describe_secret(SecretId=f"{PREFIX}/salt-key")
    assert described["KmsKeyId"] == key
    assert described["Tags"] == [{"Key": "project", "Value": "headgate"}]


def test_one_that_someone_else_creates_meanwhile_is_kept(
    cloud: Cloud, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = find("salt-key")
    cloud.create(f"{PREFIX}/salt-key", {"LITELLM_SALT_KEY": "theirs"})
    real, answers = vault.describe, iter([None])

    def late(asked: object) -> Description | None:
        return next(answers, real(entry))

    monkeypatch.setattr(vault, "describe", late)
    assert create_missing(vault, entries=[entry]) == {"salt-key": Creation.KEPT}
    assert cloud.value(f"{PREFIX}/salt-key") == {"LITELLM_SALT_KEY": "theirs"}


def test_one_that_is_being_deleted_is_not_touched(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault)
    cloud.client.delete_secret(SecretId=f"{PREFIX}/salt-key", RecoveryWindowInDays=7)
    with pytest.raises(SecretsError, match=f"restore-secret --secret-id {PREFIX}/salt-key"):
        create_missing(vault)


# -- setting -------------------------------------------------------------------------------------------------------


def put(vault: Vault, name: str, text: str, member: str | None = None) -> list[str]:
    """Set a secret; return the confirmations that it takes."""
    entry = find(name)
    change = prepare_set(vault, entry, read_input(entry, text, member), NOW)
    make(vault, change)
    return [option for one in change.confirmations for option in one.options]


def test_one_provider_s_key_leaves_the_others(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault)
    assert put(vault, "api-keys", "sk-one\n", "OPENAI_API_KEY") == []
    assert put(vault, "api-keys", '{"ANTHROPIC_API_KEY": "two", "AWS_BEDROCK_REGION": "us-east-1"}') == []
    assert put(vault, "api-keys", "sk-three", "OPENAI_API_KEY") == ["--confirm=api-keys"]
    expected = {"OPENAI_API_KEY": "sk-three", "ANTHROPIC_API_KEY": "two", "AWS_BEDROCK_REGION": "us-east-1"}
    assert cloud.value(f"{PREFIX}/api-keys") == expected


def test_a_master_key_that_is_set_leaves_the_one_before_its_window(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault)
    before = cloud.value(f"{PREFIX}/master-key")["current"]
    assert put(vault, "master-key", "sk-chosen") == ["--confirm=master-key"] * 2
    assert cloud.value(f"{PREFIX}/master-key") == {
        "LITELLM_MASTER_KEY": "sk-chosen",
        "current": "sk-chosen",
        "previous": before,
        "previous_not_after": "2026-06-08T00:00:00+00:00",
    }


def test_a_database_is_set_by_url_or_by_member(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault)
    url = "postgresql://gw_a:p%40ss@db.example:5433/gw?sslmode=verify-full"
    assert put(vault, "database", url) == []
    assert cloud.value(f"{PREFIX}/database")["password"] == "p@ss"
    assert put(vault, "database-url", "n/w", "password") == ["--confirm=database-url"] * 2
    assert cloud.value(f"{PREFIX}/database")["DATABASE_URL"] == url.replace("p%40ss", "n%2Fw")


def test_a_salt_key_is_set_once_and_never_again(cloud: Cloud, vault: Vault) -> None:
    cloud.client.create_secret(Name=f"{PREFIX}/salt-key")
    assert put(vault, "salt-key", "first") == []
    with pytest.raises(SecretsError, match="salt-key is never replaced: everything that is encrypted with it would be"):
        put(vault, "salt-key", "second")
    assert put(vault, "salt-key", "first") == []
    assert cloud.value(f"{PREFIX}/salt-key") == {"LITELLM_SALT_KEY": "first"}


def test_setting_what_is_there_already_makes_no_version(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault, HOST | KEYS)
    names = [f"{PREFIX}/{name}" for name in values(cloud)]
    stages = [cloud.stages(name) for name in names]
    for name, member in (("master-key", "LITELLM_MASTER_KEY"), ("redis", "REDIS_PASSWORD"), ("database", "host")):
        assert put(vault, name, cloud.value(f"{PREFIX}/{name}")[member], member) == []
    assert [cloud.stages(name) for name in names] == stages


@pytest.mark.parametrize(
    ("name", "text", "member", "problem"),
    [
        ("redis", "", None, "is empty"),
        ("redis", "\n", None, "is empty"),
        ("api-keys", "sk-canary", None, "has several members: name one"),
        ("api-keys", "", None, "is empty"),
        ("api-keys", '{"OPENAI_API_KEY": 5}', None, "is empty: OPENAI_API_KEY takes text"),
        ("api-keys", '{"OPENAI_API_KEY": "sk-canary"', None, "begins as a JSON object but is none"),
        ("api-keys", '{"OPENAI_KEY": "sk-canary"}', None, "has no member 'OPENAI_KEY'; it has OPENAI_API_KEY"),
        ("api-keys", "sk-canary", "OPENAI", "has no member 'OPENAI'"),
        ("redis", " canary", None, "spaces around it"),
        ("redis", "can\nary", None, "line breaks"),
        ("redis", "canary" * 4000, None, "longer than"),
        ("master-key", "canary", None, "begins with sk-"),
        ("database", "mysql://canary", None, "percent-encoded"),
        ("database", '{"DATABASE_URL": "postgresql://u:canary@h/d", "host": "h"}', None, "give it alone"),
        ("database", "canary", "password", "holds nothing yet and takes more at first: host, DATABASE_URL"),
    ],
)
def test_what_does_not_fit_is_refused_without_being_shown(
    cloud: Cloud, vault: Vault, name: str, text: str, member: str | None, problem: str
) -> None:
    create_missing(vault)
    before = values(cloud)
    with pytest.raises(SecretsUsageError, match=problem) as refused:
        put(vault, name, text, member)
    assert "canary" not in str(refused.value)
    assert values(cloud) == before


def test_a_change_does_not_show_what_it_changes(vault: Vault) -> None:
    create_missing(vault)
    entry = find("redis")
    assert "canary" not in repr(prepare_set(vault, entry, {"REDIS_PASSWORD": "canary"}, NOW))


def test_a_secret_that_does_not_exist_is_not_set(vault: Vault) -> None:
    with pytest.raises(SecretsError, match="headgate/dev/redis does not exist: create the secrets first"):
        put(vault, "redis", "x")


# -- rotating ------------------------------------------------------------------------------------------------------


@pytest.fixture
def rotated(cloud: Cloud, vault: Vault) -> Cloud:
    """A master key that was rotated once, 30 days apart, with nothing left to be confirmed."""
    create_missing(vault)
    cloud.rotate(f"{PREFIX}/master-key")
    return cloud


def wait_never(seconds: float) -> None:
    raise AssertionError("it was done already")


def test_a_rotation_waits_for_the_window_unless_it_is_an_emergency(rotated: Cloud, vault: Vault) -> None:
    entry, now = find("master-key"), datetime.now(UTC)
    with pytest.raises(SecretsError, match="would end early"):
        prepare_rotation(vault, entry, now)
    emergency = prepare_rotation(vault, entry, now, emergency=True)
    assert [one.options for one in emergency.confirmations] == [("--confirm=master-key",) * 2]
    leaked = rotated.value(f"{PREFIX}/master-key")["current"]
    rotate(vault, emergency, timeout=0, clock=lambda: 0.0, sleep=wait_never)
    value = rotated.value(f"{PREFIX}/master-key")
    assert value["current"] != leaked
    assert value["previous"] is None
    assert rotated.client.describe_secret(SecretId=f"{PREFIX}/master-key").get("Tags", []) == []


def test_after_the_window_a_rotation_needs_no_emergency(rotated: Cloud, vault: Vault) -> None:
    held = MasterKey.from_value(rotated.value(f"{PREFIX}/master-key"))
    over = MasterKey(held.current, held.previous, datetime.now(UTC) - timedelta(seconds=1))
    rotated.client.put_secret_value(SecretId=f"{PREFIX}/master-key", SecretString=json.dumps(dict(over.to_value())))
    rotating = prepare_rotation(vault, find("master-key"), datetime.now(UTC))
    found = rotate(vault, rotating, timeout=0, clock=lambda: 0.0, sleep=wait_never)
    assert rotated.value(f"{PREFIX}/master-key")["previous"] == held.current
    assert found.pending is None


@pytest.mark.parametrize("name", ["ui-password", "api-keys", "redis", "salt-key"])
def test_what_is_not_rotated_says_what_to_do(vault: Vault, name: str) -> None:
    instead = "It is never replaced" if name == "salt-key" else "Use `headgate secrets set`"
    with pytest.raises(SecretsUsageError, match=f"{name} is not rotated. {instead}"):
        prepare_rotation(vault, find(name), NOW)


def test_an_emergency_is_for_the_master_key(vault: Vault) -> None:
    with pytest.raises(SecretsUsageError, match="which only master-key has, not database"):
        prepare_rotation(vault, find("database"), NOW, emergency=True)


def test_a_secret_without_a_function_is_not_rotated(vault: Vault) -> None:
    create_missing(vault, HOST)
    with pytest.raises(SecretsError, match="has no rotation: deploy the database stack"):
        prepare_rotation(vault, find("database"), NOW)


def test_a_rotation_that_has_not_ended_stops_everything_but_giving_it_up(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault)
    name, entry = f"{PREFIX}/master-key", find("master-key")
    first = cloud.value(name)["current"]
    begin_and_stall(cloud, name)
    now = datetime.now(UTC)
    for attempt in (
        lambda: prepare_rotation(vault, entry, now),
        lambda: prepare_revoke(vault, entry, now),
        lambda: prepare_set(vault, entry, {"LITELLM_MASTER_KEY": "sk-x"}, now),
    ):
        with pytest.raises(SecretsError, match="has not ended: wait"):
            attempt()
    rotating = prepare_rotation(vault, entry, now, abandon=True)
    rotate(vault, rotating, timeout=0, clock=lambda: 0.0, sleep=wait_never)
    assert cloud.value(name)["previous"] == first
    assert not any("AWSPENDING" in labels for labels in cloud.stages(name).values())


def begin_and_stall(cloud: Cloud, name: str) -> None:
    """Leave a rotation whose function fails in its first step."""

    def fail(*_: object) -> None:
        raise ConnectionError("the function was not reached")

    handler, cloud.handler = cloud.handler, fail
    with pytest.raises(ConnectionError):
        cloud.rotate(name)
    cloud.handler = handler


def test_a_rotation_that_takes_too_long_names_its_log(cloud: Cloud) -> None:
    name = f"{PREFIX}/master-key"
    described = {
        "ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x",
        "RotationEnabled": True,
        "RotationLambdaARN": cloud.function,
        "RotationRules": {"AutomaticallyAfterDays": 30},
        "VersionIdsToStages": {"1" * 36: ["AWSCURRENT"]},
    }
    client = boto3.client("secretsmanager", region_name=REGION)
    vault, times, waits = Vault(client, PREFIX), iter([0.0, 1.0, 9.0, 10.0]), list[float]()
    with Stubber(client) as secrets_manager:
        secrets_manager.add_response("describe_secret", described, {"SecretId": name})
        secrets_manager.add_response("get_secret_value", {"SecretString": '{"current": "sk-x"}'})
        secrets_manager.add_response("rotate_secret", {})
        for _ in range(3):
            secrets_manager.add_response("describe_secret", described)
        rotating = prepare_rotation(vault, find("master-key"), NOW)
        with pytest.raises(SecretsError, match=r"has not ended yet.* /aws/lambda/rotation"):
            rotate(vault, rotating, timeout=10, clock=lambda: next(times), sleep=waits.append)
        secrets_manager.assert_no_pending_responses()
    assert waits == [2.0, 2.0]


# -- revoking ------------------------------------------------------------------------------------------------------


def test_revoking_ends_the_previous_key_and_keeps_the_current_one(rotated: Cloud, vault: Vault) -> None:
    current = rotated.value(f"{PREFIX}/master-key")["current"]
    change = prepare_revoke(vault, find("master-key"), datetime.now(UTC))
    assert [one.options for one in change.confirmations] == [("--confirm=master-key",)]
    assert make(vault, change)
    value = rotated.value(f"{PREFIX}/master-key")
    assert (value["current"], value["previous"], value["previous_not_after"]) == (current, None, None)
    assert not make(vault, prepare_revoke(vault, find("master-key"), datetime.now(UTC)))


def test_a_previous_key_that_ended_by_itself_is_taken_away_without_a_question(rotated: Cloud, vault: Vault) -> None:
    change = prepare_revoke(vault, find("master-key"), datetime.now(UTC) + timedelta(days=8))
    assert change.confirmations == ()
    assert make(vault, change)


# -- status --------------------------------------------------------------------------------------------------------


def problems(vault: Vault, name: str, now: datetime | None = None) -> tuple[str, ...]:
    [found] = status(vault, now or datetime.now(UTC), [find(name)])
    return found.problems


def test_what_is_well_has_no_problems(rotated: Cloud, vault: Vault) -> None:
    create_missing(vault, HOST | KEYS)
    for name in ("master-key", "ui-password", "api-keys", "salt-key", "redis"):
        assert problems(vault, name) == ()
    [key] = status(vault, datetime.now(UTC), [find("master-key")])
    assert key.exists
    assert key.rotated
    assert not key.empty
    assert key.pending_since is None
    assert key.last_rotated is not None
    assert key.next_rotation is not None
    # moto takes the one as the rotation begins and the other as it ends, both in whole seconds.
    assert abs(key.next_rotation - key.last_rotated - timedelta(days=30)) < timedelta(minutes=1)
    until = rotated.value(f"{PREFIX}/master-key")["previous_not_after"]
    assert key.previous_valid_until == datetime.fromisoformat(until)
    [later] = status(vault, key.previous_valid_until, [find("master-key")])
    assert later.previous_valid_until is None


def test_what_is_missing_or_empty(cloud: Cloud, vault: Vault) -> None:
    assert problems(vault, "redis") == ("it does not exist",)
    create_missing(vault)
    assert problems(vault, "api-keys") == ("it holds nothing",)
    assert problems(vault, "database") == ("it holds nothing", "it is not rotated")
    cloud.client.delete_secret(SecretId=f"{PREFIX}/redis", RecoveryWindowInDays=7)
    assert problems(vault, "redis") == ("it is scheduled for deletion",)
    found = status(vault, datetime.now(UTC))
    assert [one.name for one in found if one.empty] == [
        f"{PREFIX}/{name}" for name in ("api-keys", "database", "redis", "open-webui-key")
    ]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ui-password", {"UI_USERNAME": "admin", "UI_PASSWORD": ""}, "it lacks UI_PASSWORD"),
        ("api-keys", {"OPENAI_API_KEY": ""}, "it lacks OPENAI_API_KEY, ANTHROPIC_API_KEY, AWS_BEDROCK_REGION"),
        ("database", {"username": "litellm"}, "alternating users are called NAME_a and NAME_b"),
        ("database", {"username": "gw_a"}, "it lacks password, host, port, dbname, DATABASE_URL"),
        ("master-key", {"LITELLM_MASTER_KEY": "0" * 48}, "the key does not begin with sk-"),
        ("master-key", {"other": "x"}, 'has no "current"'),
    ],
)
def test_what_is_in_a_secret_is_looked_at(
    cloud: Cloud, vault: Vault, name: str, value: dict[str, object], problem: str
) -> None:
    cloud.create(f"{PREFIX}/{name}", value)
    assert problem in " / ".join(problems(vault, name))


def test_a_rotation_that_is_overdue(rotated: Cloud, vault: Vault) -> None:
    now = datetime.now(UTC)
    assert problems(vault, "master-key", now + timedelta(days=31)) == ()
    [late] = problems(vault, "master-key", now + timedelta(days=33))
    assert late.startswith("it was rotated last on ")
    assert late.endswith("although that is due every 30 days")


def test_a_rotation_that_is_stuck(cloud: Cloud, vault: Vault) -> None:
    create_missing(vault)
    begin_and_stall(cloud, f"{PREFIX}/master-key")
    now = datetime.now(UTC)
    [found] = status(vault, now, [find("master-key")])
    assert found.pending_since is not None
    assert abs(found.pending_since - now) < timedelta(minutes=1)
    assert found.problems == ()
    [stuck] = problems(vault, "master-key", now + timedelta(minutes=61))
    assert stuck.startswith("a rotation has not ended since ")


# -- what AWS refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("AccessDeniedException", "headgate/dev/redis: these credentials may not do this. not allowed"),
        ("ExpiredTokenException", "The AWS credentials have expired: sign in again."),
        ("UnrecognizedClientException", "AWS does not know these credentials: sign in again."),
        ("ThrottlingException", "AWS refuses that many calls for now"),
        ("DecryptionFailure", "KMS key can not be used to read it"),
        ("InternalServiceError", "headgate/dev/redis: not allowed"),
    ],
)
def test_a_refusal_of_aws_is_a_sentence(cloud: Cloud, code: str, sentence: str) -> None:
    client = boto3.client("secretsmanager", region_name=REGION)
    with Stubber(client) as secrets_manager:
        secrets_manager.add_client_error("describe_secret", code, "not allowed")
        with pytest.raises(SecretsError, match=sentence):
            status(Vault(client, PREFIX), NOW, [find("redis")])


def test_an_aws_that_is_away_is_a_sentence(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.__exit__()
    try:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        settings = Config(connect_timeout=1, retries={"max_attempts": 0})
        client = boto3.client("secretsmanager", REGION, endpoint_url="http://127.0.0.1:9", config=settings)
        with pytest.raises(SecretsError, match="AWS was not reached: Could not connect"):
            status(Vault(client, PREFIX), NOW, [find("redis")])
    finally:
        cloud.__enter__()
