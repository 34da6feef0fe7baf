import json
from typing import Any

import msgspec
import pytest

from headgate.core.errors import InvalidRequestError
from headgate.providers._anthropic_models import capabilities
from headgate.providers._anthropic_request import ChatSettings, encode_chat

SONNET_4_5 = ChatSettings(capabilities("claude-sonnet-4-5"))
OPUS_4_1 = ChatSettings(capabilities("claude-opus-4-1"))
OPUS_4_7 = ChatSettings(capabilities("claude-opus-4-7"))
OPUS_5_5 = ChatSettings(capabilities("claude-opus-5-5"))
HAIKU_3_5 = ChatSettings(capabilities("claude-3-5-haiku-latest"))
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}


def dropping(settings: ChatSettings) -> ChatSettings:
    return msgspec.structs.replace(settings, drop_params=True)


def encode(settings: ChatSettings = SONNET_4_5, *, stream: bool = False, **members: Any) -> dict[str, Any]:
    members = {"model": "group", "messages": [{"role": "user", "content": "Hi"}], **members}
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in members.items()}
    body: dict[str, Any] = json.loads(encode_chat(raw, msgspec.Raw(b'"claude"'), settings, stream=stream))
    return body


def test_the_least_request() -> None:
    assert encode() == {
        "model": "claude",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "max_tokens": 4096,
    }
    assert encode(stream=True, stream_options={"include_usage": True})["stream"] is True


def test_members_with_a_counterpart_are_translated() -> None:
    body = encode(max_completion_tokens=7, max_tokens=5, stop="END", user="u-1", temperature=0.5, top_p=0.9)
    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == {
        "max_tokens": 7,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "temperature": 0.5,
        "top_p": 0.9,
    }
    assert encode(stop=["a", "\n", "b"])["stop_sequences"] == ["a", "b"]
    assert "stop_sequences" not in encode(stop=[])


def test_the_limit_of_the_deployment_counts_when_the_client_gives_none() -> None:
    settings = msgspec.structs.replace(SONNET_4_5, max_output_tokens=64000)
    assert encode(settings)["max_tokens"] == 64000
    assert encode(settings, max_tokens=10)["max_tokens"] == 10
    assert encode(settings, max_output_tokens=20)["max_tokens"] == 20


def test_members_that_are_anthropics_own_pass_through() -> None:
    own: dict[str, Any] = {
        "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "mcp_servers": [{"type": "url"}],
        "cache_control": {"type": "ephemeral"},
        "service_tier": "standard_only",
    }
    body = encode(max_tokens=3000, **own)
    assert {name: body[name] for name in own} == own
    assert body["max_tokens"] == 3000


def test_a_budget_of_thinking_is_added_to_the_default_limit() -> None:
    assert encode(thinking={"type": "enabled", "budget_tokens": 10000})["max_tokens"] == 14096
    assert encode(thinking={"type": "disabled"})["max_tokens"] == 4096


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 3),
        ("frequency_penalty", 0.5),
        ("presence_penalty", -1),
        ("logit_bias", {"50256": -100}),
        ("seed", 1),
        ("prediction", {"type": "content", "content": "x"}),
        ("modalities", ["text", "audio"]),
        ("functions", [{"name": "f"}]),
        ("service_tier", "flex"),
    ],
)
def test_members_that_only_openai_has_are_refused_or_dropped(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="drop_params: true") as caught:
        encode(**{name: value})
    assert caught.value.param == name
    assert name not in encode(dropping(SONNET_4_5), **{name: value})
    allowed = msgspec.structs.replace(SONNET_4_5, allowed_openai_params=frozenset({name}))
    assert encode(allowed, **{name: value})[name] == value


def test_members_that_ask_for_nothing_are_left_out() -> None:
    nothing: dict[str, Any] = {
        "n": 1,
        "logprobs": False,
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "seed": None,
        "modalities": ["text"],
        "store": True,
        "metadata": {"trace": "x"},
        "prompt_cache_key": "k",
        "service_tier": "default",
    }
    assert encode(**nothing) == encode()


