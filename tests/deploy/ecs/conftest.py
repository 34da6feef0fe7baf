"""An empty account of AWS on loopback, and the environment variables that lead boto3 to it."""

import http.client
from collections.abc import Iterator

import boto3
import botocore.loaders
import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from headgate.deploy.ecs import Account, Caller
from tests.doubles.moto_offers import offered
from tests.doubles.moto_types import installed

MODELS = botocore.loaders.create_loader()
"""Reads botocore's models of services, each once."""


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    with installed(), offered():
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            yield server.get_host_and_port()[1]
        finally:
            server.stop()


@pytest.fixture
def empty_world(moto_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an account with nothing in it; boto3 finds its way there by itself."""
    connection = http.client.HTTPConnection("127.0.0.1", moto_port)
    connection.request("POST", "/moto-api/reset")
    assert connection.getresponse().status == 200
    connection.close()
    url = f"http://127.0.0.1:{moto_port}"
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    values = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    # An earlier test's session would keep its credentials; what it read of botocore's models may well be kept.
    session = botocore.session.get_session()
    session.register_component("data_loader", MODELS)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(botocore_session=session))
    return url


@pytest.fixture
def account(empty_world: str) -> Account:
    """Return the empty account; nothing waits in it."""
    return Account("us-east-1", call=Caller(sleep=lambda seconds: None))
