import base64
import json
import struct
from typing import Any

import pytest

from headgate.core.json import decode_object
from headgate.core.provider import Call, Operation
from headgate.gateway._demo import CREATED, DemoUpstream
from headgate.providers import create
from headgate.transport.connection import Timeouts
from tests.support import run

PROVIDER = create("demo/demo", {}, {})
BODIES: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "Good morning, Headgate"}]},
    Operation.COMPLETION: {"prompt": "Good morning, Headgate"},
    Operation.EMBEDDING: {"input": "Good morning, Headgate"},
    Operation.MODERATION: {"input": "Good morning, Headgate"},
}


def send(operation: Operation, body: bytes, *, stream: bool = False) -> tuple[int, bytes]:
    async def main() -> tuple[int, bytes]:
        call = Call(operation, "demo", decode_object(body), body, stream=stream)
        response = await DemoUpstream().send(PROVIDER.encode(call), Timeouts(), whole=True)
        return response.status, await response.read()

    return run(main())


def ask(operation: Operation, **members: Any) -> bytes:
    body = json.dumps({"model": "demo", **BODIES.get(operation, {}), **members}).encode()
    status, answer = send(operation, body, stream=bool(members.get("stream")))
    assert status == 200, answer
    return answer


def events(answer: bytes) -> list[Any]:
    blocks = answer.decode().removesuffix("\n\n").split("\n\n")
    assert blocks[-1] == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]


def test_it_answers_what_its_provider_claims_to_support() -> None:
    supported = {operation for operation in Operation if PROVIDER.supports(operation)}
    assert supported == BODIES.keys()
    for operation in supported:
        assert ask(operation)


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.COMPLETION])
def test_equal_requests_get_equal_answers(operation: Operation) -> None:
    assert ask(operation) == ask(operation)
    assert json.loads(ask(operation))["created"] == CREATED


def test_chat_repeats_what_was_said_last() -> None:
    answer = json.loads(ask(Operation.CHAT))
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "You said: Good morning, Headgate"}
    # One token for four characters begun: 22 of the message, 32 of the answer.
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 8, "total_tokens": 14}


def test_it_reads_contents_of_several_parts() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "two"}]
    answer = json.loads(ask(Operation.CHAT, messages=[{"role": "user", "content": parts}]))
    assert answer["choices"][0]["message"]["content"] == "You said: one two"


@pytest.mark.parametrize("messages", [[{"role": "user", "content": ""}], [{"role": "user"}], ["odd"]])
def test_it_greets_who_says_nothing(messages: list[Any]) -> None:
    answer = json.loads(ask(Operation.CHAT, messages=messages))
    assert answer["choices"][0]["message"]["content"].startswith("Hello")


def test_a_long_message_is_not_repeated_in_full() -> None:
    answer = json.loads(ask(Operation.CHAT, messages=[{"role": "user", "content": "word " * 1000}]))
    assert answer["choices"][0]["message"]["content"].count("word") == 200


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.COMPLETION])
def test_a_stream_adds_up_to_the_whole_answer(operation: Operation) -> None:
    whole = json.loads(ask(operation))
    chunks = events(ask(operation, stream=True))
    texts = [
        choice["delta"].get("content", "") if operation is Operation.CHAT else choice["text"]
        for chunk in chunks
        for choice in chunk["choices"]
    ]
    choice = whole["choices"][0]
    assert "".join(texts) == (choice["message"]["content"] if operation is Operation.CHAT else choice["text"])
    assert len(texts) > 4
    assert [chunk["usage"] for chunk in chunks if "usage" in chunk] == [whole["usage"]]
    assert {chunk["id"] for chunk in chunks} == {whole["id"]}


def test_embeddings_depend_on_the_input_alone() -> None:
    first, second, third = (
        item["embedding"] for item in json.loads(ask(Operation.EMBEDDING, input=["a", "b", "a"]))["data"]
    )
    assert first == third != second
    assert all(0 <= number <= 1 for number in first)


def test_tokens_as_input_are_one_input() -> None:
    assert len(json.loads(ask(Operation.EMBEDDING, input=[1, 2, 3]))["data"]) == 1
    assert len(json.loads(ask(Operation.EMBEDDING, input=[[1, 2], [3]]))["data"]) == 2


def test_embeddings_in_base64_are_the_same_numbers() -> None:
    numbers = json.loads(ask(Operation.EMBEDDING))["data"][0]["embedding"]
    encoded = json.loads(ask(Operation.EMBEDDING, encoding_format="base64"))["data"][0]["embedding"]
    assert struct.unpack(f"<{len(numbers)}f", base64.b64decode(encoded)) == pytest.approx(numbers)


def test_a_moderation_flags_nothing() -> None:
    results = json.loads(ask(Operation.MODERATION, input=["a", "b"]))["results"]
    assert [result["flagged"] for result in results] == [False, False]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (Operation.CHAT, b'{"model":"demo","messages":[{"role":"user","content":%b}]}'),
        (Operation.COMPLETION, b'{"model":"demo","prompt":[%b]}'),
        (Operation.EMBEDDING, b'{"model":"demo","input":[%b]}'),
    ],
    ids=["chat", "completion", "embedding"],
)
def test_nesting_that_is_too_deep_to_be_read_is_the_clients_mistake(operation: Operation, body: bytes) -> None:
    status, answer = send(operation, body % (b"[" * 600 + b"]" * 600))
    assert (status, json.loads(answer)["error"]["type"]) == (400, "invalid_request_error")
