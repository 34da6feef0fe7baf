"""A key for Open WebUI, made by the gateway and kept in a secret."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._virtual_keys import give_key, has_key
from headgate.deploy.engine import DeployError
from headgate.deploy.secrets import Entry, Member, Turnover, Vault
from headgate.deploy.verification import Answer

ENTRY = Entry("open-webui-key", "a key", (Member("OPENAI_API_KEY"),), Turnover.MANUAL, "open-webui-key")
URL = "http://gateway.example"


@dataclass
class KeyMaker:
    """A gateway that makes keys for who has the master key."""

    answer: Answer | None = None
    bodies: list[dict[str, object]] = field(default_factory=list)

    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        assert (method, url) == ("POST", f"{URL}/key/generate")
        assert (headers or {})["authorization"] == "Bearer sk-canary-master"
        self.bodies.append(json.loads(body or b""))
        return self.answer or Answer(200, body=b'{"key": "sk-canary-virtual"}')


@pytest.fixture
def vault(account: Account) -> Vault:
    client = account.client("secretsmanager")
    client.create_secret(Name="headgate/dev/master-key", SecretString='{"LITELLM_MASTER_KEY": "sk-canary-master"}')
    client.create_secret(Name="headgate/dev/open-webui-key")
    return Vault(client, "headgate/dev")


def test_a_key_is_made_once_and_kept(vault: Vault) -> None:
    web, told = KeyMaker(), list[str]()
    assert not has_key(vault, ENTRY)
    for _ in range(2):
        give_key(vault, ENTRY, URL, "headgate-dev-open-webui", web, told.append)
    assert vault.value(ENTRY) == {"OPENAI_API_KEY": "sk-canary-virtual"}
    assert web.bodies == [{"key_alias": "headgate-dev-open-webui", "key_type": "llm_api"}]
    assert told == ["making the virtual key headgate-dev-open-webui"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404), "makes no virtual keys"),
        (Answer(400, body=b"Key with alias 'x' already exists. sk-canary-master"), "exists already: delete it there"),
        (Answer(500, body=b"oops"), r"\(500\): its log says why"),
        (Answer(200, body=b"[]"), r"\(200\)"),
    ],
)
def test_a_gateway_that_makes_no_key_is_told_without_any_secret(answer: Answer, said: str, vault: Vault) -> None:
    with pytest.raises(DeployError, match=said) as raised:
        give_key(vault, ENTRY, URL, "x", KeyMaker(answer), lambda sentence: None)
    assert "canary" not in str(raised.value)
    assert not has_key(vault, ENTRY)
