"""The official `openai` package as the client: what an application sees that only changed its base URL."""

import asyncio
from typing import Any

import openai
import pydantic
import pytest

from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.openai_answers import ARGUMENTS, AUDIO, EMBEDDING
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.support import run

MESSAGES: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


class Place(pydantic.BaseModel):
    city: str


def test_chat(client: openai.OpenAI, upstream: OpenAIUpstream) -> None:
    answer = client.chat.completions.create(model="gpt", messages=MESSAGES, temperature=0.5)
    assert answer.choices[0].message.content == "Hello world"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 13
    path, fields, body = upstream.requests[-1]
    assert path == "/v1/chat/completions"
    assert fields["authorization"] == "Bearer sk-upstream"
    assert body == {"model": "gpt", "messages": MESSAGES, "temperature": 0.5}


def test_the_client_s_key_and_headers_stay_with_the_gateway(client: openai.OpenAI, upstream: OpenAIUpstream) -> None:
    client.chat.completions.create(model="gpt", messages=MESSAGES, extra_headers={"x-own": "1"})
    _, fields, _ = upstream.requests[-1]
    assert MASTER_KEY not in str(fields)
    assert fields.keys().isdisjoint({"x-own", "x-stainless-lang"})
    assert fields["user-agent"] == "headgate"


def test_a_stream(client: openai.OpenAI, upstream: OpenAIUpstream) -> None:
    with client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello world"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    # The gateway asks for the usage that it accounts for, whether or not the client does.
    assert upstream.requests[-1][2]["stream_options"] == {"include_usage": True}


