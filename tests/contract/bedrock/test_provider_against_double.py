"""What the provider encodes goes over a socket, and the double checks signature, path and body as Bedrock would."""

import base64
import http.client
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from headgate.core.errors import Category, UpstreamError
from headgate.core.json import raw
from headgate.core.provider import Answer, Call, Operation
from headgate.providers._bedrock import BedrockProvider
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

CLAUDE = "us.anthropic.claude-3-5-sonnet-20241022-v2:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
KEYS = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "aws_region_name": REGION}
PNG = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Look", "parameters": SCHEMA}}
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture(name="bedrock", scope="module")
def _bedrock() -> Iterator[FakeBedrock]:
    with fake_bedrock() as server:
        yield server


def provider(server: FakeBedrock, model: str = CLAUDE, **parameters: Any) -> BedrockProvider:
    given = {**KEYS, "aws_bedrock_runtime_endpoint": server.url, **parameters}
    return BedrockProvider.from_parameters("bedrock", model, given, {})


def make_call(operation: Operation, body: Mapping[str, Any], **options: Any) -> Call:
    members = {name: raw(value) for name, value in body.items()}
    return Call(operation, "group", members, json.dumps(body).encode(), **options)


def exchange(server: FakeBedrock, target: BedrockProvider, call: Call) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Send what the provider encodes, as it is; return the status, the headers and as much of the body as came."""
    request = target.encode(call)
    lines = [line.partition(": ") for line in request.headers.decode("latin-1").split("\r\n") if line]
    fields = {name: value for name, _, value in lines}
    with closing(http.client.HTTPConnection(request.origin.host, request.origin.port)) as connection:
        connection.request("POST", request.target.decode(), request.body, fields)
        response = connection.getresponse()
        headers = [(name.lower().encode(), value.encode()) for name, value in response.getheaders()]
        try:
            body = response.read()
        except http.client.IncompleteRead as error:
            body = error.partial
        return response.status, headers, body


def ask(server: FakeBedrock, target: BedrockProvider, call: Call) -> Answer:
    status, headers, body = exchange(server, target, call)
    assert status == 200, body
    return target.decode(call, headers, body)


def fail(server: FakeBedrock, target: BedrockProvider) -> UpstreamError:
    status, headers, body = exchange(server, target, make_call(Operation.CHAT, HELLO))
    assert status >= 400
    return target.failure(status, headers, body)


def stream(server: FakeBedrock, target: BedrockProvider, call: Call) -> tuple[bytes, Any]:
    status, headers, body = exchange(server, target, call)
    assert status == 200, body
    translator = target.translator(call, headers)
    sent = b"".join(translator.feed(body[index : index + 7]) for index in range(0, len(body), 7))
    return sent + translator.finish(), translator


@pytest.mark.parametrize(
    "model", [CLAUDE, PROFILE, "us-east-1/mistral.mistral-large-2402-v1:0", "converse/meta.llama3-1-8b-instruct-v1:0"]
)
def test_chat(bedrock: FakeBedrock, model: str) -> None:
    answer = ask(bedrock, provider(bedrock, model), make_call(Operation.CHAT, HELLO))
    completion = ChatCompletion.model_validate_json(answer.body, strict=True)
    assert completion.choices[0].message.content == "You said: hello there"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 42
    assert bedrock.received[-1].model == model.removeprefix("us-east-1/").removeprefix("converse/")


def test_the_path_is_percent_encoded_as_aws_clients_do(bedrock: FakeBedrock) -> None:
    ask(bedrock, provider(bedrock, PROFILE), make_call(Operation.CHAT, HELLO))
    assert bedrock.received[-1].target == (
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2c3d4e5f6/converse"
    )


def test_everything_that_can_be_translated_fits_the_service_model(bedrock: FakeBedrock) -> None:
    body = {
        "messages": [
            {
                "role": "system",
                "content": [{"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral"}}],
            },
            {"role": "developer", "content": "Be brief"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                    {"type": "image_url", "image_url": {"url": PNG}},
                    {
                        "type": "file",
                        "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a_b.pdf"},
                    },
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                ],
            },
            {
                "role": "assistant",
                "content": "",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "YWJj"},
                ],
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Bern"}'},
                    },
                    {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": ""}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
            {"role": "user", "content": "and now?"},
        ],
        "tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}],
        "tool_choice": "required",
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "stop": ["END"],
        "response_format": {"type": "json_object"},
        "service_tier": "priority",
        "requestMetadata": {"team": "a"},
        "guardrailConfig": {"guardrailIdentifier": "gr123456", "guardrailVersion": "1", "trace": "enabled"},
        "performanceConfig": {"latency": "optimized"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "anthropic_beta": ["computer-use-2025-01-24"],
    }
    ask(bedrock, provider(bedrock), make_call(Operation.CHAT, body))
    sent = bedrock.received[-1].body
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["additionalModelRequestFields"] == {
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "anthropic_beta": ["computer-use-2025-01-24"],
        "top_k": 5,
    }


def test_structured_output_fits_the_service_model(bedrock: FakeBedrock) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    for model, member in (
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "outputConfig"),
        (CLAUDE, "toolConfig"),
        ("meta.llama3-1-70b-instruct-v1:0", "system"),
    ):
        ask(bedrock, provider(bedrock, model), make_call(Operation.CHAT, {**HELLO, "response_format": form}))
        assert set(bedrock.received[-1].body) == {"messages", member}


def test_chat_stream(bedrock: FakeBedrock) -> None:
    sent, translator = stream(
        bedrock, provider(bedrock), make_call(Operation.CHAT, HELLO, stream=True, include_usage=True)
    )
    assert translator.complete
    assert translator.usage.total_tokens == 42
    chunks = [json.loads(line[6:]) for line in sent.split(b"\n\n") if line.startswith(b"data: {")]
    text = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert text == "You said: hello there"
    assert chunks[-1]["usage"]["total_tokens"] == 42
    assert sent.endswith(b"data: [DONE]\n\n")


def test_a_truncated_stream_is_a_failure(bedrock: FakeBedrock) -> None:
    bedrock.replies.append(stream_reply(converse_frames("a b c")[:3], truncate=True))
    _, translator = stream(bedrock, provider(bedrock), make_call(Operation.CHAT, HELLO, stream=True))
    assert translator.failure.category is Category.CONNECTION


@pytest.mark.parametrize(
    "model", ["amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v1", "cohere.embed-english-v3"]
)
def test_embeddings(bedrock: FakeBedrock, model: str) -> None:
    target = provider(bedrock, model)
    body = {"input": "some text", "encoding_format": "base64"}
    answer = ask(bedrock, target, make_call(Operation.EMBEDDING, body))
    embedding = json.loads(answer.body)["data"][0]["embedding"]
    assert struct.unpack("<3f", base64.b64decode(embedding)) == (0.25, -0.5, 0.125)
    answer = ask(bedrock, target, make_call(Operation.EMBEDDING, {"input": ["some text"]}))
    parsed = CreateEmbeddingResponse.model_validate_json(answer.body, strict=True)
    assert parsed.data[0].embedding == [0.25, -0.5, 0.125]
    assert parsed.usage.total_tokens in (5, 7)


def test_claude_messages(bedrock: FakeBedrock) -> None:
    body = {"model": "group", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    headers = ((b"anthropic-beta", b"a-1, b-2"), (b"anthropic-version", b"2023-06-01"))
    answer = ask(bedrock, provider(bedrock), make_call(Operation.MESSAGES, body, headers=headers))
    assert json.loads(answer.body)["content"][0]["text"] == "Hello from Claude"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 13
    assert bedrock.received[-1].body == {
        "max_tokens": 10,
        "messages": body["messages"],
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["a-1", "b-2"],
    }


def test_claude_messages_stream(bedrock: FakeBedrock) -> None:
    body = {"model": "group", "max_tokens": 10, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    sent, translator = stream(bedrock, provider(bedrock), make_call(Operation.MESSAGES, body, stream=True))
    assert translator.complete
    assert translator.usage.total_tokens == 13
    assert sent.startswith(b'event: message_start\ndata: {"type": "message_start"')
    assert bedrock.received[-1].action == "invoke-with-response-stream"


def test_count_tokens(bedrock: FakeBedrock) -> None:
    body = {"model": "group", "messages": [{"role": "user", "content": "hi"}]}
    answer = ask(bedrock, provider(bedrock), make_call(Operation.COUNT_TOKENS, body))
    assert answer.body == b'{"input_tokens":42}'
    received = bedrock.received[-1]
    assert received.model == "anthropic.claude-3-5-sonnet-20241022-v2:0"
    inner = json.loads(base64.b64decode(received.body["input"]["invokeModel"]["body"]))
    assert inner == {"max_tokens": 1, "messages": body["messages"], "anthropic_version": "bedrock-2023-05-31"}


def test_an_api_key_is_a_bearer_token(bedrock: FakeBedrock) -> None:
    keyed = BedrockProvider.from_parameters(
        "bedrock", CLAUDE, {"api_base": bedrock.url, "api_key": API_KEY, "aws_region_name": REGION}, {}
    )
    ask(bedrock, keyed, make_call(Operation.CHAT, HELLO))
    assert bedrock.received[-1].headers["authorization"] == f"Bearer {API_KEY}"


def test_extra_headers_are_signed(bedrock: FakeBedrock) -> None:
    target = provider(bedrock, extra_headers={"X-Amzn-Bedrock-Trace": "ENABLED", "x-team": "a  b"})
    ask(bedrock, target, make_call(Operation.CHAT, HELLO))
    assert "x-amzn-bedrock-trace;x-team" in bedrock.received[-1].headers["authorization"]


def test_a_guardrail_holds_for_messages_too(bedrock: FakeBedrock) -> None:
    guardrail = {"guardrailIdentifier": "gr1", "guardrailVersion": "2", "trace": "enabled"}
    target = provider(bedrock, guardrailConfig=guardrail)
    ask(bedrock, target, make_call(Operation.MESSAGES, {"max_tokens": 1, "messages": []}))
    headers = bedrock.received[-1].headers
    assert headers["x-amzn-bedrock-guardrailidentifier"] == "gr1"
    assert (headers["x-amzn-bedrock-guardrailversion"], headers["x-amzn-bedrock-trace"]) == ("2", "ENABLED")
    other = {**HELLO, "guardrailConfig": {"guardrailIdentifier": "weak", "guardrailVersion": "1"}}
    ask(bedrock, target, make_call(Operation.CHAT, other))
    assert bedrock.received[-1].body["guardrailConfig"] == guardrail


def test_a_wrong_secret_is_an_authentication_failure(bedrock: FakeBedrock) -> None:
    error = fail(bedrock, provider(bedrock, aws_secret_access_key="wrong"))
    assert (error.category, error.status, error.upstream_status) == (Category.AUTHENTICATION, 401, 403)


def test_throttling_is_a_rate_limit(bedrock: FakeBedrock) -> None:
    bedrock.replies.append(error_reply("ThrottlingException", "Too many tokens, please wait.", 429))
    assert fail(bedrock, provider(bedrock)).category is Category.RATE_LIMIT
