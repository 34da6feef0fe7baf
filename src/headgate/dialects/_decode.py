"""From a client's body and headers to the core's `Call`, for every operation."""

from typing import Final

import msgspec

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, decode_object, raw
from headgate.core.multipart import parse_form
from headgate.core.provider import Call, Headers, Operation
from headgate.dialects._request import AnthropicMetadata, Request, Steering, StreamOptions
from headgate.dialects._requirements import FILES, require
from headgate.dialects._steering import (
    MAX_NAME,
    is_special,
    label,
    take_headers,
    take_members,
    take_metadata,
)

_TRUE: Final = msgspec.Raw(b"true")
_FALSE: Final = msgspec.Raw(b"false")
_NULL: Final = msgspec.Raw(b"null")
_EVENTS: Final = msgspec.Raw(b'"sse"')

# Members that are an API's own, whatever the gateway thinks of their values: nothing here is special, so a body that
# holds nothing else is not looked at member by member.
_PLAIN: Final = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "temperature", "top_p", "n", "stop", "max_tokens", "tools"),
        *("max_completion_tokens", "tool_choice", "response_format", "presence_penalty", "frequency_penalty", "seed"),
        *("logit_bias", "logprobs", "top_logprobs", "parallel_tool_calls", "user", "metadata", "input", "prompt"),
        *("encoding_format", "dimensions", "reasoning_effort", "system", "stop_sequences", "top_k", "thinking"),
        *("instructions", "max_output_tokens", "reasoning", "store", "text", "include", "previous_response_id"),
    }
)
_SPEECH: Final = Operation.SPEECH
_STREAMED: Final = frozenset(
    {
        *(Operation.CHAT, Operation.COMPLETION, Operation.RESPONSES, Operation.MESSAGES),
        *(Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT, Operation.TRANSCRIPTION),
    }
)
_ANTHROPIC: Final = frozenset({Operation.MESSAGES, Operation.COUNT_TOKENS})
_ANTHROPIC_HEADERS: Final = frozenset({b"anthropic-version", b"anthropic-beta"})

_decode_text: Final = msgspec.json.Decoder(str).decode
_options_decoder = msgspec.json.Decoder(StreamOptions)
_metadata_decoder = msgspec.json.Decoder(AnthropicMetadata)


def decode(
    operation: Operation,
    body: bytes,
    *,
    path_model: str | None = None,
    content_type: bytes = b"application/json",
    headers: Headers = (),
) -> Request:
    """Decode a request. Raises `InvalidRequestError` naming the field that is missing, mistyped or refused.

    `path_model` is the model that the URL names, percent-decoded; it counts before the body's. `content_type` is the
    request's; it matters only for operations that come as a form.
    """
    steering = Steering()
    media_type = b"application/json"
    if operation in FILES:
        members, body, media_type = _decode_form(operation, body, content_type)
    else:
        members = decode_object(body)
    model = _model(members.get("model"), path_model)
    if path_model is not None:
        members["model"] = raw(model)
    if not members.keys() <= _PLAIN:
        take_members(steering, members, model)
    require(operation, members)
    stream = operation in _STREAMED and "stream" in members and _flag(members["stream"], "stream")
    if operation is _SPEECH:
        stream = members.get("stream_format") == _EVENTS
    if "metadata" in members:
        take_metadata(steering, members)
    if headers:
        take_headers(steering, headers)
    steering.user = _user(operation, members)
    return Request(
        Call(
            operation,
            model,
            members,
            body,
            stream,
            "stream_options" in members and _include_usage(members["stream_options"]),
            media_type,
            _travelling(headers) if operation in _ANTHROPIC else (),
        ),
        steering,
    )


def _model(value: msgspec.Raw | None, path_model: str | None) -> str:
    if path_model is not None:
        model = path_model
    elif value is None or value == _NULL:
        raise InvalidRequestError("Missing required parameter: 'model'.", param="model")
    else:
        try:
            model = _decode_text(value)
        except msgspec.DecodeError:
            raise InvalidRequestError("Invalid value for 'model': expected a string.", param="model") from None
    if not model:
        raise InvalidRequestError("Missing required parameter: 'model'.", param="model")
    if len(model) > MAX_NAME or not model.isprintable():
        message = f"Invalid value for 'model': expected a printable name of at most {MAX_NAME} characters."
        raise InvalidRequestError(message, param="model")
    return model


def _flag(value: msgspec.Raw, name: str) -> bool:
    if value == _TRUE:
        return True
    if value in (_FALSE, _NULL):
        return False
    raise InvalidRequestError(f"Invalid value for '{name}': expected a boolean.", param=name)


def _include_usage(value: msgspec.Raw) -> bool:
    if value == _NULL:
        return False
    try:
        return _options_decoder.decode(value).include_usage is True
    except msgspec.DecodeError:
        message = "Invalid value for 'stream_options': expected an object whose include_usage is a boolean."
        raise InvalidRequestError(message, param="stream_options") from None


def _user(operation: Operation, members: Members) -> str | None:
    try:
        if operation in _ANTHROPIC:
            return label(_metadata_decoder.decode(members["metadata"]).user_id) if "metadata" in members else None
        return label(_decode_text(members["user"])) if "user" in members else None
    except msgspec.DecodeError:
        # Only a label: whether the value is acceptable is for the upstream to say.
        return None


def _travelling(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Choose the headers that mean something to the upstream; the server has checked their characters."""
    return tuple(
        (name, value)
        for name, value in headers
        if name in _ANTHROPIC_HEADERS and len(value) <= 1_024 and value.isascii() and value.decode().isprintable()
    )


def _decode_form(operation: Operation, body: bytes, content_type: bytes) -> tuple[Members, bytes, bytes]:
    """Return the fields of a form as members, the form without the gateway's own fields, and its content type."""
    form = parse_form(body, content_type)
    names = FILES[operation]
    if not any(part.filename is not None and part.name in names for part in form.parts):
        raise InvalidRequestError(f"Missing required parameter: '{names[0]}' (a file).", param=names[0])
    fields = form.fields(body)
    special = {name: None for name in fields if is_special(name)}
    if special:
        body = form.rewrite(body, special)
    return {name: _field(name, value) for name, value in fields.items()}, body, form.content_type


def _field(name: str, value: str) -> msgspec.Raw:
    """Write a form's field as JSON: a form knows only text, so a flag is read from its word."""
    if name in ("stream", "disable_fallbacks") and value.lower() in ("true", "false"):
        return raw(value.lower() == "true")
    return raw(value)
