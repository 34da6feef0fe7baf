"""An Anthropic deployment, asked with the official `anthropic` package, and by translation with the `openai` one."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.doubles.anthropic_upstream import API_KEY, PAYLOADS, AnthropicUpstream, anthropic_upstream
from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.support import run

MODELS = ("claude", "claude-overloaded", "claude-limited", "claude-too-long", "claude-breaks")
MESSAGES: Any = [{"role": "user", "content": "hi"}]
TEXT = 'Hello • "Zürich" 🚀\n!'
SCHEMA = {"type": "object", "properties": {"location": {"type": "string"}}}
TOOLS: Any = [{"name": name, "description": name, "input_schema": SCHEMA} for name in ("get_weather", "get_time")]
OPENAI_TOOLS: Any = [
    {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}} for tool in TOOLS
]


@pytest.fixture(scope="module")
def claude() -> Iterator[AnthropicUpstream]:
    with anthropic_upstream() as running:
        yield running


@pytest.fixture(scope="module")
def claude_gateway(claude: AnthropicUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    def entry(group: str, model: str, key: str = API_KEY) -> dict[str, Any]:
        parameters = {"model": f"anthropic/{model}", "api_base": claude.url, "api_key": key}
        return {"model_name": group, "litellm_params": parameters}

    configuration = {
        "model_list": [
            *[entry(model, model) for model in MODELS],
            entry("badly-configured", "claude", "sk-ant-wrong"),
            {"model_name": "demo", "litellm_params": {"model": "demo/demo"}},
        ],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    with RunningGateway(tmp_path_factory.mktemp("claude"), configuration) as running:
        yield running


@pytest.fixture(scope="module")
def anthropic_client(claude_gateway: RunningGateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=claude_gateway.url, api_key=MASTER_KEY, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def openai_client(claude_gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{claude_gateway.url}/v1", api_key=MASTER_KEY, max_retries=0) as made:
        yield made


def test_a_message(anthropic_client: anthropic.Anthropic, claude: AnthropicUpstream) -> None:
    answer = anthropic_client.messages.create(model="claude", max_tokens=64, system="Be brief.", messages=MESSAGES)
    recorded = json.loads((PAYLOADS / "message_text.json").read_bytes())
    assert answer.id == recorded["id"]
    assert answer.content[0].type == "text"
    assert answer.content[0].text == recorded["content"][0]["text"]
    assert answer.usage.output_tokens == recorded["usage"]["output_tokens"]
    path, fields, body = claude.requests[-1]
    assert path == "/v1/messages"
    assert body == {"model": "claude", "max_tokens": 64, "system": "Be brief.", "messages": MESSAGES}
    assert fields["x-api-key"] == API_KEY
    assert MASTER_KEY not in str(fields)


def test_the_client_s_version_and_betas_travel(
    anthropic_client: anthropic.Anthropic, claude: AnthropicUpstream
) -> None:
    headers = {"anthropic-version": "2023-01-01", "anthropic-beta": "context-1m-2025-08-07"}
    anthropic_client.messages.create(model="claude", max_tokens=64, messages=MESSAGES, extra_headers=headers)
    _, fields, _ = claude.requests[-1]
    assert {name: fields[name] for name in headers} == headers


def test_a_stream_of_messages(anthropic_client: anthropic.Anthropic) -> None:
    with anthropic_client.messages.stream(model="claude", max_tokens=64, messages=MESSAGES) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == TEXT
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (25, 15)


def test_a_tool_use(anthropic_client: anthropic.Anthropic) -> None:
    answer = anthropic_client.messages.create(model="claude", max_tokens=64, messages=MESSAGES, tools=TOOLS)
    assert answer.stop_reason == "tool_use"
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["get_weather", "get_time"]


def test_a_streamed_tool_use(anthropic_client: anthropic.Anthropic) -> None:
    with anthropic_client.messages.stream(model="claude", max_tokens=64, messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_message()
    uses = [block for block in final.content if block.type == "tool_use"]
    assert [(block.name, block.input) for block in uses] == [
        ("get_weather", {"location": "San Francisco, CA"}),
        ("get_time", {}),
    ]


def test_an_asynchronous_client(claude_gateway: RunningGateway) -> None:
    async def ask() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=claude_gateway.url, api_key=MASTER_KEY, max_retries=0) as client,
            client.messages.stream(model="claude", max_tokens=64, messages=MESSAGES) as stream,
        ):
            return await stream.get_final_text()

    assert run(ask()) == TEXT


def test_tokens_are_counted(anthropic_client: anthropic.Anthropic, claude: AnthropicUpstream) -> None:
    answer = anthropic_client.messages.count_tokens(model="claude", messages=MESSAGES)
    assert answer.input_tokens == json.loads((PAYLOADS / "count_tokens.json").read_bytes())["input_tokens"]
    assert claude.requests[-1][0] == "/v1/messages/count_tokens"


def test_tokens_that_nobody_counts_are_asked_for_once(
    claude_gateway: RunningGateway, anthropic_client: anthropic.Anthropic
) -> None:
    before = claude_gateway.gateway.counters.requests
    patient = anthropic_client.with_options(max_retries=2)
    with pytest.raises(anthropic.InternalServerError, match="does not count tokens") as raised:
        patient.messages.count_tokens(model="demo", messages=MESSAGES)
    assert raised.value.status_code == 501
    assert claude_gateway.gateway.counters.requests == before + 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error", "kind"),
    [
        ("claude-overloaded", anthropic.InternalServerError, "overloaded_error"),
        ("claude-limited", anthropic.RateLimitError, "rate_limit_error"),
        ("claude-too-long", anthropic.BadRequestError, "invalid_request_error"),
        ("badly-configured", anthropic.AuthenticationError, "authentication_error"),
        ("nope", anthropic.BadRequestError, "invalid_request_error"),
    ],
)
def test_a_failure_becomes_the_sdk_s_exception(
    anthropic_client: anthropic.Anthropic,
    model: str,
    error: type[anthropic.APIStatusError],
    kind: str,
    stream: bool,
) -> None:
    with pytest.raises(error) as caught:
        anthropic_client.messages.create(model=model, max_tokens=64, messages=MESSAGES, stream=stream)
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == kind
    assert caught.value.response.headers["x-litellm-call-id"]


def test_an_overload_is_a_503_for_openai_s_clients_too(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        openai_client.chat.completions.create(model="claude-overloaded", messages=MESSAGES)
    assert caught.value.status_code == 503


def test_a_rate_limit_says_when_to_come_back(anthropic_client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        anthropic_client.messages.create(model="claude-limited", max_tokens=64, messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_wrong_key(claude_gateway: RunningGateway) -> None:
    with (
        anthropic.Anthropic(base_url=claude_gateway.url, api_key="sk-wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(model="claude", max_tokens=64, messages=MESSAGES)
    body: Any = caught.value.body
    assert body["error"]["type"] == "authentication_error"


def test_a_bearer_token_is_a_key_too(claude_gateway: RunningGateway) -> None:
    with anthropic.Anthropic(base_url=claude_gateway.url, auth_token=MASTER_KEY, max_retries=0) as client:
        assert client.messages.create(model="claude", max_tokens=64, messages=MESSAGES).content


def test_a_stream_that_becomes_an_error_raises(anthropic_client: anthropic.Anthropic) -> None:
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        anthropic_client.messages.stream(model="claude-breaks", max_tokens=64, messages=MESSAGES) as stream,
    ):
        stream.get_final_message()


def test_openai_s_chat_is_translated(openai_client: openai.OpenAI, claude: AnthropicUpstream) -> None:
    messages: Any = [{"role": "system", "content": "Be brief."}, *MESSAGES]
    answer = openai_client.chat.completions.create(model="claude", messages=messages, max_tokens=64)
    recorded = json.loads((PAYLOADS / "message_text.json").read_bytes())
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == recorded["content"][0]["text"]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == recorded["usage"]["output_tokens"]
    _, _, body = claude.requests[-1]
    assert "Be brief." in json.dumps(body["system"])
    assert body["max_tokens"] == 64


def test_openai_s_stream_is_translated(openai_client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    with openai_client.chat.completions.create(
        model="claude", messages=MESSAGES, stream=True, stream_options=options
    ) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage is not None
    # 25 new tokens, 10 written to the cache and 5 read from it.
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (40, 15)


def test_openai_s_tools_are_translated(openai_client: openai.OpenAI, claude: AnthropicUpstream) -> None:
    answer = openai_client.chat.completions.create(model="claude", messages=MESSAGES, tools=OPENAI_TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    names = [call.function.name for call in calls if call.type == "function"]
    assert names == ["get_weather", "get_time"]
    assert [tool["name"] for tool in claude.requests[-1][2]["tools"]] == names
    again: Any = [
        *MESSAGES,
        answer.choices[0].message.model_dump(exclude_none=True),
        *[{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls],
    ]
    openai_client.chat.completions.create(model="claude", messages=again, tools=OPENAI_TOOLS)
    results = claude.requests[-1][2]["messages"][-1]["content"]
    assert [block["tool_use_id"] for block in results] == [call.id for call in calls]


def test_openai_s_streamed_tools_are_translated(openai_client: openai.OpenAI) -> None:
    with openai_client.chat.completions.stream(model="claude", messages=MESSAGES, tools=OPENAI_TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    arguments = [json.loads(call.function.arguments or "{}") for call in message.tool_calls]
    assert arguments == [{"location": "San Francisco, CA"}, {}]


def test_what_is_not_translated_is_501(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client.embeddings.create(model="claude", input="hi")
    assert caught.value.status_code == 501
