"""The seam between the gateway and the providers: plain values and bytes in, plain values and bytes out.

A provider is bound to one deployment's parameters (base URL, upstream model, credentials) and never touches a socket.
The gateway decodes the client's body into a `Call`, asks the provider to `encode` it, sends the result, and gives what
comes back to `decode` (whole answers), to a `StreamTranslator` (streams) or to `failure` (anything but 2xx).
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.json import Members
from headgate.core.usage import Usage

Headers = Sequence[tuple[bytes, bytes]]
"""Header fields in order, names in lower case, values without surrounding blanks."""


class Operation(Enum):
    """What a client asks for; the value is LiteLLM's name of it (its `mode` where it has one)."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    RESPONSES = "responses"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    IMAGE_GENERATION = "image_generation"
    IMAGE_EDIT = "image_edit"
    SPEECH = "audio_speech"
    TRANSCRIPTION = "audio_transcription"
    MODERATION = "moderation"
    RERANK = "rerank"

    # Members are looked up several times per request; Enum's own hash is a Python function over the name.
    __hash__ = object.__hash__


class Origin(NamedTuple):
    """Where an upstream listens. `scheme` is `https` or `http`, `host` a name or an address without brackets."""

    scheme: str
    host: str
    port: int


class Attachment(msgspec.Struct, frozen=True):
    """A fetched file."""

    media_type: str
    data: bytes


class Call(msgspec.Struct):
    """One request, decoded as far as the gateway reads it, in the client's own dialect.

    `members` are the top-level JSON members; a provider copies the dict before it changes anything, because the same
    call is encoded again for a retry or a fallback. `body` is the JSON body as it came, or for multipart the whole
    form, whose `content_type` carries the boundary. `include_usage` says that the client asked for the usage of a
    chat or completion stream (`stream_options.include_usage`).
    """

    operation: Operation
    model: str
    members: Members
    body: bytes
    stream: bool = False
    include_usage: bool = False
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Headers of the client that travel upstream with this operation, such as `anthropic-version`."""
    wildcard: str = ""
    """What the `*` of a wildcard model group stood for; replaces the `*` of the provider's model."""
    attachments: dict[str, "Attachment"] = {}
    """What the gateway fetched for the URLs that `Provider.attachments` named."""


class UpstreamRequest(msgspec.Struct):
    """A request ready for the wire.

    `target` is path and query, already percent-encoded. `headers` are complete lines, each ending with CRLF, without
    Host, Content-Length, Connection and Accept-Encoding, which belong to the transport.
    """

    origin: Origin
    target: bytes
    headers: bytes
    body: bytes
    method: bytes = b"POST"


class Answer(msgspec.Struct):
    """A whole answer in the client's dialect. `usage` is None where the operation has none to report."""

    body: bytes
    usage: Usage | None = None
    content_type: bytes = b"application/json"


class StreamTranslator(Protocol):
    """Turns an upstream stream into the client's, incrementally; the same result however the bytes are cut.

    `feed` and `finish` return complete events only, possibly none. After `failure` is set nothing more is fed; the
    gateway fails over when nothing was sent yet, and otherwise ends the stream with an error event.
    """

    @property
    def usage(self) -> Usage | None:
        """What the upstream reported so far."""

    @property
    def complete(self) -> bool:
        """True once the upstream has said that the answer is whole; an end before that is a truncation."""

    @property
    def failure(self) -> UpstreamError | None:
        """An error that the upstream sent inside the stream, or bytes that are not its protocol."""

    @property
    def output_characters(self) -> int:
        """Characters of output seen, from which usage is estimated when the upstream never reports it."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; return what to send to the client."""

    def finish(self) -> bytes:
        """Take the end of the upstream's body; return what remains to be sent."""


class _Expiring(Protocol):
    """Credentials that expire. The gateway fetches them anew, before they are needed where it can."""

    @property
    def available(self) -> bool:
        """True while requests can be signed with what is at hand."""

    @property
    def refresh_due(self) -> bool:
        """True when they should be fetched soon; also while nothing is available."""


class BlockingCredentials(_Expiring, Protocol):
    """Credentials that a library fetches; the gateway lets it do so in a thread."""

    def refresh(self) -> None:
        """Fetch anew; blocks. Raises `UpstreamError` (category AUTHENTICATION) with a message fit for the client."""


@runtime_checkable
class TokenCredentials(_Expiring, Protocol):
    """Credentials that one HTTP request fetches; the gateway sends it, and then calls either `accept` or `fail`.

    All of them raise `UpstreamError` (category AUTHENTICATION) with a message fit for the client, and with what only
    the log may say as its cause.
    """

    def request(self) -> UpstreamRequest:
        """Build the request. Raises while the last failure is so recent that asking again makes no sense."""

    def accept(self, status: int, body: bytes) -> None:
        """Take the answer. Raises when it holds no token."""

    def fail(self, error: UpstreamError) -> None:
        """Note that there was no answer. Always raises."""


Credentials = BlockingCredentials | TokenCredentials


class Provider(Protocol):
    """One deployment's way to speak to its upstream."""

    name: str
    """LiteLLM's provider name, such as `openai`, `azure`, `anthropic`, `bedrock`."""
    model: str
    """The model name that the upstream knows."""
    api_base: str
    """The base URL as shown to clients, without query or credentials."""

    @property
    def credentials(self) -> Credentials | None:
        """Credentials that must be fresh before `encode`; None where they never expire."""

    def supports(self, operation: Operation) -> bool:
        """Tell whether this provider can serve the operation, natively or by translation."""

    def attachments(self, call: Call) -> Sequence[str]:
        """Name the URLs in the call that the upstream can not fetch itself; the gateway does, before `encode`."""

    def encode(self, call: Call) -> UpstreamRequest:
        """Build the upstream request.

        Raises `InvalidRequestError` for what the upstream can not express; another deployment is then asked.
        """

    def decode(self, call: Call, headers: Headers, body: bytes) -> Answer:
        """Translate a whole 2xx answer. Raises `UpstreamError` (category PROTOCOL) when it is not one."""

    def translator(self, call: Call, headers: Headers) -> StreamTranslator:
        """Return a new translator for a 2xx streamed answer."""

    def failure(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """Classify an answer that is not 2xx, with a message fit for the client."""