def test_who_asked_is_told_only_when_it_is_no_personal_data() -> None:
    assert "metadata" not in encode(user="ada@example.com")
    assert "metadata" not in encode(user="+44 (0)20 7946 0018")
    assert encode(metadata={"user_id": "u-2"})["metadata"] == {"user_id": "u-2"}


def test_temperature_beyond_anthropics_range() -> None:
    assert encode(temperature=1)["temperature"] == 1
    with pytest.raises(InvalidRequestError, match="0 to 1"):
        encode(temperature=1.5)
    assert encode(dropping(SONNET_4_5), temperature=1.5)["temperature"] == 1
    with pytest.raises(InvalidRequestError, match="temperature"):
        encode(temperature="hot")


def test_sampling_of_models_that_refuse_it() -> None:
    assert encode(OPUS_4_7, temperature=0.5)["temperature"] == 0.5
    assert encode(dropping(OPUS_4_7), temperature=0.5, top_p=0.1, top_k=3) == encode(OPUS_4_7)


def test_tools() -> None:
    tools = [
        {**WEATHER, "cache_control": {"type": "ephemeral"}},
        {"type": "function", "function": {"name": "now", "description": "Time.", "strict": True}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ]
    body = encode(tools=tools)
    empty = {"type": "object", "properties": {}}
    assert body["tools"] == [
        {"name": "weather", "input_schema": empty, "cache_control": {"type": "ephemeral"}},
        {"name": "now", "description": "Time.", "input_schema": empty},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", None, {"type": "auto"}),
        ("none", None, {"type": "none"}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, True, None),
        ({"type": "function", "function": {"name": "weather"}}, None, {"type": "tool", "name": "weather"}),
    ],
)
def test_tool_choice(choice: object, parallel: bool | None, expected: object) -> None:
    body = encode(tools=[WEATHER], tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == expected


def test_tool_choice_without_tools_is_left_out() -> None:
    assert encode(tool_choice="none", tools=[], parallel_tool_calls=False) == encode()


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_tools_of_models_that_never_force_them(choice: object) -> None:
    body = encode(dropping(OPUS_5_5), tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert encode(OPUS_5_5, tools=[WEATHER], tool_choice=choice)["tool_choice"]["type"] in ("any", "tool")


def test_web_search() -> None:
    place = {"type": "approximate", "approximate": {"city": "Paris", "country": "FR", "planet": "Earth"}}
    body = encode(web_search_options={"search_context_size": "low", "user_location": place})
    assert body["tools"] == [
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "max_uses": 1,
            "user_location": {"type": "approximate", "city": "Paris", "country": "FR"},
        }
    ]


@pytest.mark.parametrize(
    ("effort", "budget", "limit"),
    [
        ("minimal", 1024, 5120),
        ("low", 1024, 5120),
        ("medium", 2048, 6144),
        ("high", 4096, 8192),
        ("xhigh", 8192, 12288),
    ],
)
def test_reasoning_effort_is_a_budget_before_claude_4_6(effort: str, budget: int, limit: int) -> None:
    body = encode(reasoning_effort=effort)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert body["max_tokens"] == limit


def test_a_budget_stays_below_the_clients_limit() -> None:
    assert encode(reasoning_effort="high", max_tokens=2000)["thinking"]["budget_tokens"] == 1999
    assert "thinking" not in encode(reasoning_effort="high", max_tokens=1024)


@pytest.mark.parametrize(("effort", "told"), [("minimal", "low"), ("medium", "medium"), ("max", "max")])
def test_reasoning_effort_is_an_effort_since_claude_4_6(effort: str, told: str) -> None:
    body = encode(OPUS_4_7, reasoning_effort=effort)
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": told}
    assert body["max_tokens"] == encode(OPUS_4_7)["max_tokens"] == 16384


def test_reasoning_effort_where_it_says_nothing_or_can_not_be() -> None:
    assert encode(reasoning_effort="none") == encode()
    own = {"type": "enabled", "budget_tokens": 5000}
    assert encode(reasoning_effort="low", thinking=own)["thinking"] == own
    with pytest.raises(InvalidRequestError, match="none or one of"):
        encode(reasoning_effort="gigantic")
    with pytest.raises(InvalidRequestError, match="does not think"):
        encode(HAIKU_3_5, reasoning_effort="low")
    assert encode(dropping(HAIKU_3_5), reasoning_effort="low") == encode()


def test_a_tool_conversation_without_its_thinking_goes_on_without() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    blocks = [{"type": "thinking", "thinking": "Hm", "signature": "s"}]
    asked = {"role": "user", "content": "x"}
    result = {"role": "tool", "tool_call_id": "a", "content": "y"}
    bare = [asked, {"role": "assistant", "tool_calls": [call]}, result]
    whole = [asked, {"role": "assistant", "tool_calls": [call], "thinking_blocks": blocks}, result]
    assert "thinking" not in encode(reasoning_effort="low", tools=[WEATHER], messages=bare)
    assert "thinking" in encode(reasoning_effort="low", tools=[WEATHER], messages=whole)
    assert "thinking" in encode(OPUS_4_7, reasoning_effort="low", tools=[WEATHER], messages=bare)


def test_a_json_schema_is_a_structured_output_since_claude_4_5() -> None:
    body = encode(response_format=JSON_SCHEMA, output_config={"effort": "low"}, tools=[WEATHER])
    expected = {"format": {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}, "effort": "low"}
    assert body["output_config"] == expected
    assert [tool["name"] for tool in body["tools"]] == ["weather"]
    assert "tool_choice" not in body


def test_a_json_schema_is_a_forced_tool_before() -> None:
    body = encode(OPUS_4_1, response_format=JSON_SCHEMA)
    assert body["tools"] == [{"name": "json_tool_call", "input_schema": SCHEMA}]
    assert body["tool_choice"] == {"type": "tool", "name": "json_tool_call"}
    assert "output_config" not in body


def test_the_json_tool_leaves_room_for_the_clients_own_tools() -> None:
    both = encode(OPUS_4_1, response_format=JSON_SCHEMA, tools=[WEATHER])
    assert [tool["name"] for tool in both["tools"]] == ["weather", "json_tool_call"]
    assert both["tool_choice"] == {"type": "any"}
    none = encode(OPUS_4_1, response_format=JSON_SCHEMA, tools=[WEATHER], tool_choice="none")
    assert none["tool_choice"] == {"type": "tool", "name": "json_tool_call"}
    forced = encode(OPUS_4_1, response_format=JSON_SCHEMA, tools=[WEATHER], tool_choice="required")
    assert [tool["name"] for tool in forced["tools"]] == ["weather"]
    thinking = encode(OPUS_4_1, response_format=JSON_SCHEMA, reasoning_effort="low")
    assert "tool_choice" not in thinking
    assert [tool["name"] for tool in thinking["tools"]] == ["json_tool_call"]


def test_any_json_is_an_instruction() -> None:
    body = encode(response_format={"type": "json_object"}, messages=[{"role": "user", "content": "x"}])
    assert "valid JSON object" in body["system"][0]["text"]
    assert "tools" not in body


@pytest.mark.parametrize(
    "members",
    [
        {"messages": None},
        {"max_tokens": "many"},
        {"stop": 3},
        {"tools": {}},
        {"tool_choice": "perhaps"},
        {"parallel_tool_calls": "no", "tools": [WEATHER]},
        {"response_format": {"type": "xml"}},
        {"user": 3},
        {"metadata": []},
        {"thinking": 3},
        {"output_config": 3},
        {"reasoning_effort": 3},
        {"web_search_options": 3},
    ],
)
def test_mistyped_members_are_refused_by_name(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        encode(**members)
    assert caught.value.param == next(iter(members)) or caught.value.param == f"{next(iter(members))}.type"
