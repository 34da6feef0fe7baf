import contextlib
import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from headgate.core.errors import Category, ConfigurationError, InvalidRequestError, UpstreamError
from headgate.core.json import decode_object
from headgate.core.provider import Call, Operation, Provider
from headgate.core.usage import Usage
from headgate.providers._anthropic import AnthropicProvider

RECORDED = pathlib.Path(__file__).parents[1] / "contract" / "anthropic"
HELLO: dict[str, Any] = {"model": "group", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
BETA = (b"anthropic-beta", b"context-1m-2025-08-07")


def provider(
    model: str = "claude-sonnet-4-5", environ: dict[str, str] | None = None, **parameters: Any
) -> AnthropicProvider:
    parameters = {"api_key": "sk-ant-test-key", **parameters}
    return AnthropicProvider.from_parameters("anthropic", model, parameters, environ or {}, clock=lambda: 1700000000.9)


def call(operation: Operation, body: dict[str, Any] | bytes = HELLO, **more: Any) -> Call:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call(operation, "group", decode_object(encoded), encoded, **more)


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def header_lines(block: bytes) -> dict[str, str]:
    assert block.endswith(b"\r\n")
    pairs = [line.split(": ", 1) for line in block.decode().split("\r\n")[:-1]]
    assert len({name for name, _ in pairs}) == len(pairs)
    return {pair[0]: pair[1] for pair in pairs}


def test_it_is_a_provider() -> None:
    bound: Provider = provider()
    assert (bound.name, bound.model, bound.credentials) == ("anthropic", "claude-sonnet-4-5", None)
    assert {operation for operation in Operation if bound.supports(operation)} == {
        Operation.CHAT,
        Operation.MESSAGES,
        Operation.COUNT_TOKENS,
    }
    assert bound.attachments(call(Operation.CHAT)) == ()


@pytest.mark.parametrize(
    ("api_base", "shown", "target"),
    [
        (None, "https://api.anthropic.com", b"/v1/messages"),
        ("https://proxy.example/anthropic", "https://proxy.example/anthropic", b"/anthropic/v1/messages"),
        ("https://proxy.example/anthropic/", "https://proxy.example/anthropic", b"/anthropic/v1/messages"),
        ("http://localhost:8080/v1", "http://localhost:8080", b"/v1/messages"),
        ("http://localhost:8080/v1/messages", "http://localhost:8080", b"/v1/messages"),
        ("https://proxy.example/a?tenant=b", "https://proxy.example/a", b"/a/v1/messages?tenant=b"),
    ],
)
def test_base_urls(api_base: str | None, shown: str, target: bytes) -> None:
    bound = provider(api_base=api_base)
    assert bound.api_base == shown
    assert bound.encode(call(Operation.MESSAGES)).target == target


def test_settings_come_from_the_environment_where_the_parameters_hold_none() -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-ant-environment", "ANTHROPIC_BASE_URL": "https://elsewhere.example"}
    request = provider(environ=environ, api_key=None).encode(call(Operation.MESSAGES))
    assert header_lines(request.headers)["x-api-key"] == "sk-ant-environment"
    assert request.origin.host == "elsewhere.example"
    environ["ANTHROPIC_API_BASE"] = "https://first.example"
    assert provider(environ=environ).api_base == "https://first.example"
    assert provider(environ=environ, api_base="https://given.example").api_base == "https://given.example"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"api_key": None}, "ANTHROPIC_API_KEY"),
        ({"api_base": "ftp://x"}, "api_base"),
        ({"max_output_tokens": "many"}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"extra_headers": {"x": "a\r\nb"}}, "extra_headers"),
        ({"allowed_openai_params": "seed"}, "allowed_openai_params"),
    ],
)
def test_a_configuration_that_can_not_work_is_refused(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        provider(**parameters)


def test_headers() -> None:
    bound = provider(extra_headers={"X-Team": "a", "Anthropic-Beta": "one"})
    assert header_lines(bound.encode(call(Operation.CHAT)).headers) == {
        "content-type": "application/json",
        "x-api-key": "sk-ant-test-key",
        "x-team": "a",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "one",
    }
    client = (BETA, (b"anthropic-version", b"2099-01-01"), (b"x-api-key", b"sk-stolen"), (b"cookie", b"a=b"))
    combined = header_lines(bound.encode(call(Operation.MESSAGES, headers=client)).headers)
    assert combined["anthropic-beta"] == "one,context-1m-2025-08-07"
    assert combined["anthropic-version"] == "2099-01-01"
    assert combined["x-api-key"] == "sk-ant-test-key"
    assert "cookie" not in combined


def test_a_header_that_would_split_the_request_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="anthropic-beta"):
        provider().encode(call(Operation.MESSAGES, headers=((b"anthropic-beta", b"a\r\nx: y"),)))


