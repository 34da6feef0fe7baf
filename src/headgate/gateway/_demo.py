"""The built-in model: an upstream without a network that answers deterministically, streams and reports usage.

It speaks OpenAI's API for chat, completions, embeddings and moderations, so that whoever has no provider yet can try
every kind of request, and it stands in for a deployment that has a `mock_response`.
"""

import hashlib
import struct
from typing import Any

import msgspec

from headgate.core.provider import UpstreamRequest
from headgate.transport.connection import Timeouts
from headgate.transport.response import Response

CREATED = 1_700_000_000
"""The time that every answer claims, so that equal requests get equal answers."""
_DIMENSIONS = 8
_WORD_LIMIT = 200
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream")]


class DemoUpstream:
    """Answers upstream requests itself."""

    async def send(self, request: UpstreamRequest, timeouts: Timeouts, *, whole: bool) -> Response:
        """Return the answer to a request in OpenAI's API."""
        response = Response(_Nothing(), None, whole=whole, size_limit=2**31)
        try:
            _answer(response, request.target.rpartition(b"/v1")[2] or request.target, request.body)
        except RecursionError:
            _put_error(response, 400, "Invalid JSON payload: nested too deeply.")
        return response


def _answer(response: Response, path: bytes, encoded: bytes) -> None:
    body: dict[str, Any] = msgspec.json.decode(encoded)
    if path.endswith(b"/chat/completions"):
        _answer_chat(response, body)
    elif path.endswith(b"/completions"):
        _answer_completion(response, body)
    elif path.endswith(b"/embeddings"):
        _put_json(response, _embeddings(body))
    elif path.endswith(b"/moderations"):
        _put_json(response, _moderation(body))
    else:
        _put_error(response, 404, "The built-in demo model does not offer this.")


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


def _put_json(response: Response, value: object, status: int = 200) -> None:
    response.put_head(status, list(_JSON), b"")
    response.put_data(msgspec.json.encode(value))
    response.put_end()


def _put_error(response: Response, status: int, message: str) -> None:
    _put_json(response, {"error": {"message": message, "type": "invalid_request_error"}}, status)


def _put_events(response: Response, chunks: list[dict[str, Any]]) -> None:
    response.put_head(200, list(_EVENTS), b"")
    response.put_data(b"".join([b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in chunks]))
    response.put_data(b"data: [DONE]\n\n")
    response.put_end()


def _answer_chat(response: Response, body: dict[str, Any]) -> None:
    messages = body["messages"]
    prompt = _text(messages[-1].get("content")) if messages and isinstance(messages[-1], dict) else ""
    reply = _reply(body, prompt)
    usage = _usage("".join(_text(m.get("content")) for m in messages if isinstance(m, dict)), reply)
    identifier = f"chatcmpl-{_digest(prompt)}"
    shared = {"id": identifier, "created": CREATED, "model": body.get("model", "demo")}
    if not body.get("stream"):
        message = {"role": "assistant", "content": reply}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        _put_json(response, {**shared, "object": "chat.completion", "choices": [choice], "usage": usage})
        return
    shared["object"] = "chat.completion.chunk"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _pieces(reply)]
    chunks: list[dict[str, Any]] = [
        {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**shared, "choices": [], "usage": usage})
    _put_events(response, chunks)


def _answer_completion(response: Response, body: dict[str, Any]) -> None:
    prompt = _text(body.get("prompt"))
    reply = _reply(body, prompt)
    usage = _usage(prompt, reply)
    shared = {"id": f"cmpl-{_digest(prompt)}", "created": CREATED, "model": body.get("model", "demo")}
    shared["object"] = "text_completion"
    if not body.get("stream"):
        choice = {"index": 0, "text": reply, "logprobs": None, "finish_reason": "stop"}
        _put_json(response, {**shared, "choices": [choice], "usage": usage})
        return
    chunks: list[dict[str, Any]] = [
        {**shared, "choices": [{"index": 0, "text": piece, "finish_reason": None}]} for piece in _pieces(reply)
    ]
    chunks.append({**shared, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
    chunks.append({**shared, "choices": [], "usage": usage})
    _put_events(response, chunks)


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
