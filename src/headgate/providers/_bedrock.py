"""Amazon Bedrock: chat by Converse, embeddings by InvokeModel, and Anthropic's Messages for Claude."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from headgate.core.errors import ConfigurationError, InvalidRequestError, UpstreamError
from headgate.core.identifiers import call_id
from headgate.core.json import Members, raw
from headgate.core.provider import (
    Answer,
    Call,
    Credentials,
    Headers,
    Operation,
    StreamTranslator,
    UpstreamRequest,
)
from headgate.providers import _bedrock_claude as claude
from headgate.providers import _chat as chat
from headgate.providers._bedrock_answer import decode_chat
from headgate.providers._bedrock_connection import Connection, parse_connection
from headgate.providers._bedrock_embeddings import decode_embedding, encode_embedding
from headgate.providers._bedrock_errors import read_failure
from headgate.providers._bedrock_messages import remote_files
from headgate.providers._bedrock_models import Traits, is_claude, is_embedding, path_segment, traits
from headgate.providers._bedrock_request import ChatSettings, encode_chat
from headgate.providers._bedrock_stream import ConverseTranslator
from headgate.providers._bedrock_tools import answers_by_tool
from headgate.providers._chat_answers import ChunkWriter
from headgate.providers._connection import extra_headers, header_block, secret_values
from headgate.providers._parameters import Defaults
from headgate.transport.aws import Signer, shared_credentials

# The last part of the path, whole and streamed.
_ACTIONS = {
    Operation.CHAT: ("converse", "converse-stream"),
    Operation.MESSAGES: ("invoke", "invoke-with-response-stream"),
    Operation.COUNT_TOKENS: ("count-tokens", "count-tokens"),
    Operation.EMBEDDING: ("invoke", "invoke"),
}
_SERVICE = "bedrock"
_JSON = "application/json"
_EVENT_STREAM = "application/vnd.amazon.eventstream"
# Tells the way to the model, beside the parameters that all providers know.
_CONNECTION = frozenset({"model_id"})
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# Files that one request may name; each is fetched before the request can go out.
_REMOTE_FILES = 20


class _Guardrail(msgspec.Struct):
    identifier: str = msgspec.field(name="guardrailIdentifier")
    version: str = msgspec.field(name="guardrailVersion", default="DRAFT")
    trace: str = "disabled"


class BedrockProvider:
    """A deployment of Amazon Bedrock. Implements `core.provider.Provider`."""

    def __init__(
        self,
        *,
        name: str,
        connection: Connection,
        defaults: Mapping[Operation, Defaults],
        settings: ChatSettings,
        given: Mapping[str, str],
        guardrail: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        identifiers: Callable[[], str] = call_id,
    ) -> None:
        self.name = name
        self.model = connection.model
        self.api_base = connection.base.url
        self.credentials: Credentials | None = None
        self._connection = connection
        self._defaults = defaults
        self._settings = settings
        self._given = dict(given)
        self._secrets = (connection.api_key, *secret_values(given))
        self._guardrail = dict(guardrail)
        self._clock = clock
        self._identifiers = identifiers
        self._traits = traits(connection.base_model)
        self._signer: Signer | None = None
        if not connection.api_key:
            credentials = shared_credentials(connection.aws)
            self.credentials = None if connection.aws.permanent else credentials
            self._signer = Signer(credentials, service=_SERVICE, region=connection.region)

    @classmethod
    def from_parameters(
        cls,
        name: str,
        model: str,
        parameters: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
        identifiers: Callable[[], str] = call_id,
    ) -> Self:
        """Make the provider from a deployment's `litellm_params`; `clock` gives seconds since the epoch.

        `docs/bedrock.md` lists the parameters and the variables of `environ`. The deployment's `max_tokens` limits
        every answer, and its `guardrailConfig` can not be replaced by a client. Raises `ConfigurationError` without
        the value of any secret.
        """
        connection = parse_connection(model, parameters, environ)
        values = {key: value for key, value in parameters.items() if key not in _CONNECTION}
        limit = next((values.pop(key) for key in _LIMITS if values.get(key) is not None), None)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigurationError(["max_tokens must be a positive integer."])
        guardrail = values.pop("guardrailConfig", None)
        chat_defaults = Defaults.from_parameters(values)
        native = {key: value for key, value in chat_defaults.values.items() if key in claude.NATIVE}
        native_defaults = msgspec.structs.replace(chat_defaults, values=native)
        if guardrail is not None:
            enforced = {**chat_defaults.extra_body, "guardrailConfig": raw(guardrail)}
            chat_defaults = msgspec.structs.replace(chat_defaults, extra_body=enforced)
        return cls(
            name=name,
            connection=connection,
            defaults={
                Operation.CHAT: chat_defaults,
                Operation.MESSAGES: native_defaults,
                Operation.COUNT_TOKENS: msgspec.structs.replace(native_defaults, extra_body={}),
                Operation.EMBEDDING: msgspec.structs.replace(chat_defaults, extra_body={}),
            },
            settings=ChatSettings(
                drop_params=parameters.get("drop_params") is True,
                allowed_openai_params=frozenset(parameters.get("allowed_openai_params") or ()),
                max_tokens=limit,
            ),
            given={field.lower(): value for field, value in extra_headers(parameters).items()},
            guardrail=_guardrail_headers(guardrail),
            clock=clock,
            identifiers=identifiers,
        )

    def supports(self, operation: Operation) -> bool:
        """Chat or embeddings, whichever the model is for, and Messages for Claude; a wildcard may be any of them."""
        if operation not in _ACTIONS:
            return False
        model = self._connection.base_model
        if "*" in model:
            return True
        if is_embedding(model):
            return operation is Operation.EMBEDDING
        return operation is Operation.CHAT or (operation is not Operation.EMBEDDING and is_claude(model))

    def attachments(self, call: Call) -> Sequence[str]:
        """Name the http(s) URLs of images and files: Converse takes them by content only."""
        messages = call.members.get("messages")
        if call.operation is not Operation.CHAT or messages is None:
            return ()
        content = bytes(messages)
        if b'"image_url"' not in content and b'"file"' not in content:
            return ()
        urls = list(dict.fromkeys(remote_files(chat.decode_messages(call.members))))
        if len(urls) > _REMOTE_FILES:
            message = f"Invalid value for 'messages': at most {_REMOTE_FILES} files can be given by URL."
            raise InvalidRequestError(message, param="messages")
        return urls

    def encode(self, call: Call) -> UpstreamRequest:
        """Build the upstream request; see `core.provider.Provider.encode`."""
        model = self._model(call)
        members = self._members(call)
        match call.operation:
            case Operation.CHAT:
                body = encode_chat(members, self._bound(call), self._settings, call.attachments)
            case Operation.EMBEDDING:
                body = encode_embedding(members, self._base_model(call))
            case Operation.MESSAGES:
                body = claude.encode_messages(members, call, limit=self._settings.max_tokens)
            case _:
                body, model = claude.encode_count(members, call), claude.counting_model(model)
        return self._request(call, model, body)

    def decode(self, call: Call, headers: Headers, body: bytes) -> Answer:
        """Translate a whole answer; see `core.provider.Provider.decode`."""
        match call.operation:
            case Operation.CHAT:
                return decode_chat(
                    body,
                    json_tool=answers_by_tool(self._members(call), self._bound(call)),
                    identifier=f"chatcmpl-{self._identifiers()}",
                    created=self._clock(),
                    model=self._model(call),
                )
            case Operation.EMBEDDING:
                return decode_embedding(call.members, headers, body, self._model(call))
            case Operation.MESSAGES:
                return claude.decode_messages(body)
            case _:
                return claude.decode_count(body)

    def translator(self, call: Call, headers: Headers) -> StreamTranslator:
        """Return a new translator for a stream; see `core.provider.Provider.translator`."""
        if call.operation is Operation.MESSAGES:
            return claude.MessagesTranslator()
        writer = ChunkWriter(
            identifier=f"chatcmpl-{self._identifiers()}", created=self._clock(), model=self._model(call)
        )
        json_tool = answers_by_tool(self._members(call), self._bound(call))
        return ConverseTranslator(writer, include_usage=call.include_usage, json_tool=json_tool)

    def failure(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """Classify an answer that is not 2xx; see `core.provider.Provider.failure`."""
        signing = self._signer.secrets if self._signer is not None else ()
        return read_failure(status, headers, body, (*self._secrets, *signing))

    def _members(self, call: Call) -> Members:
        return self._defaults[call.operation].apply(call.members)

    def _model(self, call: Call) -> str:
        return self._connection.model.replace("*", call.wildcard, 1) if call.wildcard else self._connection.model

    def _base_model(self, call: Call) -> str:
        model = self._connection.base_model
        return model.replace("*", call.wildcard, 1) if call.wildcard else model

    def _bound(self, call: Call) -> Traits:
        return traits(self._base_model(call)) if call.wildcard else self._traits

    def _request(self, call: Call, model: str, body: bytes) -> UpstreamRequest:
        connection = self._connection
        action = _ACTIONS[call.operation][call.stream]
        path = f"/model/{path_segment(model)}/{action}"
        fields = {"content-type": _JSON, "accept": _EVENT_STREAM if call.stream else _JSON, **self._given}
        if call.operation is Operation.MESSAGES:
            fields |= self._guardrail
        if self._signer is not None:
            fields = self._signer.sign(f"{connection.base.url}{path}", fields, body)
        else:
            fields["authorization"] = f"Bearer {connection.api_key}"
        target = f"{connection.base.path}{path}".encode()
        return UpstreamRequest(connection.base.origin, target, header_block(fields), body)


def _guardrail_headers(config: object) -> dict[str, str]:
    """A guardrail as the headers of InvokeModel. Raises `ConfigurationError` for one that is not complete."""
    if config is None:
        return {}
    try:
        guardrail = msgspec.convert(config, _Guardrail)
    except msgspec.ValidationError as error:
        raise ConfigurationError([f"guardrailConfig is not valid: {error}."]) from None
    return {
        "x-amzn-bedrock-guardrailidentifier": guardrail.identifier,
        "x-amzn-bedrock-guardrailversion": guardrail.version,
        "x-amzn-bedrock-trace": guardrail.trace.upper(),
    }
