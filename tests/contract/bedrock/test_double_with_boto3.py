"""The double is only worth something if AWS' own client takes it for Bedrock."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

from tests.doubles.bedrock import (
    ACCESS_KEY,
    API_KEY,
    REGION,
    SECRET_KEY,
    FakeBedrock,
    converse_frames,
    error_reply,
    fake_bedrock,
    stream_reply,
)
from tests.doubles.event_stream import encode_exception

MODEL = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
HELLO: list[Any] = [{"role": "user", "content": [{"text": "hello there"}]}]


@pytest.fixture(name="bedrock", scope="module")
def _bedrock() -> Iterator[FakeBedrock]:
    with fake_bedrock() as server:
        yield server


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


Connect = Callable[..., Any]


@pytest.fixture(name="connect")
def _connect(bedrock: FakeBedrock) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connect(secret: str = SECRET_KEY, access: str = ACCESS_KEY, **options: Any) -> Any:
            client = boto3.client(
                "bedrock-runtime",
                endpoint_url=bedrock.url,
                region_name=REGION,
                aws_access_key_id=access,
                aws_secret_access_key=secret,
                config=Config(retries={"total_max_attempts": 1}, **options),
            )
            stack.callback(client.close)
            return client

        yield connect


def post(server: FakeBedrock, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    with closing(connection):
        body = json.dumps({"messages": HELLO})
        connection.request("POST", "/model/m/converse", body, {"Content-Type": "application/json", **headers})
        return connection.getresponse().status


@pytest.mark.parametrize("model", [MODEL, PROFILE])
def test_converse(bedrock: FakeBedrock, connect: Connect, model: str) -> None:
    answer = connect().converse(modelId=model, messages=HELLO)
    assert answer["output"]["message"]["content"] == [{"text": "You said: hello there"}]
    assert answer["usage"]["totalTokens"] == 42
    assert bedrock.received[-1].model == model


def test_converse_stream(bedrock: FakeBedrock, connect: Connect) -> None:
    events = list(connect().converse_stream(modelId=MODEL, messages=HELLO)["stream"])
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(texts) == "You said: hello there"
    assert events[-1]["metadata"]["usage"]["inputTokens"] == 30


def test_invoke(bedrock: FakeBedrock, connect: Connect) -> None:
    embedding = connect().invoke_model(modelId="amazon.titan-embed-text-v2:0", body=b'{"inputText":"a"}',
                                             contentType="application/json")  # fmt: skip
    assert json.loads(embedding["body"].read())["inputTextTokenCount"] == 5
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": []})
    stream = connect().invoke_model_with_response_stream(modelId=MODEL, body=body, contentType="application/json")
    events = [json.loads(event["chunk"]["bytes"]) for event in stream["body"]]
    assert [event["type"] for event in events][-1] == "message_stop"


def test_count_tokens(bedrock: FakeBedrock, connect: Connect) -> None:
    counted = connect().count_tokens(modelId=MODEL, input={"converse": {"messages": HELLO}})
    assert counted["inputTokens"] == 42


@pytest.mark.parametrize(("key", "status"), [(API_KEY, 200), ("another", 403)])
def test_an_api_key(bedrock: FakeBedrock, key: str, status: int) -> None:
    # AWS' client sends API keys over TLS only.
    assert post(bedrock, {"Authorization": f"Bearer {key}"}) == status


@pytest.mark.parametrize(
    ("access", "secret", "code"),
    [(ACCESS_KEY, "wrong", "InvalidSignatureException"), ("AKIAOTHER", SECRET_KEY, "UnrecognizedClientException")],
)
def test_wrong_keys_are_refused(bedrock: FakeBedrock, connect: Connect, access: str, secret: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        connect(secret, access).converse(modelId=MODEL, messages=HELLO)
    assert caught.value.response["Error"]["Code"] == code


def test_an_unsigned_request_is_refused(bedrock: FakeBedrock) -> None:
    assert post(bedrock, {}) == 403


def test_a_body_that_does_not_fit_is_refused(bedrock: FakeBedrock, connect: Connect) -> None:
    bad = connect(parameter_validation=False)
    with pytest.raises(ClientError, match=r"role must be one of"):
        bad.converse(modelId=MODEL, messages=[{"role": "robot", "content": [{"text": "a"}]}])


def test_a_throttled_request(bedrock: FakeBedrock, connect: Connect) -> None:
    bedrock.replies.append(error_reply("ThrottlingException", "Too many requests", 429))
    with pytest.raises(ClientError) as caught:
        connect().converse(modelId=MODEL, messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"


def test_an_exception_inside_a_stream(bedrock: FakeBedrock, connect: Connect) -> None:
    frames = [*converse_frames("a")[:2], encode_exception("throttlingException", b'{"message":"slow down"}')]
    bedrock.replies.append(stream_reply(frames))
    stream = connect().converse_stream(modelId=MODEL, messages=HELLO)["stream"]
    with closing(stream), pytest.raises(EventStreamError, match="throttlingException"):
        list(stream)


def test_a_slow_stream_waits_for_its_gate(bedrock: FakeBedrock, connect: Connect) -> None:
    gate = threading.Semaphore(1)
    bedrock.replies.append(stream_reply(converse_frames("a"), gate=gate.acquire))
    with closing(connect().converse_stream(modelId=MODEL, messages=HELLO)["stream"]) as stream:
        events = iter(stream)
        assert "messageStart" in next(events)
        gate.release(6)
        assert "metadata" in list(events)[-1]


def test_a_truncated_stream(bedrock: FakeBedrock, connect: Connect) -> None:
    bedrock.replies.append(stream_reply(converse_frames("a b c")[:3], truncate=True))
    stream = connect().converse_stream(modelId=MODEL, messages=HELLO)["stream"]
    with closing(stream), pytest.raises(ProtocolError):
        list(stream)
