"""Anthropic's Messages API by InvokeModel: Claude's own format, in Bedrock's envelope.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

import base64
import binascii
import re

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.json import Members, encode, integer, raw
from headgate.core.provider import Answer, Call
from headgate.core.usage import Usage
from headgate.providers._anthropic_answers import DECODE_ERRORS, Metered
from headgate.providers._anthropic_streams import MessagesRelay
from headgate.providers._bedrock_errors import read_exception
from headgate.providers._chat import decode_member, present
from headgate.providers._errors import protocol_error
from headgate.providers._event_stream import EventStreamError, EventStreamReader

# Members of a native request that a deployment may give defaults for; others of its parameters are OpenAI's names.
NATIVE = frozenset(
    {
        *("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "thinking", "system", "metadata"),
        *("tools", "tool_choice", "context_management", "output_config", "anthropic_beta"),
    }
)

_VERSION = raw("bedrock-2023-05-31")
_PROFILE = re.compile(r"^[a-z-]{2,8}\.(?=anthropic\.)")
_strings = msgspec.json.Decoder(list[str])


class _Chunk(msgspec.Struct):
    bytes: str


class _Event(msgspec.Struct):
    type: str


class _Counted(msgspec.Struct):
    input_tokens: int = msgspec.field(name="inputTokens")


_chunk = msgspec.json.Decoder(_Chunk)
_event = msgspec.json.Decoder(_Event)
_metered = msgspec.json.Decoder(Metered)
_counted = msgspec.json.Decoder(_Counted)


def encode_messages(members: Members, call: Call, *, limit: int | None) -> bytes:
    """Put a Messages request into Bedrock's form: the model is in the path, versions and betas in the body.

    `limit` caps `max_tokens`. Raises `InvalidRequestError` for a malformed member.
    """
    body = {name: value for name, value in members.items() if name not in ("model", "stream")}
    body["anthropic_version"] = _VERSION
    header = next((value for name, value in call.headers if name == b"anthropic-beta"), b"").decode("latin-1")
    if betas := [beta for beta in map(str.strip, header.split(",")) if beta]:
        given = present(members, "anthropic_beta")
        stated = [] if given is None else decode_member(_strings, given, "anthropic_beta")
        body["anthropic_beta"] = raw([*stated, *(beta for beta in betas if beta not in stated)])
    if limit is not None:
        asked = integer(members, "max_tokens")
        body["max_tokens"] = raw(limit if asked is None else min(asked, limit))
    return encode(body)


def decode_messages(body: bytes) -> Answer:
    """Read the usage of an answer, which passes unchanged. Raises `UpstreamError` (PROTOCOL) when it is not one."""
    try:
        return Answer(body, _metered.decode(body).usage.total())
    except DECODE_ERRORS:
        raise protocol_error("The upstream provider's answer is not one of Claude's.") from None


def encode_count(members: Members, call: Call) -> bytes:
    """Wrap a request for counting; Bedrock reads it as one to invoke, which needs a limit."""
    body = encode_messages({"max_tokens": msgspec.Raw(b"1"), **members}, call, limit=None)
    return encode({"input": {"invokeModel": {"body": base64.b64encode(body).decode()}}})


def decode_count(body: bytes) -> Answer:
    """Translate a count into Anthropic's form. Raises `UpstreamError` (PROTOCOL) when it is not one."""
    try:
        return Answer(encode({"input_tokens": _counted.decode(body).input_tokens}))
    except DECODE_ERRORS:
        raise protocol_error("The upstream provider's answer is not a count of tokens.") from None


def counting_model(model: str) -> str:
    """Return the foundation model of an inference profile; tokens are counted for no other kind of name."""
    return _PROFILE.sub("", model)


class MessagesTranslator:
    """Unwraps InvokeModelWithResponseStream into Anthropic's server-sent events; implements `StreamTranslator`."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failure: UpstreamError | None = None
        self.output_characters = 0
        self._reader = EventStreamReader()
        self._relay = MessagesRelay()

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return what to send to the client."""
        pieces: list[bytes] = []
        try:
            for message in self._reader.feed(data):
                self.failure = read_exception(message)
                if self.failure is None:
                    pieces.append(self._unwrap(message.payload))
                    self.failure = self._relay.failure
                if self.failure is not None:
                    break
        except EventStreamError as error:
            self.failure = protocol_error(f"The upstream provider's event stream is damaged: {error}.")
        except (*DECODE_ERRORS, binascii.Error):
            self.failure = protocol_error("The upstream provider's stream holds an event that can not be read.")
        self.usage, self.complete = self._relay.usage, self._relay.complete
        self.output_characters = self._relay.output_characters
        return b"".join(pieces)

    def finish(self) -> bytes:
        """Take the end of the upstream's body; an end before `message_stop` is a failure."""
        if self.failure is None:
            self._relay.finish()
            self.failure = self._relay.failure
        return b""

    def _unwrap(self, payload: bytes) -> bytes:
        event = binascii.a2b_base64(_chunk.decode(payload).bytes, strict_mode=True)
        kind = encode(_event.decode(event).type)[1:-1]
        line = event.replace(b"\n", b" ").replace(b"\r", b" ")
        return self._relay.feed(b"event: " + kind + b"\ndata: " + line + b"\n\n")
