"""The salt key that an earlier environment kept."""

import pytest

from headgate.deploy.ecs import Account, StackRunner, stack_specs
from headgate.deploy.ecs._kept import SaltKey, kept_salt_key
from tests.deploy.ecs.environments import INPUTS, environment

DEV = environment("dev")


def test_where_nothing_is_left_the_stack_makes_its_own(account: Account) -> None:
    assert kept_salt_key(account, DEV) == SaltKey()


def test_one_that_lies_there_is_taken_over_with_its_key(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]
    made = account.client("secretsmanager").create_secret(Name="headgate/dev/salt-key", KmsKeyId=key["KeyId"])
    assert kept_salt_key(account, DEV) == SaltKey(made["ARN"], key["Arn"])


def test_one_that_was_deleted_does_not_count(account: Account) -> None:
    client = account.client("secretsmanager")
    client.create_secret(Name="headgate/dev/salt-key", SecretString="{}")
    client.delete_secret(SecretId="headgate/dev/salt-key")
    assert kept_salt_key(account, DEV) == SaltKey()


@pytest.mark.parametrize("given", [SaltKey(), SaltKey("arn:aws:secretsmanager:us-east-1:123456789012:secret:x", "")])
def test_a_stack_that_stands_goes_on_with_what_it_was_made_with(given: SaltKey, account: Account) -> None:
    inputs = INPUTS.__class__(
        image=INPUTS.image, rotation_package=INPUTS.rotation_package, salt_key_secret=given.secret
    )
    specs = {spec.template: spec for spec in stack_specs(DEV, inputs)}
    runner = StackRunner(account.client("cloudformation"), call=account.call, poll_seconds=0)
    for template in ("bootstrap", "security"):
        runner.apply(specs[template])
    names = [one["Name"] for one in account.client("secretsmanager").list_secrets()["SecretList"]]
    assert ("headgate/dev/salt-key" in names) == (given == SaltKey())
    assert kept_salt_key(account, DEV) == given
