"""OpenAI and every upstream that speaks its API: the body passes through with another model name."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Self

import msgspec

from headgate.core.errors import ConfigurationError, InvalidRequestError, UpstreamError
from headgate.core.json import Members, encode, raw
from headgate.core.multipart import parse_form
from headgate.core.provider import (
    Answer,
    Call,
    Credentials,
    Headers,
    Operation,
    Origin,
    StreamTranslator,
    UpstreamRequest,
)
from headgate.providers._connection import Base, extra_headers, header_block, parse_base, secret_values, setting
from headgate.providers._errors import classify, clean, protocol_error, read_error
from headgate.providers._openai_shapes import Body
from headgate.providers._openai_stream import ChunkRelay, OpaqueRelay, TypedRelay
from headgate.providers._openai_usage import read_meta, read_usage
from headgate.providers._parameters import Defaults
from headgate.providers._registry import PROVIDERS, Endpoint

PATHS: Mapping[Operation, str] = {
    Operation.CHAT: "/chat/completions",
    Operation.COMPLETION: "/completions",
    Operation.EMBEDDING: "/embeddings",
    Operation.RESPONSES: "/responses",
    Operation.IMAGE_GENERATION: "/images/generations",
    Operation.IMAGE_EDIT: "/images/edits",
    Operation.SPEECH: "/audio/speech",
    Operation.TRANSCRIPTION: "/audio/transcriptions",
    Operation.MODERATION: "/moderations",
    Operation.RERANK: "/rerank",
}
"""Where each operation lies under the base URL (https://platform.openai.com/docs/api-reference; rerank: Cohere's)."""

_CHUNKED: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
_JSON: Final = b"application/json"
_MODEL_MARK = "*"
_USAGE_WANTED = msgspec.Raw(b'{"include_usage":true}')
_MEDIA_TYPE = re.compile(rb"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;[\t\x20-\x7e]*)?")
_JSON_TYPE = re.compile(rb"application/(?:[\w.-]+\+)?json\b", re.IGNORECASE)
_DEMO = Base(Origin("demo", "demo", 0), "", "demo://demo")
_DEMO_OPERATIONS = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING, Operation.MODERATION})
"""What the gateway's built-in model answers."""


