"""Who is signed in, and what AWS refuses."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from headgate.deploy.ecs import Account, Caller, CredentialsError, WrongAccountError, explained
from headgate.deploy.engine import DeployError
from tests.deploy.ecs.environments import ACCOUNT


def test_clients_are_made_once(account: Account) -> None:
    assert account.client("s3") is account.client("s3")
    assert account.identity().account == ACCOUNT
    assert account.identity().partition == "aws"


def test_credentials_of_another_account_change_nothing(empty_world: str) -> None:
    other = Account("us-east-1", expected="210987654321")
    with pytest.raises(WrongAccountError, match=f"are of account {ACCOUNT}, but .* belongs to 210987654321"):
        other.client("s3")


def test_no_credentials_are_a_sentence(empty_world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="There are no AWS credentials"):
        Account("us-east-1", call=Caller(sleep=lambda seconds: None)).identity()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no s3:GetObject"}}, "GetObject"),
            "bucket: these credentials may not do this. no s3:GetObject",
        ),
        (ClientError({"Error": {"Code": "NoSuchBucket", "Message": ""}}, "GetObject"), "bucket: NoSuchBucket"),
        (EndpointConnectionError(endpoint_url="https://s3"), "bucket: AWS was not reached: Could not connect"),
    ],
)
def test_refusals_are_sentences(error: Any, sentence: str) -> None:
    with pytest.raises(DeployError) as raised, explained("bucket"):
        raise error
    assert str(raised.value).startswith(sentence)
