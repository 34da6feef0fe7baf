"""Anthropic's Messages API in front of chat upstreams: requests, whole answers and streams translated."""

import json
from itertools import pairwise
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from headgate.core.errors import Category, InvalidRequestError, UpstreamError
from headgate.core.json import decode_object
from headgate.core.provider import Call, Operation, Provider
from headgate.providers import create
from headgate.providers._messages_over_chat import MessagesOverChat, with_messages

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
TOOL = {"name": "weather", "description": "Tells the weather", "input_schema": {"type": "object"}}
JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream")]


def provider(name: str = "openai") -> MessagesOverChat:
    return MessagesOverChat(create(f"{name}/m", {"api_base": "http://127.0.0.1:9/v1", "api_key": "sk-x"}, {}))


def call(*, stream: bool = False, **members: Any) -> Call:
    given = {"model": "group", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], **members}
    if stream:
        given["stream"] = True
    body = json.dumps(given).encode()
    return Call(Operation.MESSAGES, "group", decode_object(body), body, stream=stream)


def encoded(name: str = "openai", **members: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(provider(name).encode(call(**members)).body)
    return sent


def completion(message: dict[str, Any], finish_reason: str = "stop") -> bytes:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return json.dumps({"id": "c1", "model": "gpt", "choices": [choice], "usage": usage}).encode()


def decoded(message: dict[str, Any], finish_reason: str = "stop") -> Message:
    answer = provider().decode(call(), JSON, completion(message, finish_reason))
    return Message.model_validate(json.loads(answer.body), strict=True)


def test_asks_the_chat_route_for_the_same_conversation() -> None:
    request = provider().encode(call(system="Be kind.", temperature=0.5, stop_sequences=["x"]))
    assert request.target == b"/v1/chat/completions"
    assert json.loads(request.body) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 64,
        "temperature": 0.5,
        "stop": ["x"],
    }


def test_compatible_servers_get_the_older_name_of_the_limit() -> None:
    assert "max_tokens" in encoded("hosted_vllm")


def test_a_tool_conversation_becomes_chat_messages_in_order() -> None:
    sent = encoded(
        system=[
            {"type": "text", "text": "One."},
            {"type": "text", "text": "Two.", "cache_control": {"type": "ephemeral"}},
        ],
        tools=[TOOL],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        metadata={"user_id": "u1"},
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Paris"}},
                    {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Thanks."},
                    {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "t2",
                        "is_error": True,
                        "content": [{"type": "text", "text": "no city"}],
                    },
                ],
            },
        ],
    )
    arguments = [c["function"]["arguments"] for c in sent["messages"][2]["tool_calls"]]
    assert [json.loads(text) for text in arguments] == [{"city": "Paris"}, {}]
    assert sent["messages"][0] == {"role": "system", "content": "One.\n\nTwo."}
    assert sent["messages"][2]["content"] == "Looking."
    assert sent["messages"][3:] == [
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: no city"},
        {"role": "user", "content": "Thanks."},
    ]
    assert sent["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "Tells the weather", "parameters": {"type": "object"}},
        }
    ]
    assert (sent["tool_choice"], sent["parallel_tool_calls"], sent["user"]) == ("required", False, "u1")


def test_images_and_documents_become_parts() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}
    content = [
        {"type": "image", "source": source},
        {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        {"type": "document", "title": "a.pdf", "source": pdf},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
    ]
    sent = encoded(messages=[{"role": "user", "content": content}])
    assert sent["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
        {"type": "text", "text": "plain"},
    ]


def test_an_image_in_a_tool_result_follows_it_in_a_user_message() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}]}
    sent = encoded(messages=[{"role": "user", "content": [result]}])
    assert [message["role"] for message in sent["messages"]] == ["tool", "user"]
    assert sent["messages"][1]["content"][0]["type"] == "image_url"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ({"tools": "x"}, "tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "x"}}, "tool_choice.type"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": [{"type": "image"}]}]}, "messages"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "x"}]}]}, "messages"),
        ({"system": 5}, "system"),
        ({"mcp_servers": []}, "mcp_servers"),
    ],
)
def test_what_chat_can_not_express_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encoded(**members)
    assert caught.value.param == param


def test_a_text_answer() -> None:
    message = decoded({"content": "Hello"})
    assert (message.content[0].type, message.stop_reason, message.id, message.model) == (
        "text",
        "end_turn",
        "c1",
        "gpt",
    )
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (6, 3, 4)