def test_a_native_body_passes_with_nothing_changed_but_the_model() -> None:
    body = b'{"max_tokens":10,"model":"group","messages":[{"role":"user","content":"H\\u0069"}],"new_member":[1, 2]}'
    sent = provider().encode(call(Operation.MESSAGES, body)).body
    assert sent == body.replace(b'"group"', b'"claude-sonnet-4-5"')


def test_the_call_stays_as_it_was_for_the_next_attempt() -> None:
    for operation in (Operation.CHAT, Operation.MESSAGES):
        made = call(operation)
        before = dict(made.members)
        first = provider(temperature=0.5).encode(made)
        assert made.members == before
        assert provider(temperature=0.5).encode(made) == first


def test_a_wildcard_names_the_model() -> None:
    made = call(Operation.CHAT, {**HELLO, "reasoning_effort": "low"}, wildcard="claude-opus-4-7")
    sent = json.loads(provider("*").encode(made).body)
    assert sent["model"] == "claude-opus-4-7"
    assert sent["thinking"]["type"] == "adaptive"


def test_defaults_of_the_deployment() -> None:
    bound = provider(
        temperature=0.2, max_tokens=99, stop="END", max_output_tokens=5000, extra_body={"speed": "fast"}, rpm=5
    )
    chat = json.loads(bound.encode(call(Operation.CHAT)).body)
    assert (chat["temperature"], chat["max_tokens"], chat["stop_sequences"], chat["speed"]) == (
        0.2,
        10,
        ["END"],
        "fast",
    )
    assert "rpm" not in chat
    # OpenAI's names mean nothing in a native request, and counting takes hardly any member at all.
    native = json.loads(bound.encode(call(Operation.MESSAGES)).body)
    assert native == {**HELLO, "model": "claude-sonnet-4-5", "temperature": 0.2, "speed": "fast"}
    body = {"model": "group", "messages": HELLO["messages"]}
    counted = bound.encode(call(Operation.COUNT_TOKENS, body))
    assert json.loads(counted.body) == {**body, "model": "claude-sonnet-4-5"}
    assert counted.target == b"/v1/messages/count_tokens"
    assert json.loads(bound.encode(call(Operation.CHAT, body)).body)["max_tokens"] == 99
    assert json.loads(provider(max_output_tokens=5000).encode(call(Operation.CHAT, body)).body)["max_tokens"] == 5000


def test_parameters_are_dropped_on_request() -> None:
    body = {**HELLO, "seed": 1, "top_k": 3}
    with pytest.raises(InvalidRequestError, match="seed"):
        provider().encode(call(Operation.CHAT, body))
    sent = json.loads(
        provider(drop_params=True, additional_drop_params=["top_k"]).encode(call(Operation.CHAT, body)).body
    )
    assert "seed" not in sent
    assert "top_k" not in sent


def test_a_native_answer_passes_with_its_usage_read() -> None:
    answer = provider().decode(call(Operation.MESSAGES), (), recorded("message_tools.json"))
    assert answer.body == recorded("message_tools.json")
    assert answer.usage == Usage(input_tokens=622, output_tokens=89, cache_read_tokens=50, cache_write_tokens=100)


def test_a_token_count_passes_and_costs_nothing() -> None:
    answer = provider().decode(call(Operation.COUNT_TOKENS), (), recorded("count_tokens.json"))
    assert (answer.body, answer.usage) == (recorded("count_tokens.json"), None)