_AUDIO: Final = frozenset({Operation.SPEECH, Operation.TRANSCRIPTION})
_decode_body: Final = msgspec.json.Decoder(Body).decode
_options_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class OpenAIProvider:
    """A deployment behind OpenAI's API, at OpenAI or anywhere else.

    `route` returns the path and query under which a model is asked at one of `PATHS`; without it they are `base`'s own.
    `headers` authenticate; `secrets` is what must never show in an error.
    """

    credentials: Credentials | None = None

    def __init__(
        self,
        *,
        name: str,
        model: str,
        base: Base,
        headers: Mapping[str, str],
        defaults: Defaults,
        secrets: tuple[str, ...] = (),
        endpoint: Endpoint = PROVIDERS["openai"],
        route: Callable[[str, str], str] | None = None,
    ) -> None:
        self.name = name
        self.model = model
        self.api_base = base.url
        self._origin = base.origin
        self._route = route or partial(_route, base)
        self._defaults = defaults
        self._secrets = secrets
        self._endpoint = endpoint
        self._model = raw(model)
        self._form_headers = header_block({"User-Agent": "headgate"}, headers)
        self._json_headers = self._form_headers + b"Content-Type: application/json\r\n"
        self._targets = {} if _MODEL_MARK in model else self._targets_of(model)

    @classmethod
    def from_parameters(cls, name: str, model: str, parameters: Mapping[str, Any], environ: Mapping[str, str]) -> Self:
        """Make the provider from `litellm_params`. Raises `ConfigurationError` with a sentence per problem."""
        endpoint = PROVIDERS[name]
        key = setting(parameters, "api_key", environ, endpoint.key_variables)
        given = setting(parameters, "api_base", environ, ()) or setting(
            parameters, "base_url", environ, endpoint.base_variables
        )
        base = _base_of(name, given, endpoint)
        if not key and endpoint.key_required and not given:
            variable = endpoint.key_variables[0]
            raise ConfigurationError([f"{name}/{model} has no api_key; set it in litellm_params or set {variable}."])
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        variables = ("OPENAI_ORGANIZATION", "OPENAI_ORG_ID") if name == "openai" else ()
        organization = setting(parameters, "organization", environ, variables)
        if organization:
            headers["OpenAI-Organization"] = organization
        if endpoint.model_prefix and "/" not in model:
            model = endpoint.model_prefix + model
        extra = extra_headers(parameters)
        return cls(
            name=name,
            model=model,
            base=base,
            headers={**headers, **extra},
            defaults=Defaults.from_parameters(parameters),
            secrets=(key, *secret_values(extra, base.query)),
            endpoint=endpoint,
        )

    def supports(self, operation: Operation) -> bool:
        """Everything of OpenAI's own API, and rerank, which many compatible servers add; the built-in model less."""
        return operation in (_DEMO_OPERATIONS if self.name == "demo" else PATHS)

    def attachments(self, call: Call) -> Sequence[str]:
        """Nothing: the upstream fetches what a call links to."""
        return ()

    def encode(self, call: Call) -> UpstreamRequest:
        """Replace the model name and, for a stream of chunks, ask for its usage; the rest stays as it came."""
        model, target = self._model, self._targets.get(call.operation)
        if target is None:
            name = self._wildcard_model(call)
            model, target = raw(name), self._targets_of(name)[call.operation]
        if call.content_type != _JSON:
            form = parse_form(call.body, call.content_type)
            body = form.rewrite(call.body, {"model": msgspec.json.decode(model, type=str).encode()})
            headers = self._form_headers + b"Content-Type: " + form.content_type + b"\r\n"
            return UpstreamRequest(self._origin, target, headers, body)
        members = {**self._defaults.apply(call.members), "model": model}
        if call.operation in _CHUNKED:
            self._adapt(members, call.stream)
        return UpstreamRequest(self._origin, target, self._json_headers, encode(members))

    def decode(self, call: Call, headers: Headers, body: bytes) -> Answer:
        """Return the answer byte for byte, with the usage that it reports.

        Raises `UpstreamError` for a 2xx that is not a JSON object or carries an error instead of an answer.
        """
        operation = call.operation
        if operation in _AUDIO:
            content_type = _content_type(headers)
            # Transcriptions come as text, SRT or VTT when asked for.
            if _JSON_TYPE.match(content_type) is None:
                return Answer(body, None, content_type)
        try:
            if not body.isascii():
                body.decode()
            found = _decode_body(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise protocol_error("The upstream provider's answer is not a JSON object.") from None
        # A response that failed is an answer of that shape, with its error in it.
        if found.error and found.object != "response":
            message = clean(read_error(body).message, self._secrets)
            raise protocol_error(message or "The upstream provider sent an error with a status of success.")
        if operation in _AUDIO and operation is Operation.SPEECH:
            raise protocol_error("The upstream provider answered JSON instead of audio.")
        usage = read_usage(found.usage)
        return Answer(body, usage if usage is not None else read_meta(found.meta))

    def translator(self, call: Call, headers: Headers) -> StreamTranslator:
        """Return a relay that passes the upstream's events unchanged."""
        if call.operation in _CHUNKED:
            return ChunkRelay(headers, include_usage=call.include_usage, secrets=self._secrets)
        if b"event-stream" in dict(headers).get(b"content-type", b"") or call.operation is not Operation.SPEECH:
            return TypedRelay(headers, secrets=self._secrets)
        return OpaqueRelay()

    def failure(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """Classify an answer that is not 2xx."""
        found = read_error(body)
        return classify(
            status, found.message, found.code, found.kind, headers, param=found.param, secrets=self._secrets
        )

    def _targets_of(self, model: str) -> dict[Operation, bytes]:
        return {operation: self._route(model, path).encode() for operation, path in PATHS.items()}

    def _wildcard_model(self, call: Call) -> str:
        if not call.wildcard:
            raise InvalidRequestError("This model group is a wildcard; name the model to use.", param="model")
        return self.model.replace(_MODEL_MARK, call.wildcard)

    def _adapt(self, members: Members, stream: bool) -> None:
        """Change the members, in place, that this upstream takes under another name or not at all."""
        for theirs, ours in self._endpoint.renamed:
            if theirs in members:
                members.setdefault(ours, members.pop(theirs))
        if not self._endpoint.usage_on_request:
            members.pop("stream_options", None)
        elif stream:
            members["stream_options"] = _with_usage(members.get("stream_options"))


def _route(base: Base, model: str, path: str) -> str:
    return f"{base.path}{path}?{base.query}" if base.query else f"{base.path}{path}"


def _base_of(name: str, given: str, endpoint: Endpoint) -> Base:
    if name == "demo":
        return _DEMO
    url = given or endpoint.base_url
    if not url:
        variable = endpoint.base_variables[0]
        raise ConfigurationError([f"{name} has no api_base; set it in litellm_params or set {variable}."])
    base = parse_base(url)
    if base.path or not endpoint.path:
        return base
    return base._replace(path=endpoint.path, url=base.url + endpoint.path)


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None:
        return _USAGE_WANTED
    try:
        return raw({**_options_decoder.decode(options), "include_usage": True})
    except msgspec.ValidationError:
        # null, or something that the dialect has let pass; the upstream would refuse it anyway.
        return _USAGE_WANTED


def _content_type(headers: Headers) -> bytes:
    value = dict(headers).get(b"content-type", b"")
    return value if _MEDIA_TYPE.fullmatch(value) else b"application/octet-stream"
