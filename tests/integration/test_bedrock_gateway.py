"""The official `openai` package through the gateway to a Bedrock double that verifies every signature."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

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
from tests.doubles.gateway import MASTER_KEY, RunningGateway

MESSAGES: Any = [{"role": "user", "content": "good morning"}]
CLAUDE = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"


@pytest.fixture(scope="module")
def bedrock() -> Iterator[FakeBedrock]:
    with fake_bedrock() as running:
        yield running


@pytest.fixture(scope="module")
def bedrock_gateway(bedrock: FakeBedrock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    signed = {
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
        "aws_region_name": REGION,
        "aws_bedrock_runtime_endpoint": bedrock.url,
    }

    def entry(group: str, model: str, **more: Any) -> dict[str, Any]:
        return {"model_name": group, "litellm_params": {"model": f"bedrock/{model}", **signed, **more}}

    configuration = {
        "model_list": [
            entry("claude", CLAUDE),
            entry("titan", "amazon.titan-embed-text-v2:0"),
            entry("wrong-secret", CLAUDE, aws_secret_access_key="not-the-secret"),
            {
                "model_name": "bearer",
                "litellm_params": {
                    "model": f"bedrock/{CLAUDE}",
                    "api_key": API_KEY,
                    "aws_region_name": REGION,
                    "aws_bedrock_runtime_endpoint": bedrock.url,
                },
            },
        ],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    with RunningGateway(tmp_path_factory.mktemp("bedrock"), configuration) as running:
        yield running


@pytest.fixture(scope="module")
def bedrock_client(bedrock_gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{bedrock_gateway.url}/v1", api_key=MASTER_KEY, max_retries=0) as made:
        yield made


def test_chat_by_converse(bedrock_client: openai.OpenAI, bedrock: FakeBedrock) -> None:
    answer = bedrock_client.chat.completions.create(model="claude", messages=MESSAGES, max_tokens=64)
    assert answer.choices[0].message.content == "You said: good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (30, 12)
    received = bedrock.received[-1]
    assert (received.model, received.action) == (CLAUDE, "converse")
    assert received.body["inferenceConfig"]["maxTokens"] == 64
    assert received.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
    assert MASTER_KEY not in str(received.headers)


def test_a_stream_by_converse_stream(bedrock_client: openai.OpenAI, bedrock: FakeBedrock) -> None:
    options: Any = {"include_usage": True}
    with bedrock_client.chat.completions.create(
        model="claude", messages=MESSAGES, stream=True, stream_options=options
    ) as stream:
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert pieces == ["You", " said:", " good", " morning"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 42
    assert bedrock.received[-1].action == "converse-stream"


def test_a_bearer_token(bedrock_client: openai.OpenAI, bedrock: FakeBedrock) -> None:
    answer = bedrock_client.chat.completions.create(model="bearer", messages=MESSAGES)
    assert answer.choices[0].message.content == "You said: good morning"
    assert bedrock.received[-1].headers["authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_embeddings(bedrock_client: openai.OpenAI, bedrock: FakeBedrock, encoding: Any) -> None:
    answer = bedrock_client.embeddings.create(model="titan", input="hi", encoding_format=encoding)
    vector: Any = answer.data[0].embedding
    assert answer.usage.prompt_tokens == 5
    assert vector == ([0.25, -0.5, 0.125] if encoding == "float" else "AACAPgAAAL8AAAA+")
    assert bedrock.received[-1].action == "invoke"


def test_embeddings_as_the_sdk_asks_by_default(bedrock_client: openai.OpenAI) -> None:
    assert bedrock_client.embeddings.create(model="titan", input="hi").data[0].embedding == [0.25, -0.5, 0.125]


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("ThrottlingException", 429, openai.RateLimitError),
        ("ValidationException", 400, openai.BadRequestError),
        ("ServiceUnavailableException", 503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_becomes_the_sdk_s_exception(
    bedrock_client: openai.OpenAI,
    bedrock: FakeBedrock,
    kind: str,
    status: int,
    error: type[openai.APIStatusError],
    stream: bool,
) -> None:
    bedrock.replies.append(error_reply(kind, "Something is wrong.", status))
    with pytest.raises(error, match=r"Something is wrong\."):
        bedrock_client.chat.completions.create(model="claude", messages=MESSAGES, stream=stream)


def test_a_signature_that_bedrock_refuses(bedrock_client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="credentials") as caught:
        bedrock_client.chat.completions.create(model="wrong-secret", messages=MESSAGES)
    assert caught.value.status_code in (401, 403)
    assert ACCESS_KEY not in str(caught.value)


def test_a_stream_that_breaks_off_raises(bedrock_client: openai.OpenAI, bedrock: FakeBedrock) -> None:
    bedrock.replies.append(stream_reply(converse_frames("good morning")[:2], truncate=True))
    with (
        pytest.raises(openai.APIError) as caught,
        bedrock_client.chat.completions.create(model="claude", messages=MESSAGES, stream=True) as stream,
    ):
        list(stream)
    assert not isinstance(caught.value, openai.APIConnectionError)