def completion(name: str) -> dict[str, Any]:
    answer = provider().decode(call(Operation.CHAT), (), recorded(name))
    ChatCompletion.model_validate_json(answer.body, strict=True)
    found: dict[str, Any] = json.loads(answer.body)
    assert answer.usage is not None
    assert found["usage"]["prompt_tokens"] == answer.usage.input_tokens
    assert found["usage"]["completion_tokens"] == answer.usage.output_tokens
    return found


def test_a_chat_answer() -> None:
    found = completion("message_text.json")
    assert (found["id"], found["object"], found["created"]) == (
        "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "chat.completion",
        1700000000,
    )
    assert found["model"] == "claude-sonnet-4-5-20250929"
    assert found["choices"] == [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hi! My name is Claude."},
        }
    ]


def test_a_chat_answer_with_tools() -> None:
    found = completion("message_tools.json")
    message = found["choices"][0]["message"]
    assert message["content"] == "I'll check both cities."
    assert [
        (each["id"], each["type"], each["function"]["name"], json.loads(each["function"]["arguments"]))
        for each in message["tool_calls"]
    ] == [
        ("toolu_01A09q90qw90lq917835lq9", "function", "get_weather", {"location": "San Francisco, CA"}),
        ("toolu_01B19q90qw90lq917835lq8", "function", "get_time", {}),
    ]
    assert found["choices"][0]["finish_reason"] == "tool_calls"
    assert found["usage"]["prompt_tokens"] == 622
    assert found["usage"]["prompt_tokens_details"]["cached_tokens"] == 50
    assert found["usage"]["cache_creation_input_tokens"] == 100


def test_a_chat_answer_with_thinking() -> None:
    found = completion("message_thinking.json")
    message = found["choices"][0]["message"]
    assert message["content"] == "27 * 453 = 12,231"
    assert message["reasoning_content"] == "27 * 453 = 12231."
    assert [block["type"] for block in message["thinking_blocks"]] == ["thinking", "redacted_thinking"]
    assert message["thinking_blocks"][0]["signature"].startswith("EqQB")
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] == 80


def test_a_chat_answer_with_citations() -> None:
    message = completion("message_citations.json")["choices"][0]["message"]
    assert message["content"] == "According to the document, the grass is green."
    assert message["provider_specific_fields"]["citations"][0][0]["cited_text"] == "The grass is green."


def test_an_answer_of_the_json_tool_is_content() -> None:
    choice = completion("message_json_tool.json")["choices"][0]
    assert json.loads(choice["message"]["content"]) == {"city": "Zürich", "inhabitants": 443000}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "stop"


def test_a_refusal() -> None:
    choice = completion("message_refusal.json")["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("a_new_reason", "stop"),
    ],
)
def test_finish_reasons(stop_reason: str, finish_reason: str) -> None:
    body = recorded("message_text.json").replace(b'"end_turn"', f'"{stop_reason}"'.encode())
    answer = provider().decode(call(Operation.CHAT), (), body)
    assert json.loads(answer.body)["choices"][0]["finish_reason"] == finish_reason


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.MESSAGES, Operation.COUNT_TOKENS])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"id":"a","usage":null}', b"\xff", b"[" * 100_000])
def test_what_is_no_answer_is_a_protocol_error(operation: Operation, body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        provider().decode(call(operation), (), body)
    assert (caught.value.category, caught.value.status) == (Category.PROTOCOL, 502)


@given(st.binary(max_size=200), st.integers(100, 599))
def test_arbitrary_answers_never_raise_anything_else(body: bytes, status: int) -> None:
    bound = provider()
    for operation in (Operation.CHAT, Operation.MESSAGES, Operation.COUNT_TOKENS):
        with pytest.raises(UpstreamError):
            bound.decode(call(operation), (), body)
    assert isinstance(bound.failure(status, ((b"retry-after", body),), body), UpstreamError)


@given(st.binary(max_size=12), st.integers(0, 2000))
def test_damaged_answers_never_raise_anything_else(damage: bytes, position: int) -> None:
    body = recorded("message_tools.json")
    position %= len(body)
    damaged = body[:position] + damage + body[position + len(damage) :]
    for operation in (Operation.CHAT, Operation.MESSAGES):
        with contextlib.suppress(UpstreamError):
            assert provider().decode(call(operation), (), damaged).body


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "image_url",
                    "url",
                    "file",
                    "file_data",
                    "tool_calls",
                    "id",
                    "function",
                    "name",
                    "arguments",
                    "parameters",
                    "json_schema",
                    "schema",
                    "properties",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "messages",
                "tools",
                "tool_choice",
                "response_format",
                "stop",
                "max_tokens",
                "temperature",
                "n",
                "user",
                "metadata",
                "thinking",
                "reasoning_effort",
                "output_config",
                "web_search_options",
                "stream",
            ]
        ),
        JSON_VALUES,
    )
)
def test_arbitrary_requests_are_encoded_or_refused(members: dict[str, Any]) -> None:
    body = {"messages": HELLO["messages"], **members}
    for model in ("claude-sonnet-4-5", "claude-3-5-haiku-latest"):
        try:
            sent = provider(model).encode(call(Operation.CHAT, body))
        except InvalidRequestError:
            continue
        assert json.loads(sent.body)["messages"]


