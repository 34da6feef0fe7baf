import json

import msgspec
import pytest

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members
from headgate.providers._chat import (
    AssistantMessage,
    DataURL,
    DeveloperMessage,
    FilePart,
    FunctionCall,
    FunctionTool,
    ImagePart,
    SystemMessage,
    TextPart,
    ThinkingBlock,
    ToolCall,
    ToolChoice,
    ToolMessage,
    UserMessage,
    arguments_object,
    content_parts,
    decode_data_url,
    decode_max_tokens,
    decode_messages,
    decode_response_format,
    decode_stop,
    decode_tool_choice,
    decode_tools,
    refuse_several_choices,
)


def members(**values: object) -> Members:
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in values.items()}


def test_every_kind_of_message_is_typed() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    decoded = decode_messages(
        members(
            messages=[
                {"role": "system", "content": "Be brief.", "cache_control": {"type": "ephemeral"}},
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
                {
                    "role": "user",
                    "name": "Ada",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                        {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
                        {"type": "file", "file": {"file_id": "file_1"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [call],
                    "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "ok"},
            ]
        )
    )
    system, developer, user, assistant, tool = decoded
    assert system == SystemMessage("Be brief.", {"type": "ephemeral"})
    assert developer == DeveloperMessage([TextPart("Be kind.")])
    assert isinstance(user, UserMessage)
    named, bare, file = content_parts(user.content)
    assert isinstance(named, ImagePart)
    assert (named.url, named.format) == ("https://x/y.png", None)
    assert isinstance(bare, ImagePart)
    assert (bare.url, bare.format) == ("data:image/png;base64,AA==", None)
    assert isinstance(file, FilePart)
    assert file.file.file_id == "file_1"
    assert assistant == AssistantMessage(
        None, [ToolCall("c1", FunctionCall("f", "{}"))], thinking_blocks=[ThinkingBlock("hm", "s")]
    )
    assert tool == ToolMessage("c1", "ok")


def test_content_is_seen_as_parts() -> None:
    assert content_parts(None) == []
    assert content_parts("a") == [TextPart("a")]


@pytest.mark.parametrize(
    ("messages", "param", "words"),
    [
        ([], "messages", "at least one message"),
        ({}, "messages", "expected `array`"),
        ([{"content": "x"}], "messages[0]", "missing required field `role`"),
        ([{"role": "king", "content": "x"}], "messages[0].role", "invalid value 'king'"),
        ([{"role": "user", "content": 3}], "messages[0].content", "got `int`"),
        ([{"role": "user", "content": [{"type": "video"}]}], "messages[0].content[0].type", "invalid value 'video'"),
        ([{"role": "tool", "content": "x"}], "messages[0]", "missing required field `tool_call_id`"),
    ],
)
def test_bad_messages_are_refused_by_name(messages: object, param: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        decode_messages(members(messages=messages))
    assert caught.value.param == param


def test_absent_messages_are_refused() -> None:
    for absent in (members(), members(messages=None)):
        with pytest.raises(InvalidRequestError, match="Missing required parameter: 'messages'"):
            decode_messages(absent)


def test_an_error_does_not_echo_a_huge_value() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode_messages(members(messages=[{"role": "x" * 10_000}]))
    assert len(caught.value.message) < 300


def test_broken_text_inside_messages_is_refused() -> None:
    broken = {"messages": msgspec.Raw(b'[{"role":"user","content":"\\ud800"}]')}
    with pytest.raises(InvalidRequestError, match="messages"):
        decode_messages(broken)


def test_functions_are_typed_and_other_tools_stay_raw() -> None:
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
    hosted = {"type": "web_search_20250305", "name": "web_search"}
    native = {"name": "g", "input_schema": {"type": "object"}}
    typed, untyped, second, third = decode_tools(members(tools=[function, {"function": {"name": "h"}}, hosted, native]))
    assert isinstance(typed, FunctionTool)
    assert typed.function.name == "f"
    assert typed.function.parameters == {"type": msgspec.Raw(b'"object"')}
    assert isinstance(untyped, FunctionTool)
    assert json.loads(bytes(second)) == hosted  # type: ignore[arg-type]
    assert json.loads(bytes(third)) == native  # type: ignore[arg-type]
    assert decode_tools(members()) == []


def test_a_bad_tool_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        decode_tools(members(tools=[{"type": "function", "function": {"description": "no name"}}]))
    assert caught.value.param == "tools[0].function"


@pytest.mark.parametrize("mode", ["auto", "none", "required"])
def test_tool_choice_by_word(mode: str) -> None:
    choice = decode_tool_choice(members(tool_choice=mode))
    assert choice is not None
    assert (choice.mode, choice.name) == (mode, "")


def test_tool_choice_by_name() -> None:
    named = {"type": "function", "function": {"name": "f"}}
    assert decode_tool_choice(members(tool_choice=named)) == ToolChoice("tool", "f")
    assert decode_tool_choice(members(tool_choice=None)) is None


@pytest.mark.parametrize("bad", ["sometimes", {"type": "allowed_tools"}, {"type": "function"}, 3])
def test_other_tool_choices_are_refused(bad: object) -> None:
    with pytest.raises(InvalidRequestError, match="tool_choice"):
        decode_tool_choice(members(tool_choice=bad))


def test_response_format() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}
    form = decode_response_format(members(response_format=schema))
    assert form is not None
    assert form.json_schema is not None
    assert form.json_schema.schema == {"type": msgspec.Raw(b'"object"')}
    assert decode_response_format(members(response_format={"type": "text"})) is None
    with pytest.raises(InvalidRequestError, match=r"response_format\.json_schema"):
        decode_response_format(members(response_format={"type": "json_schema"}))


def test_stop_is_a_list() -> None:
    assert decode_stop(members()) == []
    assert decode_stop(members(stop="a")) == ["a"]
    assert decode_stop(members(stop=["a", "b"])) == ["a", "b"]


def test_the_newer_name_of_max_tokens_wins() -> None:
    assert decode_max_tokens(members()) is None
    assert decode_max_tokens(members(max_tokens=5)) == 5
    assert decode_max_tokens(members(max_tokens=5, max_completion_tokens=7)) == 7


def test_one_choice_only() -> None:
    refuse_several_choices(members(n=1))
    refuse_several_choices(members())
    with pytest.raises(InvalidRequestError, match="'n'"):
        refuse_several_choices(members(n=2))


def test_arguments_are_an_object() -> None:
    assert bytes(arguments_object(ToolCall("1", FunctionCall("f", '{"a": 1}')), "x")) == b'{"a": 1}'
    assert bytes(arguments_object(ToolCall("1", FunctionCall("f", " ")), "x")) == b"{}"
    for bad in ("[1]", "{", "{" * 100_000):
        with pytest.raises(InvalidRequestError) as caught:
            arguments_object(ToolCall("1", FunctionCall("f", bad)), "messages[0].tool_calls[0]")
        assert caught.value.param == "messages[0].tool_calls[0].function.arguments"
    with pytest.raises(InvalidRequestError, match="nested too deeply"):
        arguments_object(ToolCall("1", FunctionCall("f", '{"a":' + "[" * 100_000)), "x")


def test_data_urls() -> None:
    assert decode_data_url("https://x/y.png", "w") is None
    assert decode_data_url("DATA:image/PNG;base64,AA==", "w") == DataURL("image/png", "AA==")
    assert decode_data_url("data:application/pdf;name=a.pdf;base64,AA==", "w") == DataURL("application/pdf", "AA==")
    for bad in ("data:text/plain,hello", "data:", "data:image/png;base64"):
        with pytest.raises(InvalidRequestError) as caught:
            decode_data_url(bad, "messages[0].content[0].image_url.url")
        assert caught.value.param == "messages[0].content[0].image_url.url"
