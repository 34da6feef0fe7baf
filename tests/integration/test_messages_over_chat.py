"""The official Anthropic package against deployments that speak only OpenAI's chat API."""

from collections.abc import Iterator
from pathlib import Path

import anthropic
import pytest

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.openai_upstream import OpenAIUpstream


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[anthropic.Anthropic]:
    directory: Path = tmp_path_factory.mktemp("messages")
    with OpenAIUpstream() as upstream:
        parameters = {"api_base": upstream.api_base, "api_key": "sk-up"}
        models = [
            {"model_name": name, "litellm_params": {"model": f"openai/{model}", **parameters}}
            for name, model in (("gpt", "gpt-4o"), ("limited", "m429"))
        ]
        with (
            RunningGateway(directory, {"model_list": models, "router_settings": {"num_retries": 0}}) as gateway,
            anthropic.Anthropic(base_url=gateway.url, api_key=MASTER_KEY, max_retries=0) as client,
        ):
            yield client


def test_a_whole_answer(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model="gpt", max_tokens=16, messages=[{"role": "user", "content": "hi"}])
    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello world"
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9, 4)


def test_a_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="gpt", max_tokens=16, messages=[{"role": "user", "content": "hi"}]) as stream:
        assert "".join(stream.text_stream) == "Hello world"
        final = stream.get_final_message()
    assert final.usage.output_tokens == 4
    assert final.stop_reason == "end_turn"


def test_an_upstream_error_comes_in_anthropic_s_shape(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(model="limited", max_tokens=16, messages=[{"role": "user", "content": "hi"}])
    body = caught.value.body
    assert isinstance(body, dict)
    assert body["type"] == "error"
