"""What the OpenAI double answers to each operation, whole and as the events of a stream."""

import base64
import json
import struct
from typing import Any

AUDIO = b"ID3\x04" + bytes(range(256))
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
EMBEDDING = [0.5, -0.25]
ARGUMENTS = '{"city": "Paris"}'
_COMMON = {"id": "chatcmpl-mock", "created": 1_700_000_000, "model": "gpt-mock-2024", "system_fingerprint": "fp_1"}
_CHUNK = {**_COMMON, "object": "chat.completion.chunk"}
_RESPONSE = {
    "id": "resp_mock",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "gpt-mock-2024",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_RESPONSE_USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 13,
}


def answer(path: str, asked: Any) -> dict[str, Any]:
    """Return the whole answer to a request."""
    if path.endswith("/chat/completions"):
        return _completion(asked)
    if path.endswith("/completions"):
        choice = {"index": 0, "text": "Hello world", "logprobs": None, "finish_reason": "stop"}
        return {**_COMMON, "object": "text_completion", "choices": [choice], "usage": USAGE}
    if path.endswith("/embeddings"):
        return _embeddings(asked)
    if path.endswith("/responses"):
        return _response()
    if path.endswith("/moderations"):
        return {"id": "modr-mock", "model": "omni-moderation", "results": [_moderation()]}
    if path.endswith("/images/generations"):
        return {"created": 1_700_000_000, "data": [{"b64_json": base64.b64encode(b"image").decode()}]}
    if path.endswith("/audio/transcriptions"):
        return {"text": "Hello world", "usage": {"type": "duration", "seconds": 2}}
    raise AssertionError(f"the OpenAI double has no answer for {path}")


def chunks(path: str, asked: dict[str, Any]) -> list[bytes]:
    """Return the events of a streamed answer."""
    if path.endswith("/responses"):
        return _response_events()
    events = _text_chunks() if path.endswith("/completions") and "prompt" in asked else _chat_chunks(asked)
    if (asked.get("stream_options") or {}).get("include_usage"):
        last = {key: value for key, value in events[0].items() if key != "system_fingerprint"}
        events.append({**last, "choices": [], "usage": USAGE})
    return [f"data: {data}\n\n".encode() for data in [*map(json.dumps, events), "[DONE]"]]


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "Hello world"}
    reason = "stop"
    if asked.get("tools"):
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": ARGUMENTS}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        reason = "tool_calls"
    elif (asked.get("response_format") or {}).get("type") == "json_schema":
        message["content"] = ARGUMENTS
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    body = {**_COMMON, "object": "chat.completion", "service_tier": "default"}
    return {**body, "choices": [choice], "usage": USAGE}


def _chat_chunks(asked: dict[str, Any]) -> list[dict[str, Any]]:
    reason = "stop"
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "Hel"},
        *[{"content": text} for text in ("lo", " wor", "ld")],
    ]
    if asked.get("tools"):
        reason = "tool_calls"
        name = asked["tools"][0]["function"]["name"]
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
        deltas = [{"role": "assistant", "content": None, "tool_calls": [first]}]
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS[at : at + 5]}}]}
            for at in range(0, len(ARGUMENTS), 5)
        ]
    events = [{**_CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {key: value for key, value in _CHUNK.items() if key != "system_fingerprint"}
    return [*events, {**last, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}]


def _text_chunks() -> list[dict[str, Any]]:
    common = {**_COMMON, "object": "text_completion"}
    pieces: list[tuple[str, str | None]] = [("Hello", None), (" world", None), ("", "stop")]
    return [
        {**common, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}]}
        for text, reason in pieces
    ]


def _embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    vector: object = EMBEDDING
    if asked.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(EMBEDDING)}f", *EMBEDDING)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(inputs))]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": "emb-mock", "usage": usage}


def _moderation() -> dict[str, Any]:
    return {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}


def _message(text: str, status: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"id": "msg_mock", "type": "message", "role": "assistant", "status": status, "content": content}


def _response() -> dict[str, Any]:
    return {
        **_RESPONSE,
        "status": "completed",
        "output": [_message("Hello world", "completed")],
        "usage": _RESPONSE_USAGE,
    }


def _response_events() -> list[bytes]:
    begun = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
    place: dict[str, Any] = {"item_id": "msg_mock", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": _message("", "in_progress")},
        {
            "type": "response.content_part.added",
            **place,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        *[
            {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []}
            for text in ("Hello", " world")
        ],
        {"type": "response.output_text.done", **place, "text": "Hello world", "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": _message("Hello world", "completed")},
        {"type": "response.completed", "response": _response()},
    ]
    return [
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()
        for number, event in enumerate(events)
    ]
