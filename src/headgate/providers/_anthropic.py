"""Anthropic's Messages API: natively, and as the upstream of OpenAI chat completions."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from headgate.core.errors import ConfigurationError, InvalidRequestError, UpstreamError
from headgate.core.json import Members, encode, raw
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
from headgate.providers import _anthropic_answers as answers
from headgate.providers._anthropic_errors import http_failure
from headgate.providers._anthropic_models import capabilities
from headgate.providers._anthropic_request import ChatSettings, encode_chat
from headgate.providers._anthropic_streams import ChatTranslator, MessagesRelay
from headgate.providers._connection import Base, extra_headers, header_block, parse_base, secret_values, setting
from headgate.providers._errors import protocol_error
from headgate.providers._parameters import Defaults

_DEFAULT_BASE = "https://api.anthropic.com"
_VERSION = "2023-06-01"
_BASE_VARIABLES = ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL")
_OPERATIONS = frozenset({Operation.CHAT, Operation.MESSAGES, Operation.COUNT_TOKENS})
_CLIENT_HEADERS = frozenset({b"anthropic-version", b"anthropic-beta"})
_HEADER_VALUE = re.compile(rb"[\x20-\x7e]{1,4096}")

# Members of a native request that a deployment may give defaults for; others of its parameters are OpenAI's names.
_NATIVE = frozenset(
    {
        *("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "thinking", "system", "metadata"),
        *("service_tier", "tools", "tool_choice", "mcp_servers", "container", "context_management", "cache_control"),
        *("output_config", "inference_geo", "speed"),
    }
)
# https://platform.claude.com/docs/en/api/messages-count-tokens; any other member is refused there.
_COUNTED = frozenset({*("system", "thinking", "tools", "tool_choice", "output_config", "cache_control")})

_decode_answer = msgspec.json.Decoder(answers.Answer).decode
_decode_metered = msgspec.json.Decoder(answers.Metered).decode


class _Counted(msgspec.Struct):
    input_tokens: int


_decode_counted = msgspec.json.Decoder(_Counted).decode


class _Fields(msgspec.Struct, frozen=True):
    """The header fields of a deployment, so that a client's own can be combined with them."""

    given: dict[str, str]
    version: str
    betas: str

    def block(self, version: str = "", betas: str = "") -> bytes:
        """Write the header lines. A client's version replaces ours, its betas are added to ours."""
        fields = {"anthropic-version": version or self.version}
        if joined := ",".join(filter(None, (self.betas, betas))):
            fields["anthropic-beta"] = joined
        return header_block({"content-type": "application/json"}, self.given, fields)


