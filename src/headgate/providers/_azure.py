"""Azure OpenAI: OpenAI's bodies under Azure's URLs and credentials.

Two URL forms exist (https://learn.microsoft.com/azure/ai-foundry/openai/reference and .../api-version-lifecycle): the
dated one, `/openai/deployments/{deployment}/...?api-version=2024-10-21`, and the v1 one, `/openai/v1/...`, where the
deployment is the body's `model` and `api-version` is only sent as `preview`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from headgate.core.errors import ConfigurationError, InvalidRequestError
from headgate.core.provider import Call, Operation, UpstreamRequest
from headgate.providers._connection import extra_headers, parse_base, secret_values, setting
from headgate.providers._entra import EntraToken, parse_settings, shared_token
from headgate.providers._openai import PATHS, OpenAIProvider
from headgate.providers._parameters import Defaults
from headgate.providers._registry import PROVIDERS

DEFAULT_API_VERSION = "2025-02-01-preview"
"""What LiteLLM 1.80.5 sends when no version is configured."""

_V1_VERSIONS = frozenset({"v1", "preview", "latest"})
_VERSION = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})(?:-preview)?")
# https://learn.microsoft.com/azure/ai-foundry/openai/whats-new: stream_options came with this version.
_STREAM_OPTIONS_SINCE = "2024-09-01"
# LiteLLM's hints about a deployment's family, which are no part of its name.
_FAMILIES = ("o_series/", "gpt5_series/")
_UNSUPPORTED = frozenset({Operation.MODERATION, Operation.RERANK})


class AzureProvider(OpenAIProvider):
    """A deployment of an Azure OpenAI resource."""

    @classmethod
    def from_parameters(
        cls, name: str, model: str, parameters: Mapping[str, Any], environ: Mapping[str, str]
    ) -> "AzureProvider":
        """Make the provider from `litellm_params`. Raises `ConfigurationError` with a sentence per problem."""
        endpoint = PROVIDERS[name]
        given = setting(parameters, "api_base", environ, ()) or setting(
            parameters, "base_url", environ, endpoint.base_variables
        )
        if not given:
            message = (
                f"azure/{model} has no api_base; set it to https://RESOURCE.openai.azure.com or set AZURE_API_BASE."
            )
            raise ConfigurationError([message])
        base = parse_base(given)
        version = setting(parameters, "api_version", environ, ("AZURE_API_VERSION",))
        if not version:
            version = "v1" if base.path.endswith("/openai/v1") else DEFAULT_API_VERSION
        dated = _VERSION.fullmatch(version)
        if dated is None and version not in _V1_VERSIONS:
            message = f"azure/{model}: api_version must be v1, preview or a date such as {DEFAULT_API_VERSION}."
            raise ConfigurationError([message])
        for family in _FAMILIES:
            model = model.removeprefix(family)
        if not _is_segment(model):
            raise ConfigurationError([f"azure/{model} does not name a deployment."])
        headers, secret, token = _credentials(model, parameters, environ)
        extra = extra_headers(parameters)
        if token is not None and any(field.lower() == "authorization" for field in extra):
            message = f"azure/{model}: extra_headers sets Authorization, which the token of client_secret is sent in."
            raise ConfigurationError([message])
        kind: type[AzureProvider] = cls if token is None else _SignedInProvider
        made = kind(
            name=name,
            model=model,
            base=base,
            headers={**headers, **extra},
            defaults=Defaults.from_parameters(parameters),
            secrets=(secret, *secret_values(extra)),
            endpoint=endpoint._replace(usage_on_request=dated is None or dated["date"] >= _STREAM_OPTIONS_SINCE),
            route=partial(_route, base.path, version),
        )
        if token is not None and isinstance(made, _SignedInProvider):
            made.sign_in(token)
        return made

    def supports(self, operation: Operation) -> bool:
        """What OpenAI serves, but for moderations."""
        return operation in PATHS and operation not in _UNSUPPORTED

    def _wildcard_model(self, call: Call) -> str:
        model = super()._wildcard_model(call)
        if not _is_segment(model):
            raise InvalidRequestError("The model does not name a deployment.", param="model")
        return model


class _SignedInProvider(AzureProvider):
    """A deployment that is asked with a token of Microsoft Entra's, which expires; `sign_in` is called before use."""

    _token = ""
    _line = b""

    def sign_in(self, token: EntraToken) -> None:
        """Take the token that requests are made with."""
        self.credentials = self._entra = token
        self._stated_secrets = self._secrets

    def encode(self, call: Call) -> UpstreamRequest:
        """Build the upstream request with the token at hand. Raises `UpstreamError` when there is none yet."""
        request = super().encode(call)
        token = self._entra.token
        if token is not self._token:
            self._token = token
            self._secrets = (*self._stated_secrets, token)
            self._line = f"Authorization: Bearer {token}\r\n".encode()
        request.headers = self._line + request.headers
        return request


def _route(base: str, version: str, model: str, path: str) -> str:
    """Return path and query; `base` is the path of the base URL, with or without `/openai` and what follows it."""
    if version in _V1_VERSIONS:
        root = base if base.endswith("/openai/v1") else f"{base.removesuffix('/openai')}/openai/v1"
        return f"{root}{path}?api-version=preview" if version == "preview" else f"{root}{path}"
    if path == PATHS[Operation.RESPONSES]:
        root = f"{base.partition('/openai/deployments/')[0].removesuffix('/openai')}/openai"
    elif "/openai/deployments/" in base:
        root = base
    else:
        root = f"{base.removesuffix('/openai')}/openai/deployments/{quote(model, safe='')}"
    return f"{root}{path}?api-version={version}"


def _credentials(
    model: str, parameters: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[dict[str, str], str, EntraToken | None]:
    """Return the headers that authenticate, the secret that they rest on, and the token that is sent in their place."""
    problems: Sequence[str] = ()
    # What the parameters name goes before what the environment has for every deployment.
    for stated in (True, False):
        if key := setting(parameters, "api_key", environ, () if stated else PROVIDERS["azure"].key_variables):
            return {"api-key": key}, key, None
        if token := setting(parameters, "azure_ad_token", environ, () if stated else ("AZURE_AD_TOKEN",)):
            if token.startswith("oidc/"):
                message = f"azure/{model}: azure_ad_token can not be an oidc/ reference; give the token itself."
                raise ConfigurationError([message])
            return {"Authorization": f"Bearer {token}"}, token, None
        try:
            application = parse_settings(parameters, environ, stated=stated)
        except ConfigurationError as error:
            problems = problems or [f"azure/{model}: {problem}" for problem in error.problems]
            continue
        if application is not None:
            return {}, application.client_secret, shared_token(application)
    hint = "set one in litellm_params or set AZURE_API_KEY"
    raise ConfigurationError(problems or [f"azure/{model} has no api_key, azure_ad_token or client_secret; {hint}."])


def _is_segment(model: str) -> bool:
    """Tell whether a deployment's name is one segment of a path: no other name may be reached through it."""
    return model not in ("", ".", "..") and model.isprintable() and len(model) <= 256