def test_a_stream_with_usage(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    with client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True, stream_options=options) as stream:
        last = list(stream)[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 13


def test_a_tool_call(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt", messages=MESSAGES, tools=TOOLS, tool_choice="auto")
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert (calls[0].function.name, calls[0].function.arguments) == ("weather", ARGUMENTS)


def test_a_streamed_tool_call(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="gpt", messages=MESSAGES, tools=TOOLS) as stream:
        events = list(stream)
        message = stream.get_final_completion().choices[0].message
    pieces = [event.arguments_delta for event in events if event.type == "tool_calls.function.arguments.delta"]
    assert len(pieces) > 2
    assert "".join(pieces) == ARGUMENTS
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == ARGUMENTS


def test_a_structured_output(client: openai.OpenAI, upstream: OpenAIUpstream) -> None:
    answer = client.chat.completions.parse(model="gpt", messages=MESSAGES, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Paris")
    assert upstream.requests[-1][2]["response_format"]["json_schema"]["name"] == "Place"


def test_an_asynchronous_client(gateway: RunningGateway) -> None:
    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER_KEY, max_retries=0) as client:
            whole = await asyncio.gather(
                *[client.chat.completions.create(model="gpt", messages=MESSAGES) for _ in range(8)]
            )
            assert {answer.choices[0].message.content for answer in whole} == {"Hello world"}
            stream = await client.chat.completions.create(model="gpt", messages=MESSAGES, stream=True)
            async with stream:
                text = [chunk.choices[0].delta.content or "" async for chunk in stream]
            assert "".join(text) == "Hello world"

    run(ask())


@pytest.mark.parametrize("encoding", [None, "float"])
def test_embeddings(client: openai.OpenAI, upstream: OpenAIUpstream, encoding: Any) -> None:
    more = {} if encoding is None else {"encoding_format": encoding}
    answer = client.embeddings.create(model="gpt", input=["a", "b"], **more)
    assert [one.embedding for one in answer.data] == [EMBEDDING, EMBEDDING]
    assert answer.usage.total_tokens == 5
    # The SDK asks for base64 unless told otherwise, and decodes it.
    assert upstream.requests[-1][2]["encoding_format"] == (encoding or "base64")


def test_legacy_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="gpt", prompt="hi")
    assert answer.choices[0].text == "Hello world"
    with client.completions.create(model="gpt", prompt="hi", stream=True) as stream:
        assert "".join(chunk.choices[0].text for chunk in stream) == "Hello world"


def test_responses(client: openai.OpenAI, upstream: OpenAIUpstream) -> None:
    answer = client.responses.create(model="gpt", input="hi")
    assert answer.output_text == "Hello world"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 13
    assert upstream.requests[-1][0] == "/v1/responses"


def test_a_stream_of_responses(client: openai.OpenAI) -> None:
    with client.responses.stream(model="gpt", input="hi") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == "Hello world"
    assert final.output_text == "Hello world"


def test_models(client: openai.OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[0] == "gpt"
    assert "demo" in listed
    assert client.models.retrieve("gpt").owned_by == "openai"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("nope")


def test_moderations(client: openai.OpenAI) -> None:
    result = client.moderations.create(model="gpt", input="hi").results[0]
    assert result.flagged
    assert result.categories.violence


def test_images(client: openai.OpenAI) -> None:
    answer = client.images.generate(model="gpt", prompt="a gate")
    assert answer.data is not None
    assert answer.data[0].b64_json == "aW1hZ2U="


def test_speech(client: openai.OpenAI) -> None:
    answer = client.audio.speech.create(model="gpt", voice="alloy", input="hi")
    assert answer.read() == AUDIO
    assert answer.response.headers["content-type"] == "audio/mpeg"


def test_a_transcription(client: openai.OpenAI, upstream: OpenAIUpstream) -> None:
    answer = client.audio.transcriptions.create(model="gpt", file=("speech.mp3", AUDIO))
    assert answer.text == "Hello world"
    _, fields, form = upstream.requests[-1]
    assert fields["content-type"].startswith("multipart/form-data; boundary=")
    assert AUDIO in form
    assert b'filename="speech.mp3"' in form


def test_azure_s_client(gateway: RunningGateway, upstream: OpenAIUpstream) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key=MASTER_KEY, api_version="2024-10-21", max_retries=0
    ) as client:
        answer = client.chat.completions.create(model="gpt", messages=MESSAGES)
        assert answer.choices[0].message.content == "Hello world"
        assert upstream.requests[-1][2]["model"] == "gpt"
        assert client.embeddings.create(model="gpt", input="hi").data[0].embedding == EMBEDDING
        with pytest.raises(openai.BadRequestError, match="nope"):
            client.chat.completions.create(model="nope", messages=MESSAGES)


@pytest.mark.parametrize(
    ("model", "error", "kind"),
    [
        ("m429", openai.RateLimitError, "throttling_error"),
        ("m500", openai.InternalServerError, "internal_server_error"),
        ("m401", openai.AuthenticationError, "authentication_error"),
        ("m404", openai.NotFoundError, "not_found_error"),
        ("ctx", openai.BadRequestError, "context_window_exceeded"),
        ("policy", openai.BadRequestError, "content_policy_violation"),
        ("bad400", openai.BadRequestError, "invalid_request_error"),
        ("slow", openai.InternalServerError, "timeout_error"),
        ("nope", openai.BadRequestError, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_becomes_the_sdk_s_exception(
    client: openai.OpenAI, model: str, error: type[openai.APIStatusError], kind: str, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
    assert caught.value.type == kind
    assert caught.value.code == str(caught.value.status_code)
    assert caught.value.response.headers["x-litellm-call-id"]


def test_a_rate_limit_says_when_to_come_back(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="m429", messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == "1"


def test_a_wrong_key(gateway: RunningGateway) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model="gpt", messages=MESSAGES)
    assert "sk-wrong" not in str(caught.value)


def test_a_missing_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body={"model": "gpt"}, cast_to=object)
    assert caught.value.param == "messages"


def test_a_stream_that_breaks_off_raises(client: openai.OpenAI) -> None:
    texts: list[str] = []
    with (
        pytest.raises(openai.APIError, match="closed the connection") as caught,
        client.chat.completions.create(model="broken", messages=MESSAGES, stream=True) as stream,
    ):
        texts.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert texts == ["Hel", "lo"]
    assert not isinstance(caught.value, openai.APIConnectionError)


def test_headers_of_an_answer(client: openai.OpenAI, gateway: RunningGateway, upstream: OpenAIUpstream) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt", messages=MESSAGES)
    headers = raw.headers
    [deployment] = [one for one in gateway.gateway.runtime.deployments if one.group == "gpt"]
    assert headers["x-litellm-model-id"] == deployment.id
    assert headers["x-litellm-model-group"] == "gpt"
    assert headers["x-litellm-model-api-base"] == upstream.api_base
    assert headers["x-litellm-version"] == "1.80.5"
    assert headers["x-litellm-attempted-retries"] == headers["x-litellm-attempted-fallbacks"] == "0"
    assert float(headers["x-litellm-response-duration-ms"]) >= float(headers["x-litellm-overhead-duration-ms"]) > 0
    assert headers["llm_provider-x-request-id"] == "req_mock"
    assert headers["x-ratelimit-remaining-requests"] == "99"
    assert len(headers["x-litellm-call-id"]) == 36
    parsed = raw.parse()
    assert parsed.choices[0].message.content == "Hello world"


class TestDemo:
    """The built-in model, which a newcomer talks to first."""

    def test_chat(self, client: openai.OpenAI) -> None:
        answer = client.chat.completions.create(model="demo", messages=MESSAGES)
        assert answer.choices[0].message.content == "You said: hi"
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0

    def test_a_stream(self, client: openai.OpenAI) -> None:
        with client.chat.completions.create(model="demo", messages=MESSAGES, stream=True) as stream:
            chunks = list(stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You said: hi"
        assert len(chunks) > 3

    def test_embeddings(self, client: openai.OpenAI) -> None:
        first, second = (client.embeddings.create(model="demo", input="hi").data[0].embedding for _ in range(2))
        assert first == second
        as_floats = client.embeddings.create(model="demo", input="hi", encoding_format="float").data[0].embedding
        assert first == pytest.approx(as_floats)

    def test_moderations(self, client: openai.OpenAI) -> None:
        answer = client.moderations.create(model="demo", input=["hi", "there"])
        assert [result.flagged for result in answer.results] == [False, False]

    def test_what_it_does_not_offer(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.APIStatusError) as caught:
            client.responses.create(model="demo", input="hi")
        assert caught.value.status_code == 501
        assert client.chat.completions.create(model="demo", messages=MESSAGES).id
