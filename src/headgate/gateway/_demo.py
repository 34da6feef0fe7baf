"""The built-in model: an upstream without a network that answers deterministically, streams and reports usage.

It speaks OpenAI's API for chat, completions, embeddings and moderations, so that whoever has no provider yet can try
every kind of request, and it stands in for a deployment that has a `mock_response`.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from headgate.core.provider import UpstreamRequest
from headgate.transport.connection import Timeouts
from headgate.transport.response import Response

CREATED = 1_700_000_000
"""The time that every answer claims, so that equal requests get equal answers."""
DONE = b"data: [DONE]\n\n"
TOO_DEEP = "Invalid JSON payload: nested too deeply."
_DIMENSIONS = 8
_WORD_LIMIT = 200
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream")]


class Reply(NamedTuple):
    """What the model answers: a whole answer as `value`, or the `chunks` of a stream, the last with the usage."""

    value: dict[str, Any]
    chunks: Sequence[dict[str, Any]] = ()
    status: int = 200


class DemoUpstream:
    """Answers upstream requests itself."""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts, *, whole: bool) -> Response:
        """Return the answer to a request in OpenAI's API."""
        response = Response(_Nothing(), None, whole=whole, size_limit=2**31)
        reply = _answer(request.target.rpartition(b"/v1")[2] or request.target, request.body)
        if reply.chunks:
            response.put_head(reply.status, list(_EVENTS), b"")
            response.put_data(b"".join([event(chunk) for chunk in reply.chunks]))
            response.put_data(DONE)
        else:
            response.put_head(reply.status, list(_JSON), b"")
            response.put_data(msgspec.json.encode(reply.value))
        response.put_end()
        return response


def reply_to(path: bytes, body: dict[str, Any]) -> Reply:
    """Return the answer to a request whose members are as they should be; `path` is what follows `/v1`."""
    if path.endswith(b"/chat/completions"):
        return _chat(body)
    if path.endswith(b"/completions"):
        return _completion(body)
    if path.endswith(b"/embeddings"):
        return Reply(_embeddings(body))
    if path.endswith(b"/moderations"):
        return Reply(_moderation(body))
    return refusal(404, "The built-in demo model does not offer this.")


def refusal(status: int, message: str) -> Reply:
    """Return an answer that says what is wrong."""
    return Reply({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


def event(chunk: dict[str, Any]) -> bytes:
    """Return a chunk of a stream as a server-sent event."""
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


def _answer(path: bytes, encoded: bytes) -> Reply:
    try:
        return reply_to(path, msgspec.json.decode(encoded))
    except RecursionError:
        return refusal(400, TOO_DEEP)


class _Nothing:
    """The source of an answer that is there from the start."""

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

    def hasten(self) -> None:
        """Do nothing."""


def _chat(body: dict[str, Any]) -> Reply:
    messages = body["messages"]
    prompt = _text(messages[-1].get("content")) if messages and isinstance(messages[-1], dict) else ""
    reply = _reply(body, prompt)
    usage = _usage("".join(_text(m.get("content")) for m in messages if isinstance(m, dict)), reply)
    identifier = f"chatcmpl-{_digest(prompt)}"
    shared = {"id": identifier, "created": CREATED, "model": body.get("model", "demo")}
    if not body.get("stream"):
        message = {"role": "assistant", "content": reply}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return Reply({**shared, "object": "chat.completion", "choices": [choice], "usage": usage})
    shared["object"] = "chat.completion.chunk"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _pieces(reply)]
    chunks: list[dict[str, Any]] = [
        {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**shared, "choices": [], "usage": usage})
    return Reply({}, chunks)


def _completion(body: dict[str, Any]) -> Reply:
    prompt = _text(body.get("prompt"))
    reply = _reply(body, prompt)
    usage = _usage(prompt, reply)
    shared = {"id": f"cmpl-{_digest(prompt)}", "created": CREATED, "model": body.get("model", "demo")}
    shared["object"] = "text_completion"
    if not body.get("stream"):
        choice = {"index": 0, "text": reply, "logprobs": None, "finish_reason": "stop"}
        return Reply({**shared, "choices": [choice], "usage": usage})
    chunks: list[dict[str, Any]] = [
        {**shared, "choices": [{"index": 0, "text": piece, "finish_reason": None}]} for piece in _pieces(reply)
    ]
    chunks.append({**shared, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
    chunks.append({**shared, "choices": [], "usage": usage})
    return Reply({}, chunks)


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("input")
    inputs = given if isinstance(given, list) and (not given or not isinstance(given[0], int)) else [given]
    data = []
    for index, one in enumerate(inputs):
        numbers = _numbers(body.get("mock_response"))
        if numbers is None:
            digest = hashlib.sha256(msgspec.json.encode(one)).digest()
            numbers = [byte / 255 for byte in digest[:_DIMENSIONS]]
        vector: object = numbers
        if body.get("encoding_format") == "base64":
            vector = struct.pack(f"<{len(numbers)}f", *numbers)
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(_tokens(_text(one)) for one in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.get("model", "demo"), "usage": usage}


def _numbers(mock: object) -> list[float] | None:
    """Return a `mock_response` that is an embedding."""
    if not isinstance(mock, list) or not all(type(number) in (int, float) for number in mock):
        return None
    return [float(number) for number in mock]


def _moderation(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("input")
    count = len(given) if isinstance(given, list) else 1
    result = {"flagged": False, "categories": {}, "category_scores": {}}
    return {"id": f"modr-{_digest(str(given))}", "model": body.get("model", "demo"), "results": [result] * count}


def _reply(body: dict[str, Any], prompt: str) -> str:
    mock = body.get("mock_response")
    if mock is not None:
        return mock if isinstance(mock, str) else msgspec.json.encode(mock).decode()
    words = prompt.split()
    said = " ".join(words[:_WORD_LIMIT])
    return f"You said: {said}" if said else "Hello from Headgate's built-in demo model."


def _text(content: object) -> str:
    """Return the text of a content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join([_text(part.get("text")) if isinstance(part, dict) else _text(part) for part in content])
    return ""


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [words[0], *[f" {word}" for word in words[1:]]]


def _tokens(text: str) -> int:
    return -(-len(text) // 4)


def _usage(prompt: str, reply: str) -> dict[str, int]:
    sent, received = _tokens(prompt), _tokens(reply)
    return {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
