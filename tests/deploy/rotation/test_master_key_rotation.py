"""The master key's function, driven by Secrets Manager's protocol."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from headgate.deploy.rotation import EMERGENCY_TAG, WINDOW, MasterKey, RotationError, _handlers, master_key_handler
from headgate.deploy.rotation._master_key import MasterKeyRotation
from headgate.deploy.rotation._protocol import Rotation, rotation_interval
from headgate.governance import Authenticator
from tests.doubles.secrets_manager import STEPS, Cloud, Life, rotate_through_deaths

NAME = "headgate/dev/master-key"
FIRST = "sk-" + "0" * 45


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud(master_key_handler) as cloud:
        cloud.create(NAME, {"current": FIRST})
        yield cloud


def test_a_rotation_makes_another_key_and_keeps_the_one_before_for_a_week(cloud: Cloud) -> None:
    before = datetime.now(UTC)
    token = cloud.rotate(NAME)
    value = cloud.value(NAME)
    assert value["current"] == value["LITELLM_MASTER_KEY"] != FIRST
    assert value["previous"] == FIRST
    until = datetime.fromisoformat(value["previous_not_after"])
    assert before - timedelta(seconds=1) <= until - timedelta(days=7) <= datetime.now(UTC)
    assert cloud.stages(NAME)[token] == ["AWSCURRENT"]


def test_the_key_is_one_that_litellm_takes_of_the_documented_length(cloud: Cloud) -> None:
    cloud.rotate(NAME)
    key = cloud.value(NAME)["current"]
    assert key.startswith("sk-")
    assert len(key) == 48
    assert key[3:].isalnum()


def test_a_function_that_dies_at_any_moment_and_comes_again_makes_one_key(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []

    def live(life: Life) -> None:
        monkeypatch.setattr(_handlers, "aws_client", lambda service: life.wrap(cloud.client))

    cloud.client.meta.events.register("before-call.secretsmanager.PutSecretValue", lambda **_: put.append("put"))
    assert rotate_through_deaths(cloud, NAME, live) >= len(STEPS)
    assert put == ["put"]
    assert cloud.value(NAME)["previous"] == FIRST
    assert sorted(chain.from_iterable(cloud.stages(NAME).values())) == ["AWSCURRENT", "AWSPREVIOUS"]


def test_a_schedule_that_is_not_longer_than_the_window_is_refused(cloud: Cloud) -> None:
    with pytest.raises(RotationError, match="every 7 days but the previous one is valid for 7 days"):
        cloud.rotate(NAME, days=7)
    assert cloud.value(NAME) == {"current": FIRST}


def test_a_rotation_that_would_end_the_previous_key_early_is_refused(cloud: Cloud) -> None:
    cloud.rotate(NAME)
    held = cloud.value(NAME)
    with pytest.raises(RotationError, match=r"valid until .* and would end early"):
        cloud.rotate(NAME)
    assert cloud.value(NAME) == held


def test_in_an_emergency_the_key_before_ends_at_once_even_within_a_window(cloud: Cloud) -> None:
    cloud.rotate(NAME)
    leaked = cloud.value(NAME)["current"]
    token = "0" * 8 + "-0000-4000-8000-" + "1" * 12
    cloud.client.tag_resource(SecretId=NAME, Tags=[{"Key": EMERGENCY_TAG, "Value": token}])
    cloud.rotate(NAME, token=token)
    value = cloud.value(NAME)
    assert value["current"] != leaked
    assert (value["previous"], value["previous_not_after"]) == (None, None)


def test_an_emergency_of_another_rotation_does_not_count(cloud: Cloud) -> None:
    cloud.client.tag_resource(SecretId=NAME, Tags=[{"Key": EMERGENCY_TAG, "Value": "another"}])
    cloud.rotate(NAME)
    assert cloud.value(NAME)["previous"] == FIRST


def test_a_gateway_takes_both_keys_of_the_secret_until_the_window_ends(cloud: Cloud) -> None:
    cloud.rotate(NAME)
    text = cloud.client.get_secret_value(SecretId=NAME)["SecretString"]
    value = cloud.value(NAME)
    until = datetime.fromisoformat(value["previous_not_after"]).timestamp()
    for now in (until - 1, until):
        gateway = Authenticator(text, now=lambda now=now: now)  # type: ignore[misc]
        assert gateway.authenticate([(b"authorization", b"Bearer " + value["current"].encode())]).is_master
    assert Authenticator(text, now=lambda: until - 1).authenticate([(b"x-api-key", FIRST.encode())]).is_master


def test_running_services_are_restarted_once_the_key_is_current(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    restarted: list[tuple[str, list[str], list[str]]] = []

    def restart(client: Any, cluster: str, services: list[str]) -> None:
        assert client.meta.service_model.service_name == "ecs"
        restarted.append((cluster, services, cloud.stages(NAME)[token]))

    monkeypatch.setattr(_handlers, "restart_services", restart)
    monkeypatch.setenv("ECS_CLUSTER", "dev")
    monkeypatch.setenv("ECS_SERVICES", "gateway,open-webui")
    token = "0" * 8 + "-0000-4000-8000-" + "2" * 12
    cloud.rotate(NAME, token=token)
    assert restarted == [("dev", ["gateway", "open-webui"], ["AWSCURRENT"])]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param({}, 'has no "current"', id="no-key"),
        pytest.param({"current": 5}, 'has no "current"', id="not-text"),
        pytest.param({"current": "sk-x", "previous": "sk-y"}, "previous_not_after", id="no-end"),
        pytest.param(
            {"current": "sk-x", "previous": "sk-y", "previous_not_after": "2026-01-01T00:00:00"}, "time zone", id="zone"
        ),
    ],
)
def test_a_value_that_is_no_master_key_is_refused(cloud: Cloud, value: dict[str, object], problem: str) -> None:
    cloud.create("other", value)
    with pytest.raises(RotationError, match=problem):
        cloud.rotate("other")


def test_a_key_that_someone_set_meanwhile_is_not_overwritten() -> None:
    pending = MasterKey("sk-" + "1" * 45, FIRST, datetime.now(UTC)).to_value()
    with pytest.raises(RotationError, match="does not follow the current one"):
        MasterKeyRotation(lambda: None).test({"current": "sk-set-by-hand"}, pending)


def test_a_pending_key_that_litellm_would_not_take_is_refused() -> None:
    short = MasterKey("sk-short", FIRST, datetime.now(UTC)).to_value()
    with pytest.raises(RotationError, match="is not sk- and 48 characters"):
        MasterKeyRotation(lambda: None).test({"current": FIRST}, short)


def test_the_end_of_the_window_counts_from_the_clock() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rotation = Rotation("secret", "token", timedelta(days=30), emergency=False, stages={})
    value = MasterKeyRotation(lambda: None, lambda: now).create({"LITELLM_MASTER_KEY": FIRST}, rotation)
    assert value["previous_not_after"] == "2026-01-08T00:00:00+00:00"
    assert timedelta(days=7) == WINDOW


@pytest.mark.parametrize(
    ("rules", "interval"),
    [
        ({"AutomaticallyAfterDays": 30}, timedelta(days=30)),
        ({"ScheduleExpression": "rate(12 hours)"}, timedelta(hours=12)),
        ({"ScheduleExpression": "rate(1 day)"}, timedelta(days=1)),
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, None),
        ({}, None),
    ],
)
def test_the_interval_of_a_schedule(rules: dict[str, object], interval: timedelta | None) -> None:
    assert rotation_interval(rules) == interval


def test_neither_logs_nor_errors_nor_texts_show_a_key(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.rotate(NAME)
    with pytest.raises(RotationError) as refused:
        cloud.rotate(NAME)
    told = (
        caplog.text + str(refused.value) + repr(MasterKey.from_value(cloud.value(NAME))) + "".join(capfd.readouterr())
    )
    assert "finishSecret of headgate/dev/master-key: done" in told
    assert [secret for secret in cloud.every_secret() if secret in told] == []