def test_reasoning_and_tool_calls() -> None:
    function = {"name": "weather", "arguments": '{"city":"Paris"}'}
    calls = [{"id": "t1", "type": "function", "function": function}]
    message = decoded({"content": None, "reasoning_content": "hm", "tool_calls": calls}, "tool_calls")
    assert [block.type for block in message.content] == ["thinking", "tool_use"]
    assert message.content[1].input == {"city": "Paris"}  # type: ignore[union-attr]
    assert message.stop_reason == "tool_use"


def test_arguments_that_are_no_object_are_kept() -> None:
    calls = [{"id": "t1", "type": "function", "function": {"name": "weather", "arguments": "{broken"}}]
    message = decoded({"content": None, "tool_calls": calls}, "tool_calls")
    assert message.content[0].input == {"arguments": "{broken"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("reason", "expected"), [("length", "max_tokens"), ("content_filter", "refusal"), ("?", "end_turn")]
)
def test_stop_reasons(reason: str, expected: str) -> None:
    assert decoded({"content": "x"}, reason).stop_reason == expected


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b'{"choices":[{"index":0}]}', b"[1]", b"x"])
def test_what_is_no_completion_is_an_error(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        provider().decode(call(), JSON, body)
    assert caught.value.category is Category.PROTOCOL


def chunks(*deltas: dict[str, Any], finish_reason: str = "stop", usage: bool = True) -> bytes:
    common = {"id": "c1", "object": "chat.completion.chunk", "model": "gpt"}
    events: list[dict[str, Any]] = [
        {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    events.append({**common, "choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    if usage:
        events.append({**common, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}})
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


def tool_delta(
    index: int, *, identifier: str | None = None, name: str | None = None, arguments: str = ""
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    one: dict[str, Any] = {"index": index, "function": function}
    if identifier:
        one["id"] = identifier
    return {"tool_calls": [one]}


STREAM = chunks(
    {"role": "assistant", "content": ""},
    {"reasoning_content": "hm"},
    {"content": "Hel"},
    {"content": "lo"},
    tool_delta(0, identifier="t1", name="weather"),
    tool_delta(0, arguments='{"city":'),
    tool_delta(0, arguments='"Paris"}'),
    tool_delta(1, identifier="t2", name="weather", arguments="{}"),
    finish_reason="tool_calls",
)


def translated(data: bytes, *cuts: int) -> tuple[list[dict[str, Any]], Any]:
    translator = provider().translator(call(stream=True), EVENTS)
    output = b""
    bounds = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(bounds):
        output += translator.feed(data[start:end])
    output += translator.finish()
    events = []
    for block in output.decode().split("\n\n")[:-1]:
        name, payload = block.split("\n")
        event = json.loads(payload.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        EVENT.validate_python(event)
        events.append(event)
    return events, translator


def test_a_stream_becomes_the_events_of_a_message() -> None:
    events, translator = translated(STREAM)
    assert [event["type"] for event in events] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in starts] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block.get("id") for block in starts[2:]] == ["t1", "t2"]
    assert [event["index"] for event in events if event["type"] == "content_block_stop"] == [0, 1, 2, 3]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert (events[-2]["usage"]["input_tokens"], events[-2]["usage"]["output_tokens"]) == (9, 4)
    assert translator.complete
    assert translator.failure is None
    assert translator.usage is not None
    assert translator.usage.output_tokens == 4


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=12))
def test_a_stream_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    assert translated(STREAM, *cuts)[0] == translated(STREAM)[0]


def test_a_stream_that_breaks_off_is_a_failure_and_never_complete() -> None:
    _, translator = translated(STREAM[: len(STREAM) // 3])
    assert translator.failure is not None
    assert not translator.complete


def test_an_error_in_the_stream_is_a_failure() -> None:
    _, translator = translated(b'data: {"error": {"message": "overloaded", "code": 503}}\n\n')
    assert translator.failure is not None


@given(st.binary(max_size=300))
def test_garbage_never_raises(data: bytes) -> None:
    translator = provider().translator(call(stream=True), EVENTS)
    translator.feed(data)
    translator.finish()
    assert translator.failure is not None or translator.complete or not data.strip()


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_provider_is_wrapped_only_where_it_needs_it(name: str) -> None:
    chat: Provider = create(f"{name}/m", {"api_key": "sk-x"}, {})
    found = with_messages(chat)
    assert found is not None
    assert found.supports(Operation.MESSAGES)
    assert (found is chat) == (name == "anthropic")