class AnthropicProvider:
    """A deployment of Anthropic's API, or of a server that speaks it. Implements `core.provider.Provider`."""

    credentials: Credentials | None = None

    def __init__(
        self,
        *,
        name: str,
        model: str,
        base: Base,
        fields: _Fields,
        defaults: Mapping[Operation, Defaults],
        settings: ChatSettings,
        secrets: tuple[str, ...],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.model = model
        self.api_base = base.url
        self._origin: Origin = base.origin
        query = f"?{base.query}" if base.query else ""
        self._target = f"{base.path}/v1/messages{query}".encode()
        self._count_target = f"{base.path}/v1/messages/count_tokens{query}".encode()
        self._fields = fields
        self._block = fields.block()
        self._model = raw(model)
        self._defaults = defaults
        self._settings = settings
        self._secrets = secrets
        self._clock = clock

    @classmethod
    def from_parameters(
        cls,
        name: str,
        model: str,
        parameters: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Make the provider from a deployment's `litellm_params`; `clock` gives seconds since the epoch.

        The key and the base URL that the parameters do not hold come from `environ` (`ANTHROPIC_API_KEY`,
        `ANTHROPIC_API_BASE`, `ANTHROPIC_BASE_URL`). Raises `ConfigurationError` without the value of any secret.
        """
        key = setting(parameters, "api_key", environ, ("ANTHROPIC_API_KEY",))
        if not key:
            raise ConfigurationError(["No API key for Anthropic; set api_key or ANTHROPIC_API_KEY."])
        url = setting(
            {"api_base": parameters.get("api_base") or parameters.get("base_url")}, "api_base", environ, _BASE_VARIABLES
        )
        base = parse_base(url or _DEFAULT_BASE)
        path = re.sub(r"/v1(/messages)?$", "", base.path)
        base = base._replace(path=path, url=base.url[: len(base.url) - len(base.path)] + path)
        given = {field.lower(): value for field, value in extra_headers(parameters).items()}
        version, betas = given.pop("anthropic-version", _VERSION), given.pop("anthropic-beta", "")
        limit = parameters.get("max_output_tokens")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigurationError(["max_output_tokens must be a positive integer."])
        defaults = Defaults.from_parameters({k: v for k, v in parameters.items() if k != "max_output_tokens"})
        return cls(
            name=name,
            model=model,
            base=base,
            fields=_Fields({"x-api-key": key, **given}, version, betas),
            defaults={
                Operation.CHAT: defaults,
                Operation.MESSAGES: _only(defaults, _NATIVE),
                Operation.COUNT_TOKENS: msgspec.structs.replace(_only(defaults, _COUNTED), extra_body={}),
            },
            settings=ChatSettings(
                capabilities(model),
                drop_params=parameters.get("drop_params") is True,
                allowed_openai_params=frozenset(parameters.get("allowed_openai_params") or ()),
                max_output_tokens=limit,
            ),
            secrets=(key, *secret_values(given, base.query)),
            clock=clock,
        )

    def supports(self, operation: Operation) -> bool:
        """Chat by translation, messages and token counting natively."""
        return operation in _OPERATIONS

    def attachments(self, call: Call) -> Sequence[str]:
        """Anthropic fetches URLs itself."""
        return ()

    def encode(self, call: Call) -> UpstreamRequest:
        """Build the upstream request; see `core.provider.Provider.encode`."""
        members = self._defaults[call.operation].apply(call.members)
        model, settings = self._bound(call)
        if call.operation is Operation.CHAT:
            body = encode_chat(members, model, settings, stream=call.stream)
        else:
            body = encode(_with_model(members, model))
        target = self._count_target if call.operation is Operation.COUNT_TOKENS else self._target
        return UpstreamRequest(self._origin, target, self._headers(call), body)

    def decode(self, call: Call, headers: Headers, body: bytes) -> Answer:
        """Translate a whole answer, or read the usage of a native one; see `core.provider.Provider.decode`."""
        try:
            if call.operation is Operation.CHAT:
                return Answer(*answers.translate_answer(_decode_answer(body), self._clock()))
            if call.operation is Operation.COUNT_TOKENS:
                _decode_counted(body)
                return Answer(body)
            return Answer(body, _decode_metered(body).usage.total())
        except answers.DECODE_ERRORS:
            raise protocol_error("The upstream provider's answer is not one of Anthropic's.") from None

    def translator(self, call: Call, headers: Headers) -> StreamTranslator:
        """Return a new translator for a stream; see `core.provider.Provider.translator`."""
        if call.operation is Operation.CHAT:
            return ChatTranslator(created=self._clock(), include_usage=call.include_usage, secrets=self._secrets)
        return MessagesRelay(self._secrets)

    def failure(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """Classify an answer that is not 2xx; see `core.provider.Provider.failure`."""
        return http_failure(status, headers, body, self._secrets)

    def _bound(self, call: Call) -> tuple[msgspec.Raw, ChatSettings]:
        if not call.wildcard or "*" not in self.model:
            return self._model, self._settings
        model = self.model.replace("*", call.wildcard, 1)
        return raw(model), msgspec.structs.replace(self._settings, capabilities=capabilities(model))

    def _headers(self, call: Call) -> bytes:
        if not call.headers:
            return self._block
        named = {name: _checked(name, value) for name, value in call.headers if name in _CLIENT_HEADERS}
        return self._fields.block(named.get(b"anthropic-version", ""), named.get(b"anthropic-beta", ""))


def _checked(name: bytes, value: bytes) -> str:
    if _HEADER_VALUE.fullmatch(value) is None:
        field = name.decode()
        raise InvalidRequestError(f"Invalid value for the header '{field}'.", param=field)
    return value.decode()


def _only(defaults: Defaults, names: frozenset[str]) -> Defaults:
    values = {name: value for name, value in defaults.values.items() if name in names}
    return msgspec.structs.replace(defaults, values=values)


def _with_model(members: Members, model: msgspec.Raw) -> Members:
    """Replace the model where it stood, so that nothing else of the body moves."""
    return {**members, "model": model}
