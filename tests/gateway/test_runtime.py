"""What is made of a configuration before it serves."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.config import load_configuration
from headgate.core.errors import ConfigurationError
from headgate.core.provider import Operation
from headgate.gateway._runtime import Runtime, build_runtime
from headgate.gateway._target import PRICE_SECONDS, supports
from tests.doubles.anthropic_upstream import API_KEY, anthropic_upstream
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry

HERE = "http://127.0.0.1:1/v1"


def build(directory: Path, models: list[dict[str, Any]], previous: Runtime | None = None, **sections: Any) -> Runtime:
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump({"model_list": models, **sections}, sort_keys=False))
    return build_runtime(load_configuration(path, {}), "sk-master", previous)


def test_every_deployment_that_can_not_work_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "model_list:\n"
        "  - model_name: one\n"
        "    litellm_params: {model: openai/gpt-4o}\n"
        "  - model_name: two\n"
        "    litellm_params: {model: demo/demo}\n"
        "  - model_name: three\n"
        "    litellm_params: {model: azure/gpt, api_key: sk-secret}\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        build_runtime(load_configuration(tmp_path / "config.yaml", {}), "sk-master")
    first, third = caught.value.problems
    assert first.startswith(f"{tmp_path / 'config.yaml'}:2: model 'one': ")
    assert "OPENAI_API_KEY" in first
    assert third.startswith(f"{tmp_path / 'config.yaml'}:6: model 'three': ")
    assert "sk-secret" not in third


def test_timeouts_come_from_the_deployment_before_the_router(tmp_path: Path) -> None:
    models = [entry("own", HERE, timeout=3, stream_timeout=1), entry("plain", HERE)]
    runtime = build(tmp_path, models, router_settings={"timeout": 9, "stream_timeout": 5})
    own, plain = (deployment.provider for deployment in runtime.deployments)
    assert (own.whole.first_byte, own.whole.total, own.streamed.first_byte, own.streamed.between) == (3, 3, 1, 3)
    assert (plain.whole.total, plain.streamed.first_byte, plain.streamed.between) == (9, 5, 9)
    # A stream may go on for as long as it says something.
    assert own.streamed.total is None


@pytest.mark.parametrize(
    ("parameters", "retries"),
    [({}, None), ({"max_retries": 4}, 4), ({"max_retries": 4, "num_retries": 0}, 0)],
)
def test_max_retries_counts_where_num_retries_is_not_set(
    tmp_path: Path, parameters: dict[str, Any], retries: int | None
) -> None:
    assert build(tmp_path, [entry("gpt", HERE, **parameters)]).deployments[0].num_retries == retries


def test_a_model_for_health_checks_that_can_not_be_asked_is_told(tmp_path: Path) -> None:
    wildcard = {**entry("any/*", HERE, "*"), "model_info": {"health_check_model": "azure/"}}
    with pytest.raises(ConfigurationError, match=r"health_check_model: The model name after azure/ is empty"):
        build(tmp_path, [wildcard])


def test_prices_are_kept_for_a_while(tmp_path: Path) -> None:
    [deployment] = build(tmp_path, [entry("any/*", HERE, "*")]).deployments
    target = deployment.provider
    known = target.price("gpt-4o", 0.0)
    assert known is not None
    assert target.price("gpt-4o", PRICE_SECONDS - 1) is known
    assert target.price("gpt-4o", PRICE_SECONDS + 1) == known
    assert target.price("no-such-model", 0.0) is None


def test_the_names_that_clients_choose_do_not_pile_up(tmp_path: Path) -> None:
    [deployment] = build(tmp_path, [entry("any/*", HERE, "*")]).deployments
    target = deployment.provider
    for number in range(1_500):
        target.price(f"model-{number}", 0.0)
    assert len(target._prices) <= 1_000


def test_a_deployment_of_each_operation_is_found(tmp_path: Path) -> None:
    [deployment] = build(tmp_path, [demo()]).deployments
    offered = {operation for operation in Operation if supports(operation)(deployment.provider)}
    assert Operation.CHAT in offered
    assert Operation.SPEECH not in offered


def test_health_is_taken_over_by_a_new_runtime(tmp_path: Path) -> None:
    models = [entry("gpt", HERE, identifier="same")]
    first = build(tmp_path, models)
    second = build(tmp_path, models, first)
    assert second.deployments[0].health is first.deployments[0].health


CATCH_ALL = {"model_name": "*", "litellm_params": {"model": "*", "temperature": 0.5}}
KEYS = {"OPENAI_API_KEY": "sk-of-openai", "GROQ_API_KEY": "sk-of-groq"}


def test_behind_a_catch_all_the_requested_name_says_the_provider(serve: Serve, upstream: OpenAIUpstream) -> None:
    bases = {"OPENAI_BASE_URL": upstream.api_base, "GROQ_API_BASE": f"{upstream.api_base}/groq"}
    gateway = serve([CATCH_ALL], {**KEYS, **bases})
    asked = len(upstream.requests)
    assert gateway.chat("openai/gpt-4o").status == 200
    assert gateway.chat("groq/llama/3").status == 200
    (first, fields, body), (second, others, other) = upstream.requests[asked:]
    assert (first, fields["authorization"]) == ("/v1/chat/completions", "Bearer sk-of-openai")
    assert (body["model"], body["temperature"]) == ("gpt-4o", 0.5)
    assert (second, others["authorization"]) == ("/v1/groq/chat/completions", "Bearer sk-of-groq")
    assert other["model"] == "llama/3"


@pytest.mark.parametrize("model", ["anthropic/claude", "ollama/llama3", "gpt-4o", "*", "openai/"])
def test_no_provider_without_credentials_is_asked(serve: Serve, model: str) -> None:
    answer = serve([CATCH_ALL], KEYS).chat(model)
    assert (answer.status, answer.json()["error"]["param"]) == (400, "model")


def test_an_entry_for_a_provider_counts_before_a_catch_all(tmp_path: Path) -> None:
    own = entry("openai/*", HERE, "*", identifier="own")
    runtime = build(tmp_path, [CATCH_ALL, own], environment_variables=KEYS)
    assert [deployment.id for deployment in runtime.router.deployments("openai/gpt-4o")] == ["own"]
    assert len(runtime.router.deployments("groq/llama")) == 1


def test_a_catch_all_that_can_not_work_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"config.yaml:2: model '\*': model '\*' stands for every provider"):
        build(tmp_path, [CATCH_ALL])


@pytest.mark.parametrize("stream", [False, True])
def test_a_mock_response_calls_no_upstream(serve: Serve, stream: bool) -> None:
    gateway = serve([entry("mocked", "http://127.0.0.1:1/v1", mock_response="This is a test.")])
    answer = gateway.chat("mocked", stream=stream)
    assert answer.status == 200
    if stream:
        assert b'"content":" test."' in answer.body
    else:
        assert answer.json()["choices"][0]["message"]["content"] == "This is a test."


@pytest.mark.parametrize(("encoding", "vector"), [("float", [0.5, -1.0]), ("base64", "AAAAPwAAgL8=")])
def test_a_mock_response_of_numbers_is_an_embedding(serve: Serve, encoding: str, vector: object) -> None:
    gateway = serve([entry("mocked", HERE, mock_response=[0.5, -1])])
    answer = gateway.post("/v1/embeddings", {"model": "mocked", "input": ["a", "b"], "encoding_format": encoding})
    assert [one["embedding"] for one in answer.json()["data"]] == [vector, vector]


@pytest.mark.parametrize(("setting", "status"), [(True, 200), (False, 400)])
def test_the_configuration_says_whether_parameters_are_dropped(serve: Serve, setting: bool, status: int) -> None:
    with anthropic_upstream() as upstream:
        parameters = {"model": "anthropic/claude", "api_base": upstream.url, "api_key": API_KEY}
        claude = {"model_name": "claude", "litellm_params": parameters}
        answer = serve([claude], litellm={"drop_params": setting}).chat("claude", logit_bias={"1": 2})
        assert answer.status == status, answer.body
        assert ("logit_bias" in answer.body.decode()) is (status == 400)
