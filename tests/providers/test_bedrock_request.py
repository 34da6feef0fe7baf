import json
from typing import Any

import pytest

from headgate.core.errors import InvalidRequestError
from headgate.core.json import raw
from headgate.core.provider import Attachment
from headgate.providers._bedrock_models import traits
from headgate.providers._bedrock_request import ChatSettings, encode_chat

CLAUDE_3 = "anthropic.claude-3-5-sonnet-20241022-v2:0"
CLAUDE_37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
CLAUDE_45 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_46 = "us.anthropic.claude-sonnet-4-6"
CLAUDE_48 = "us.anthropic.claude-opus-4-8"
LLAMA = "meta.llama3-1-70b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2402-v1:0"
HELLO = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "description": "an answer"}}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


def tool(name: str = "look", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA, **function}}


def encode(
    model: str = CLAUDE_3,
    messages: Any = None,
    settings: ChatSettings | None = None,
    attachments: dict[str, Attachment] | None = None,
    **members: Any,
) -> Any:
    given = {name: raw(value) for name, value in {"messages": messages or HELLO, **members}.items()}
    return json.loads(encode_chat(given, traits(model), settings or ChatSettings(), attachments or {}))


def refused(model: str = CLAUDE_3, messages: Any = None, **members: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        encode(model, messages, **members)
    return caught.value


def turns(messages: Any, **options: Any) -> Any:
    return encode(CLAUDE_3, messages, **options)["messages"]


def test_the_least_request() -> None:
    assert encode() == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def test_instructions_from_anywhere_become_system_blocks() -> None:
    body = encode(messages=[
        {"role": "system", "content": "one"},
        *HELLO,
        {"role": "developer", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": " "}]},
    ])  # fmt: skip
    assert body["system"] == [{"text": "one"}, {"text": "two"}]
    assert len(body["messages"]) == 1


def test_turns_of_one_role_are_merged_and_blank_ones_left_out() -> None:
    assert turns([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "\n"}]},
        {"role": "assistant", "content": "c "},
    ]) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
    ]  # fmt: skip


@pytest.mark.parametrize("messages", [[{"role": "system", "content": "x"}], [{"role": "user", "content": "  "}]])
def test_a_chat_without_a_word_of_the_user_is_refused(messages: Any) -> None:
    assert refused(messages=messages).param == "messages"


def test_parallel_calls_and_their_results() -> None:
    second = {"id": "call:2", "type": "function", "function": {"name": "look", "arguments": ""}}
    body = turns([
        *HELLO,
        {"role": "assistant", "content": "let me see", "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call:2", "content": [PNG, {"type": "text", "text": "map"}]},
        {"role": "user", "content": "so?"},
    ])  # fmt: skip
    assert body[1]["content"] == [
        {"text": "let me see"},
        {"toolUse": {"toolUseId": "call_1", "name": "look", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "call_2", "name": "look", "input": {}}},
    ]
    assert body[2]["content"] == [
        {"toolResult": {"toolUseId": "call_1", "content": [{"text": "sunny"}]}},
        {
            "toolResult": {
                "toolUseId": "call_2",
                "content": [{"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}, {"text": "map"}],
            }
        },
        {"text": "so?"},
    ]


def test_arguments_that_are_no_object_are_refused() -> None:
    bad = {**CALL, "function": {"name": "look", "arguments": "[1"}}
    error = refused(messages=[*HELLO, {"role": "assistant", "tool_calls": [bad]}])
    assert error.param == "messages[1].tool_calls[0].function.arguments"


def test_signed_reasoning_goes_back_and_unsigned_does_not() -> None:
    message = {
        "role": "assistant",
        "content": "a",
        "thinking_blocks": [
            {"type": "thinking", "thinking": "t", "signature": "c2ln"},
            {"type": "thinking", "thinking": "unsigned"},
            {"type": "redacted_thinking", "data": "AAAA"},
        ],
    }
    assert turns([*HELLO, message])[1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "AAAA"}},
        {"text": "a"},
    ]