@pytest.mark.parametrize(
    ("status", "name", "category", "told"),
    [
        (400, "error_invalid_request.json", Category.BAD_REQUEST, 400),
        (400, "error_prompt_too_long.json", Category.CONTEXT_WINDOW, 400),
        (400, "error_content_filter.json", Category.CONTENT_POLICY, 400),
        (401, "error_authentication.json", Category.AUTHENTICATION, 401),
        (429, "error_rate_limit.json", Category.RATE_LIMIT, 429),
        (529, "error_overloaded.json", Category.INTERNAL, 503),
    ],
)
def test_failures(status: int, name: str, category: Category, told: int) -> None:
    error = provider().failure(status, ((b"retry-after", b"7"),), recorded(name))
    assert (error.category, error.status, error.upstream_status) == (category, told, status)
    assert error.retry_after == 7
    said = json.loads(recorded(name))["error"]["message"]
    assert (error.message == said) is (category is not Category.AUTHENTICATION)


def test_a_failure_never_tells_a_secret() -> None:
    bound = provider(extra_headers={"x-gateway-token": "very-secret-token", "x-team": "a"})
    body = json.dumps(
        {"error": {"type": "api_error", "message": "key sk-ant-test-key and very-secret-token, a"}}
    ).encode()
    message = bound.failure(500, (), body).message
    assert message == "key [redacted] and [redacted], a"


def test_a_tool_conversation_survives_the_way_there_and_back() -> None:
    """What the translated answer holds, sent back as a client would, is what the model said."""
    said = completion("message_tools.json")["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": each["id"], "content": "ok"} for each in said["tool_calls"]]
    tools = [{"type": "function", "function": {"name": each["function"]["name"]}} for each in said["tool_calls"]]
    body = {**HELLO, "messages": [{"role": "user", "content": "Hi"}, said, *results], "tools": tools}
    turns = json.loads(provider().encode(call(Operation.CHAT, body)).body)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == json.loads(recorded("message_tools.json"))["content"]
    assert [block["tool_use_id"] for block in turns[2]["content"]] == [each["id"] for each in said["tool_calls"]]


def test_thinking_survives_the_way_there_and_back() -> None:
    said = completion("message_thinking.json")["choices"][0]["message"]
    body = {**HELLO, "messages": [{"role": "user", "content": "x"}, said, {"role": "user", "content": "y"}]}
    turns = json.loads(provider().encode(call(Operation.CHAT, body)).body)["messages"]
    assert turns[1]["content"] == json.loads(recorded("message_thinking.json"))["content"]


def test_streams_are_translated_for_chat_and_relayed_for_messages() -> None:
    bound, data = provider(), recorded("stream_text.sse")
    translated = bound.translator(call(Operation.CHAT, stream=True, include_usage=True), ())
    sent = translated.feed(data)
    assert b'"created":1700000000' in sent
    assert b'"choices":[],"usage"' in sent
    assert sent.endswith(b"data: [DONE]\n\n")
    relayed = bound.translator(call(Operation.MESSAGES, stream=True), ())
    assert relayed.feed(data) == data
    assert relayed.usage == translated.usage
