import base64
import json
from typing import Any

import msgspec
import pytest

from headgate.core.errors import InvalidRequestError
from headgate.providers._anthropic_messages import tool_id, translate_messages
from headgate.providers._chat import decode_messages

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CACHE = {"type": "ephemeral"}


def translate(*messages: dict[str, Any]) -> dict[str, Any]:
    conversation = translate_messages(decode_messages({"messages": msgspec.Raw(json.dumps(messages).encode())}))
    found: dict[str, Any] = json.loads(msgspec.json.encode(conversation._asdict()))
    return found


def user(*parts: dict[str, Any] | str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]}


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}, **more}


def file(**members: str) -> dict[str, Any]:
    return {"type": "file", "file": members}


def blocks(*parts: dict[str, Any] | str) -> Any:
    return translate(user(*parts))["turns"][0]["content"]


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def call(identifier: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_instructions_anywhere_become_the_system_prompt() -> None:
    found = translate(
        {"role": "system", "content": "One."},
        {"role": "developer", "content": [{"type": "text", "text": "Two."}, {"type": "text", "text": " "}]},
        user("Hi"),
        {"role": "system", "content": "Three.", "cache_control": CACHE},
    )
    assert found["system"] == [text("One."), text("Two."), {**text("Three."), "cache_control": CACHE}]
    assert found["turns"] == [{"role": "user", "content": [text("Hi")]}]


def test_turns_of_one_role_are_merged_in_order() -> None:
    found = translate(
        user("a"), user("b"), {"role": "assistant", "content": "c"}, {"role": "assistant", "content": "d"}
    )
    assert found["turns"] == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
    ]


def test_blank_text_is_left_out() -> None:
    found = translate(
        user("", " \n", "a"), {"role": "assistant", "content": ""}, {"role": "user", "content": None}, user("b")
    )
    assert found["turns"] == [{"role": "user", "content": [text("a"), text("b")]}]


def test_a_chat_without_anything_to_answer_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="at least one user or assistant message"):
        translate({"role": "system", "content": "Be kind."}, user(" "))


def test_the_beginning_of_an_answer_loses_its_trailing_blanks() -> None:
    found = translate(user("Capital of France?"), {"role": "assistant", "content": "It is \n"})
    assert found["turns"][1] == {"role": "assistant", "content": [text("It is")]}


def test_images_and_documents() -> None:
    plain = "data:text/plain;base64," + base64.b64encode("Grün".encode()).decode()
    assert blocks(
        image(PIXEL, cache_control=CACHE),
        image("https://example.com/cat.jpg"),
        {"type": "image_url", "image_url": "data:image/jpg;base64,AA=="},
        image("data:application/pdf;base64,JVBERi0="),
        file(file_data="data:application/pdf;base64,JVBERi0=", filename="a.pdf"),
        file(file_data="JVBERi0=", filename="b.PDF"),
        file(file_data=plain),
        file(file_data=PIXEL),
        file(file_id="file_011CNha8iCJcU1wXNR6q4V8w"),
        file(file_id="https://example.com/a.pdf"),
    ) == [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
            "cache_control": CACHE,
        },
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.jpg"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "b.PDF",
        },
        {"type": "document", "source": {"type": "text", "data": "Grün", "media_type": "text/plain"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "document", "source": {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    ]


@pytest.mark.parametrize(
    ("part", "param", "words"),
    [
        (image("data:image/tiff;base64,AA=="), "messages[1].content[1].image_url", "'image/tiff' is not supported"),
        (image("data:image/png,raw"), "messages[1].content[1].image_url", "data URL of the form"),
        (image("ftp://example.com/a.png"), "messages[1].content[1].image_url", r"http\(s\) URL"),
        (file(file_data="AA==", filename="a.doc"), "messages[1].content[1].file.file_data", "use a PDF"),
        (file(file_data="data:text/plain;base64,?"), "messages[1].content[1].file.file_data", "UTF-8 text in base64"),
        (file(filename="a.pdf"), "messages[1].content[1].file", "'file_data' or 'file_id'"),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            "messages[1].content[1]",
            "does not take audio",
        ),
    ],
)
def test_what_claude_does_not_take_is_refused_by_name(part: dict[str, Any], param: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        translate({"role": "system", "content": "x"}, user("see", part))
    assert caught.value.param == param


def test_instructions_with_an_image_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="instructions can only be text"):
        translate({"role": "system", "content": [image(PIXEL)]}, user("x"))


def test_a_conversation_with_parallel_tools() -> None:
    thinking = {"type": "thinking", "thinking": "Both.", "signature": "sig"}
    found = translate(
        user("Weather and time?"),
        {
            "role": "assistant",
            "content": "Looking.",
            "thinking_blocks": [thinking, {"type": "redacted_thinking", "data": "x"}],
            "reasoning_content": "Both.",
            "tool_calls": [call("a:1", '{"city": "Paris"}'), call("b", "")],
        },
        {"role": "tool", "tool_call_id": "a:1", "content": "Rain"},
        {"role": "tool", "tool_call_id": "b", "content": [{**text("12:00"), "cache_control": CACHE}, image(PIXEL)]},
        user("Thanks"),
    )
    assert found["turns"][1:] == [
        {
            "role": "assistant",
            "content": [
                thinking,
                {"type": "redacted_thinking", "data": "x"},
                text("Looking."),
                {"type": "tool_use", "id": "a_1", "name": "f", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a_1", "content": "Rain"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [
                        text("12:00"),
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                        },
                    ],
                    "cache_control": CACHE,
                },
                text("Thanks"),
            ],
        },
    ]


def test_a_tool_that_returned_nothing_still_has_its_result() -> None:
    found = translate(
        user("x"),
        {"role": "assistant", "tool_calls": [call("a")]},
        {"role": "tool", "tool_call_id": "a", "content": ""},
    )
    assert found["turns"][2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]


def test_thinking_without_its_signature_can_not_go_back() -> None:
    unsigned = {"type": "thinking", "thinking": "Hm."}
    signed = {**unsigned, "signature": "sig"}
    found = translate(
        user("x"), {"role": "assistant", "content": [unsigned, signed, text("y")], "thinking_blocks": [unsigned]}
    )
    assert found["turns"][1]["content"] == [signed, text("y")]


def test_a_refusal_is_part_of_the_conversation() -> None:
    part = {"type": "refusal", "refusal": "Never."}
    found = translate(user("x"), {"role": "assistant", "refusal": "No.", "content": [part]}, user("why"))
    assert found["turns"][1]["content"] == [text("No."), text("Never.")]


def test_arguments_that_are_no_object_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        translate(user("x"), {"role": "assistant", "tool_calls": [call("a"), call("b", "[")]})
    assert caught.value.param == "messages[1].tool_calls[1].function.arguments"


def test_ids_of_other_providers_are_made_acceptable() -> None:
    assert tool_id("functions.get:0") == "functions_get_0"
    assert tool_id("toolu_01-A") == "toolu_01-A"
