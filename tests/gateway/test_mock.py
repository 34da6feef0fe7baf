"""The mock upstream over real HTTP."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from headgate.core.errors import ConfigurationError
from headgate.gateway import MockSettings
from tests.doubles.gateway import RunningGateway
from tests.doubles.http import Answer, request
from tests.doubles.mock_upstream import RunningMock

MESSAGES = [{"role": "user", "content": "Good morning"}]


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with RunningMock(tokens=5) as running:
        yield running


def chat(mock: RunningMock, **members: Any) -> Answer:
    body = {"model": "any", "messages": MESSAGES, **members}
    return request(mock.port, "POST", "/v1/chat/completions", body)


def statuses(count: int, **settings: Any) -> list[int]:
    with RunningMock(**settings) as mock:
        return [chat(mock).status for _ in range(count)]


def test_an_answer_has_as_many_tokens_as_it_was_told(mock: RunningMock) -> None:
    answer = chat(mock).json()
    assert answer["choices"][0]["message"]["content"] == "tok tok tok tok tok"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    assert answer["model"] == "any"


def test_a_stream_has_a_chunk_for_each_token_and_usage_when_asked_for(mock: RunningMock) -> None:
    events = chat(mock, stream=True, stream_options={"include_usage": True}).events
    *chunks, last = [json.loads(event) for event in events[:-1]]
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert deltas == ["", "tok", " tok", " tok", " tok", " tok", None]
    assert last["usage"]["completion_tokens"] == 5
    assert events[-1] == b"[DONE]"
    assert all(json.loads(event)["choices"] for event in chat(mock, stream=True).events[:-1])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/completions", "/v1/embeddings"])
def test_every_operation_answers_equal_requests_equally(mock: RunningMock, path: str) -> None:
    body = {"model": "any", "messages": MESSAGES, "prompt": "hi", "input": ["one", "two"]}
    first, second = (request(mock.port, "POST", path, body) for _ in range(2))
    assert first.status == 200
    assert first.body == second.body


def test_embeddings_depend_on_what_is_embedded(mock: RunningMock) -> None:
    answer = request(mock.port, "POST", "/v1/embeddings", {"input": ["one", "two", "one"]}).json()
    first, second, third = (one["embedding"] for one in answer["data"])
    assert first == third != second


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        (b"[]", "The body is not a JSON object."),
        (b"{}", "Missing required parameter: 'messages'."),
        (b'{"messages": 1}', "Invalid value for 'messages': expected a list."),
        (b'{"messages":[{"content":' + b"[" * 2000 + b"]" * 2000 + b"}]}", "Invalid JSON payload: nested too deeply."),
    ],
)
def test_what_is_wrong_with_a_request_is_told(mock: RunningMock, body: bytes, message: str) -> None:
    answer = request(mock.port, "POST", "/v1/chat/completions", body)
    assert (answer.status, answer.json()["error"]["message"]) == (400, message)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/liveliness", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1/chat/completions", 404),
        ("POST", "/v1/audio/speech", 404),
    ],
)
def test_other_routes(mock: RunningMock, method: str, path: str, status: int) -> None:
    body: object = {} if method == "POST" else None
    assert request(mock.port, method, path, body).status == status


def test_options_that_name_no_path_are_answered(mock: RunningMock) -> None:
    assert request(mock.port, "OPTIONS", "*").status == 404


def test_failures_are_as_many_as_told_and_the_same_in_every_run() -> None:
    first = statuses(200, failures=0.2, failure_status=429)
    assert first == statuses(200, failures=0.2, failure_status=429)
    assert first != statuses(200, failures=0.2, failure_status=429, seed=1)
    assert set(first) == {200, 429}
    assert 25 <= first.count(429) <= 55
    assert statuses(20, failures=1.0) == [500] * 20


def test_waiting_changes_nothing_of_what_fails() -> None:
    assert statuses(40, failures=0.3) == statuses(40, failures=0.3, latency=0.001, jitter=0.001)


def test_an_answer_takes_the_time_it_was_told() -> None:
    with RunningMock(latency=0.08) as mock:
        started = time.monotonic()
        assert chat(mock).status == 200
        assert time.monotonic() - started >= 0.08


def test_the_tokens_of_a_stream_come_one_by_one() -> None:
    with RunningMock(latency=0.05, interval=0.02, tokens=4) as mock:
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)
        body = json.dumps({"messages": MESSAGES, "stream": True})
        connection.request("POST", "/v1/chat/completions", body)
        response = connection.getresponse()
        arrivals = [time.monotonic() - started for line in response if line.startswith(b"data: {")]
        connection.close()
    # Role, four tokens and the end, each at its multiple of the interval.
    assert len(arrivals) == 6
    assert all(at >= 0.05 + number * 0.02 - 0.002 for number, at in enumerate(arrivals))


def test_who_leaves_in_the_middle_harms_nobody() -> None:
    with RunningMock(interval=0.01, tokens=1000) as mock:
        connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)
        connection.request("POST", "/v1/chat/completions", json.dumps({"messages": MESSAGES, "stream": True}))
        connection.getresponse().readline()
        connection.close()
        assert chat(mock).status == 200


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("latency", -1),
        ("jitter", 601),
        ("tokens", 0),
        ("interval", 61),
        ("failures", 1.1),
        ("failure_status", 200),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match="The mock can not do this"):
        MockSettings(**{setting: value})  # type: ignore[arg-type]


def test_a_gateway_in_front_of_it_counts_what_it_reports(mock: RunningMock, tmp_path: Path) -> None:
    parameters = {"model": "openai/mock", "api_base": f"{mock.url}/v1", "api_key": "none"}
    configuration = {"model_list": [{"model_name": "mock", "litellm_params": parameters}]}
    with RunningGateway(tmp_path, configuration) as gateway:
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-test-master-key")
        with client:
            answer = client.chat.completions.create(model="mock", messages=[{"role": "user", "content": "hi"}])
            assert answer.usage is not None
            assert answer.usage.completion_tokens == 5
            stream = client.chat.completions.create(
                model="mock", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            assert said == "tok tok tok tok tok"
