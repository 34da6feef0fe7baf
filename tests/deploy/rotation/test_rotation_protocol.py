"""What a rotation function refuses before it does anything."""

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from headgate.deploy.rotation import RotationError, master_key_handler, restart_services
from tests.doubles.secrets_manager import REGION, STEPS, Cloud

NAME = "headgate/dev/master-key"
KEY = {"current": "sk-" + "0" * 45}


def test_a_secret_that_is_not_rotated_is_refused() -> None:
    with Cloud(master_key_handler) as cloud:
        cloud.create(NAME, KEY)
        [version] = cloud.stages(NAME)
        for step in STEPS:
            with pytest.raises(RotationError, match=f"Rotation of {NAME} is off"):
                cloud.step(NAME, version, step)


def test_a_token_of_no_version_is_refused() -> None:
    with Cloud(master_key_handler) as cloud:
        cloud.create(NAME, KEY)
        cloud.rotate(NAME)
        for step in STEPS:
            with pytest.raises(RotationError, match="has no version unknown"):
                cloud.step(NAME, "unknown", step)


def test_a_version_that_is_not_pending_is_refused() -> None:
    with Cloud(master_key_handler) as cloud:
        cloud.create(NAME, KEY)
        [first] = cloud.stages(NAME)
        cloud.rotate(NAME)
        with pytest.raises(RotationError, match="is not labelled AWSPENDING"):
            cloud.step(NAME, first, "createSecret")


def test_a_version_that_is_in_use_already_is_left_as_it_is() -> None:
    with Cloud(master_key_handler) as cloud:
        cloud.create(NAME, KEY)
        token = cloud.rotate(NAME)
        value, stages = cloud.value(NAME), cloud.stages(NAME)
        for step in STEPS:
            cloud.step(NAME, token, step)
        assert (cloud.value(NAME), cloud.stages(NAME)) == (value, stages)


def test_steps_out_of_order_are_refused() -> None:
    with Cloud(master_key_handler) as cloud:
        cloud.create(NAME, KEY)
        token = cloud.pending(NAME)
        for step in STEPS[1:]:
            with pytest.raises(RotationError, match="createSecret comes first"):
                cloud.step(NAME, token, step)
        assert cloud.value(NAME) == KEY


def test_a_step_that_is_none_is_refused() -> None:
    with Cloud(master_key_handler), pytest.raises(RotationError, match="Unknown step 'dropSecret'"):
        master_key_handler({"SecretId": NAME, "ClientRequestToken": "x", "Step": "dropSecret"}, None)


def test_an_event_of_someone_else_is_refused() -> None:
    with Cloud(master_key_handler), pytest.raises(RotationError, match="no 'Step': only Secrets Manager calls"):
        master_key_handler({"detail": "scheduled"}, None)


def test_a_value_that_is_no_object_is_refused_without_being_shown() -> None:
    with Cloud(master_key_handler) as cloud:
        cloud.client.create_secret(Name=NAME, SecretString="sk-canary")
        with pytest.raises(RotationError, match="is no JSON object") as refused:
            cloud.rotate(NAME)
        assert "canary" not in str(refused.value)


def test_a_restart_replaces_the_tasks_of_each_service() -> None:
    client = boto3.client("ecs", region_name=REGION)
    with Stubber(client) as ecs:
        for service in ("gateway", "open-webui"):
            expected = {"cluster": "dev", "service": service, "forceNewDeployment": True}
            ecs.add_response("update_service", {}, expected)
        restart_services(client, "dev", ["gateway", "open-webui"])
        ecs.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"])
def test_a_service_that_is_not_there_yet_needs_no_restart(code: str) -> None:
    client = boto3.client("ecs", region_name=REGION)
    with Stubber(client) as ecs:
        ecs.add_client_error("update_service", code)
        ecs.add_response("update_service", {})
        restart_services(client, "dev", ["gateway", "open-webui"])
        ecs.assert_no_pending_responses()


def test_any_other_error_of_a_restart_goes_through() -> None:
    client = boto3.client("ecs", region_name=REGION)
    with Stubber(client) as ecs:
        ecs.add_client_error("update_service", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            restart_services(client, "dev", ["gateway"])