def test_cache_control_becomes_cache_points() -> None:
    body = encode(
        messages=[
            {"role": "system", "content": "s", "cache_control": {"type": "ephemeral"}},
            {
                "role": "user",
                "content": [{"type": "text", "text": "u", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            },
        ],
        tools=[tool(cache_control={"type": "ephemeral"})],
    )
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "s"}, point]
    assert body["messages"][0]["content"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["toolConfig"]["tools"][1] == point


def file(url: str, **fields: str) -> Any:
    part = {"type": "file", "file": {"file_data": url, **fields}}
    return turns([{"role": "user", "content": [part, part]}])[0]["content"]


def test_documents_have_unique_neutral_names() -> None:
    blocks = file("data:application/pdf;base64,JVBERg==", filename="my_report (v1).final.pdf")
    assert [block["document"]["name"] for block in blocks] == ["my report (v1) final", "my report (v1) final (2)"]
    assert blocks[0]["document"]["format"] == "pdf"
    assert file("data:text/csv;base64,YSxi")[0]["document"]["name"] == "document"


def test_files_in_s3_are_named_not_sent() -> None:
    part = {"type": "file", "file": {"file_id": "s3://bucket/a.pdf"}}
    (block,) = turns([{"role": "user", "content": [part]}])[0]["content"]
    source = {"s3Location": {"uri": "s3://bucket/a.pdf"}}
    assert block == {"document": {"format": "pdf", "name": "a", "source": source}}


def test_fetched_images_are_sent_by_content() -> None:
    url = "https://example.com/a.webp"
    message = {"role": "user", "content": [{"type": "image_url", "image_url": url}]}
    (block,) = turns([message], attachments={url: Attachment("image/webp", b"\x00\x01")})[0]["content"]
    assert block == {"image": {"format": "webp", "source": {"bytes": "AAE="}}}
    assert refused(messages=[message]).param == "messages[0].content[0].image_url"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": "data:application/zip;base64,AA=="},
        {"type": "image_url", "image_url": "data:image/png,plain"},
        {"type": "image_url", "image_url": "ftp://x/y"},
        {"type": "file", "file": {}},
    ],
)
def test_files_that_can_not_be_sent_are_refused(part: Any) -> None:
    assert str(refused(messages=[{"role": "user", "content": [part]}]).param).startswith("messages[0].content[0].")


def test_sampling_and_stops() -> None:
    body = encode(max_completion_tokens=7, max_tokens=9, temperature=0.5, top_p=0.9, stop=["a", "\n"])
    assert body["inferenceConfig"] == {"maxTokens": 7, "temperature": 0.5, "topP": 0.9, "stopSequences": ["a"]}


@pytest.mark.parametrize(("asked", "sent"), [(None, 100), (50, 50), (500, 100)])
def test_the_deployment_limits_every_answer(asked: int | None, sent: int) -> None:
    limited = ChatSettings(max_tokens=100)
    assert encode(settings=limited, max_tokens=asked)["inferenceConfig"]["maxTokens"] == sent
    assert encode(settings=limited, inferenceConfig={"maxTokens": 500})["inferenceConfig"]["maxTokens"] == 100


def test_top_k_has_a_place_in_each_family() -> None:
    assert encode(top_k=5)["additionalModelRequestFields"] == {"top_k": 5}
    nova = encode("us.amazon.nova-pro-v1:0", top_k=5)["additionalModelRequestFields"]
    assert nova == {"inferenceConfig": {"topK": 5}}


def test_converse_members_pass_and_unknown_ones_go_to_the_model() -> None:
    body = encode(requestMetadata={"a": "b"}, additionalModelRequestFields={"x": 1}, custom={"y": 2}, user="u", n=1)
    assert body["requestMetadata"] == {"a": "b"}
    assert body["additionalModelRequestFields"] == {"x": 1, "custom": {"y": 2}}
    assert set(body) == {"messages", "requestMetadata", "additionalModelRequestFields"}


@pytest.mark.parametrize(
    ("name", "value"), [("logprobs", True), ("seed", 1), ("frequency_penalty", 0.5), ("n", 2), ("max_tokens", 0)]
)
def test_what_converse_can_not_do_is_refused(name: str, value: Any) -> None:
    assert refused(**{name: value}).param == name


def test_what_converse_can_not_do_is_left_out_on_request() -> None:
    settings = ChatSettings(drop_params=True, allowed_openai_params=frozenset({"logprobs"}))
    body = encode(settings=settings, seed=1, logprobs=True)
    assert body["additionalModelRequestFields"] == {"logprobs": True}
    assert "additionalModelRequestFields" not in encode(logprobs=False, presence_penalty=0)


def test_service_tiers() -> None:
    assert encode(service_tier="flex")["serviceTier"] == {"type": "flex"}
    assert "serviceTier" not in encode(service_tier="auto")
    assert refused(service_tier="scale").param == "service_tier"


