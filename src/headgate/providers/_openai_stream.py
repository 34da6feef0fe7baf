"""Stream translators for upstreams that speak OpenAI's API to clients that do: the events pass unchanged."""

import re

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.provider import Headers
from headgate.core.sse import Event
from headgate.core.usage import Usage
from headgate.providers._errors import ErrorBody, classify, error_members, protocol_error, read_error, stream_status
from headgate.providers._openai_shapes import Chunk, TypedEvent
from headgate.providers._openai_usage import read_usage
from headgate.providers._relay import EVENT_LIMIT, EventRelay

_USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
_FINISH_REASON = re.compile(rb'"finish_reason"\s*:\s*"')
_EMPTY_ARRAY = re.compile(rb"\[\s*\]")
_DONE = b"[DONE]"

# What ends a stream of typed events (https://platform.openai.com/docs/api-reference/responses-streaming, and the
# streaming pages of images and audio). A failed response is an answer too: the upstream says so in the client's shape.
_TERMINAL = frozenset(
    {
        *("response.completed", "response.incomplete", "response.failed"),
        *("image_generation.completed", "image_edit.completed"),
        *("transcript.text.done", "speech.audio.done"),
    }
)


_chunk_decoder = msgspec.json.Decoder(Chunk)
_typed_decoder = msgspec.json.Decoder(TypedEvent)
_any_decoder = msgspec.json.Decoder(msgspec.Raw)


class _OpenAIRelay(EventRelay):
    def __init__(self, headers: Headers, *, secrets: tuple[str, ...] = (), limit: int = EVENT_LIMIT) -> None:
        super().__init__(headers, limit=limit)
        self._secrets = secrets

    def _fail(self, error: ErrorBody) -> None:
        status = stream_status(error.code, error.kind)
        self.failure = classify(status, error.message, error.code, error.kind, param=error.param, secrets=self._secrets)

    def _foreign(self, body: bytes) -> None:
        # Some servers write their error as plain JSON into a stream whose status was already sent.
        if body.lstrip().startswith(b"{") and (error := read_error(body)).message:
            self._fail(error)
        else:
            super()._foreign(body)

    def _is_whole(self, data: bytes) -> bool:
        try:
            _any_decoder.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return data.strip() == _DONE
        return True


class ChunkRelay(_OpenAIRelay):
    """Relays a chat or completion stream, up to and including `data: [DONE]`.

    The chunk that holds nothing but usage is taken out unless the client asked for it. An upstream that ends without
    `[DONE]` after a finish reason was seen has answered completely; the mark is then written for it.
    """

    def __init__(
        self,
        headers: Headers,
        *,
        include_usage: bool,
        secrets: tuple[str, ...] = (),
        limit: int = EVENT_LIMIT,
    ) -> None:
        super().__init__(headers, secrets=secrets, limit=limit)
        self._include_usage = include_usage
        self._finished = False

    def _notable(self, data: bytes) -> bool:
        # OpenAI sends `"usage":null` in every chunk once usage was asked for.
        return (b'"usage"' in data and _USAGE_OBJECT.search(data) is not None) or b'"error"' in data or _DONE in data

    def _take(self, event: Event) -> bool:
        if event.data.strip() == _DONE:
            self.complete = self._ended = True
        if self._ended or not event.data:
            return True
        try:
            chunk = _chunk_decoder.decode(event.data)
        except (msgspec.DecodeError, RecursionError):
            self.failure = protocol_error("The upstream provider sent an event that is not a JSON object.")
            return False
        if chunk.error:
            self._fail(error_members({"error": chunk.error}))
            return False
        usage = read_usage(chunk.usage)
        if usage is None:
            return True
        self.usage = usage
        return self._include_usage or _EMPTY_ARRAY.fullmatch(chunk.choices) is None

    def _counted(self, data: bytes) -> None:
        if self.usage is None:
            super()._counted(data)
        if not self._finished:
            self._finished = _FINISH_REASON.search(data) is not None

    def _conclude(self) -> bytes:
        self._count()
        if not self._finished:
            return super()._conclude()
        self.complete = True
        return b"data: [DONE]\n\n"


class TypedRelay(_OpenAIRelay):
    """Relays a stream whose events name their type: responses, images, transcriptions, speech."""

    def _notable(self, data: bytes) -> bool:
        return (
            b".completed" in data
            or b".done" in data
            or b"response.incomplete" in data
            or b"response.failed" in data
            or b'"error"' in data
        )

    def _take(self, event: Event) -> bool:
        if not event.data:
            return True
        try:
            typed = _typed_decoder.decode(event.data)
        except (msgspec.DecodeError, RecursionError):
            # Relayed servers end some of these streams as they end chat.
            if event.data.strip() == _DONE:
                return True
            self.failure = protocol_error("The upstream provider sent an event that is not a JSON object.")
            return False
        if typed.type == "error" or (not typed.type and event.name in (b"error", b"")):
            error = error_members(msgspec.json.decode(event.data))
            if typed.type or error.message:
                self._fail(error)
                return False
        if typed.type in _TERMINAL:
            self.complete = True
            usage = read_usage(typed.usage if typed.response is None else typed.response.usage)
            self.usage = usage or self.usage
        return True


class OpaqueRelay:
    """Relays bytes that are no event stream, such as audio; the end of the body is the end of the answer."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.failure: UpstreamError | None = None
        self.output_characters = 0

    def feed(self, data: bytes) -> bytes:
        """Return the bytes as they came."""
        return data

    def finish(self) -> bytes:
        """Take the end of the body, which the transport has checked against its framing."""
        self.complete = True
        return b""
