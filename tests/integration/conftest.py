"""A gateway in front of the OpenAI double, shared by a module's tests."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.openai_upstream import OpenAIUpstream

GROUPS = ("gpt", "m429", "m500", "m401", "m404", "ctx", "policy", "bad400", "slow", "broken")


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIUpstream]:
    with OpenAIUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: OpenAIUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Serves a group per behavior of the double, without retries, and the built-in model as `demo`."""

    def entry(name: str) -> dict[str, Any]:
        parameters = {"model": f"openai/{name}", "api_base": upstream.api_base, "api_key": "sk-upstream"}
        return {"model_name": name, "litellm_params": parameters | ({"timeout": 0.2} if name == "slow" else {})}

    entries = [entry(name) for name in GROUPS]
    entries.append({"model_name": "demo", "litellm_params": {"model": "demo/demo"}})
    configuration = {"model_list": entries, "router_settings": {"num_retries": 0, "disable_cooldowns": True}}
    with RunningGateway(tmp_path_factory.mktemp("gateway"), configuration) as running:
        yield running


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER_KEY, max_retries=0) as made:
        yield made