@pytest.mark.parametrize(
    ("model", "members", "fields"),
    [
        (CLAUDE_37, {"reasoning_effort": "high"}, {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        (CLAUDE_37, {"reasoning_effort": "low", "max_tokens": 500}, None),
        (CLAUDE_37, {"reasoning_effort": "none"}, None),
        (CLAUDE_37, {"reasoning_effort": "low", "thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        (CLAUDE_46, {"reasoning_effort": "high"}, {"thinking": {"type": "adaptive"}}),
        (
            "us.amazon.nova-2-lite-v1:0",
            {"reasoning_effort": "minimal"},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
        ),
        ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ],
)
def test_reasoning_effort_by_family(model: str, members: Any, fields: Any) -> None:
    assert encode(model, **members).get("additionalModelRequestFields") == fields


def test_reasoning_effort_of_adaptive_models_is_an_output_setting() -> None:
    assert encode(CLAUDE_46, reasoning_effort="minimal")["outputConfig"] == {"effort": "low"}


def test_reasoning_effort_of_others_is_refused_or_left_out() -> None:
    assert refused(LLAMA, reasoning_effort="low").param == "reasoning_effort"
    assert refused(CLAUDE_37, reasoning_effort="huge").param == "reasoning_effort"
    assert set(encode(LLAMA, settings=ChatSettings(drop_params=True), reasoning_effort="low")) == {"messages"}


def test_no_budget_where_earlier_thinking_is_missing() -> None:
    messages = [
        *HELLO,
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    assert "additionalModelRequestFields" not in encode(CLAUDE_37, messages, reasoning_effort="high", tools=[tool()])


def test_tools() -> None:
    body = encode(
        tools=[tool(description="see"), {"type": "function", "function": {"name": "bare", "description": ""}}]
    )
    first, second = body["toolConfig"]["tools"]
    assert first == {"toolSpec": {"name": "look", "description": "see", "inputSchema": {"json": SCHEMA}}}
    assert second["toolSpec"] == {"name": "bare", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    assert "toolChoice" not in body["toolConfig"]


@pytest.mark.parametrize(("model", "strict"), [(CLAUDE_3, False), (CLAUDE_45, True)])
def test_strict_tools_where_the_model_has_them(model: str, strict: bool) -> None:
    (spec,) = encode(model, tools=[tool(strict=True)])["toolConfig"]["tools"]
    assert spec["toolSpec"].get("strict", False) is strict


@pytest.mark.parametrize(
    ("model", "choice", "sent"),
    [
        (CLAUDE_3, "auto", None),
        (CLAUDE_3, "required", {"any": {}}),
        (CLAUDE_3, {"type": "function", "function": {"name": "look"}}, {"tool": {"name": "look"}}),
        (MISTRAL, {"type": "function", "function": {"name": "look"}}, {"any": {}}),
    ],
)
def test_tool_choice(model: str, choice: Any, sent: Any) -> None:
    assert encode(model, tools=[tool()], tool_choice=choice)["toolConfig"].get("toolChoice") == sent


def test_tool_choice_that_the_model_does_not_know() -> None:
    assert refused(LLAMA, tools=[tool()], tool_choice="required").param == "tool_choice"
    dropped = encode(LLAMA, settings=ChatSettings(drop_params=True), tools=[tool()], tool_choice="required")
    assert "toolChoice" not in dropped["toolConfig"]


def test_no_tools_by_choice_none_unless_the_history_calls_some() -> None:
    assert "toolConfig" not in encode(tools=[tool()], tool_choice="none")
    messages = [
        *HELLO,
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    choices: list[dict[str, Any]] = [{"tools": [tool("other")], "tool_choice": "none"}, {}]
    for members in choices:
        (spec,) = encode(messages=messages, **members)["toolConfig"]["tools"]
        assert spec["toolSpec"]["name"] == "look"


def test_one_call_at_a_time_is_for_claude_only() -> None:
    body = encode(tools=[tool()], tool_choice="required", parallel_tool_calls=False)
    assert body["additionalModelRequestFields"] == {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}}
    assert "toolChoice" not in body["toolConfig"]
    assert refused(LLAMA, tools=[tool()], parallel_tool_calls=False).param == "parallel_tool_calls"


def test_tools_of_other_types() -> None:
    computer = {"type": "computer_20250124", "name": "computer"}
    assert encode(tools=[computer])["additionalModelRequestFields"] == {"tools": [computer]}
    own = {"systemTool": {"name": "nova_grounding"}}
    assert encode("us.amazon.nova-2-lite-v1:0", tools=[own])["toolConfig"] == {"tools": [own]}
    assert refused(LLAMA, tools=[computer]).param == "tools[0]"


def test_a_json_schema_by_the_models_own_means() -> None:
    output = encode(CLAUDE_45, response_format=FORM)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (output["name"], output["description"]) == ("answer", "an answer")
    assert json.loads(output["schema"])["additionalProperties"] is False


@pytest.mark.parametrize("model", [CLAUDE_3, CLAUDE_48])
def test_a_json_schema_by_a_forced_tool(model: str) -> None:
    config = encode(model, response_format=FORM)["toolConfig"]
    assert config["toolChoice"] == {"tool": {"name": "json_tool_call"}}
    assert config["tools"][0]["toolSpec"]["inputSchema"] == {"json": SCHEMA}
    beside = encode(model, response_format=FORM, tools=[tool()])["toolConfig"]
    assert beside["toolChoice"] == {"any": {}}
    assert len(beside["tools"]) == 2


def test_thinking_excludes_a_forced_tool() -> None:
    body = encode(CLAUDE_37, response_format=FORM, thinking={"type": "enabled", "budget_tokens": 1024})
    assert "toolChoice" not in body["toolConfig"]


def test_a_tool_that_the_client_demands_goes_before_the_json_schema() -> None:
    body = encode(CLAUDE_3, response_format=FORM, tools=[tool()], tool_choice="required")
    assert [each["toolSpec"]["name"] for each in body["toolConfig"]["tools"]] == ["look"]


def test_a_json_schema_by_instruction_where_nothing_else_is() -> None:
    (instruction,) = encode(LLAMA, response_format=FORM)["system"]
    assert json.dumps(SCHEMA, separators=(",", ":")) in instruction["text"]
    (instruction,) = encode(LLAMA, response_format={"type": "json_object"})["system"]
    assert "JSON" in instruction["text"]
