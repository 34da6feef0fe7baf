"""Microsoft Entra tokens for Azure OpenAI, for an application that has a secret: how they are asked for and kept.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import math
import re
import weakref
from collections.abc import Mapping
from typing import Any, Never
from urllib.parse import urlencode

import msgspec

from headgate.core.clock import Clock, monotonic
from headgate.core.errors import Category, ConfigurationError, HeadgateError, UpstreamError
from headgate.core.provider import UpstreamRequest
from headgate.providers._connection import Base, parse_base, setting
from headgate.providers._errors import clean

AUTHORITY = "https://login.microsoftonline.com"
"""Where tokens of the public cloud are issued; national clouds have others."""
SCOPE = "https://cognitiveservices.azure.com/.default"
"""What the token is for: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/managed-identity"""

REFRESH_SECONDS = 300.0
"""How long before its expiry a token is due for a refresh; the same as in Microsoft's own SDKs."""
RETRY_SECONDS = 30.0
"""The pause between two refreshes while the token at hand is still good."""
FAILURE_SECONDS = 2.0
"""How long a failure is answered again without asking, while there is no token."""

_PARAMETERS = ("tenant_id", "client_id", "client_secret")
_TENANT = re.compile(r"[0-9A-Za-z.-]{1,255}")
_TOKEN = re.compile(r"[!-~]+")
_ERROR_WORD = re.compile(r"[a-z_]{1,64}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_HEADERS = b"User-Agent: headgate\r\nAccept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n"


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float


class _Refusal(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class EntraSettings(msgspec.Struct, frozen=True, kw_only=True):
    """An application (`client_id`, `client_secret`) of a tenant, and what its token is for."""

    tenant_id: str
    client_id: str
    client_secret: str
    scope: str
    authority: Base

    def __repr__(self) -> str:
        """Show nothing: one of them is secret."""
        return "EntraSettings(...)"


def parse_settings(parameters: Mapping[str, Any], environ: Mapping[str, str], *, stated: bool) -> EntraSettings | None:
    """Read the application from `litellm_params` and the environment; None when there is none.

    With `stated` it must begin in the parameters, which the environment completes. Raises `ConfigurationError` with a
    sentence per problem, without the secret.
    """
    if stated and not any(setting(parameters, name, environ, ()) for name in _PARAMETERS):
        return None
    values = {name: setting(parameters, name, environ, (f"AZURE_{name.upper()}",)) for name in _PARAMETERS}
    missing = [name for name, value in values.items() if not value]
    if missing and not stated:
        return None
    problems = [f"{name} is not set, and neither is AZURE_{name.upper()}." for name in missing]
    if values["tenant_id"] and _TENANT.fullmatch(values["tenant_id"]) is None:
        problems.append("tenant_id is not the id or the domain of a Microsoft Entra tenant.")
    if problems:
        raise ConfigurationError(problems)
    scope = setting(parameters, "azure_scope", environ, ("AZURE_SCOPE",)) or SCOPE
    return EntraSettings(**values, scope=scope, authority=_authority(environ))


def _authority(environ: Mapping[str, str]) -> Base:
    host = setting({}, "AZURE_AUTHORITY_HOST", environ, ("AZURE_AUTHORITY_HOST",)) or AUTHORITY
    # Microsoft's own SDKs take a bare host name too.
    base = parse_base(host if "://" in host else f"https://{host}", field="AZURE_AUTHORITY_HOST")
    if base.query:
        raise ConfigurationError(["AZURE_AUTHORITY_HOST must not have a query."])
    if base.origin.scheme != "https" and base.origin.host not in _LOOPBACK:
        raise ConfigurationError(["AZURE_AUTHORITY_HOST must begin with https://: the client's secret goes there."])
    return base


class EntraToken:
    """The token of one application, shared by every deployment that uses it; implements `TokenCredentials`."""

    def __init__(self, settings: EntraSettings, *, clock: Clock = monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._token = ""
        self._expires_at = self._due_at = -math.inf
        self._asked_at = -math.inf
        self._failure: UpstreamError | None = None

    @property
    def available(self) -> bool:
        """True while there is a token that has not expired."""
        return self._clock() < self._expires_at

    @property
    def refresh_due(self) -> bool:
        """True when another token should be asked for soon; also while there is none."""
        now = self._clock()
        return now >= self._expires_at or (now >= self._due_at and now - self._asked_at >= RETRY_SECONDS)

    @property
    def token(self) -> str:
        """The token. Raises `UpstreamError` (AUTHENTICATION) before the first."""
        if not self._token:
            raise _unavailable("not fetched yet")
        return self._token

    def request(self) -> UpstreamRequest:
        """Build the request for a token; see `core.provider.TokenCredentials`."""
        now = self._clock()
        if self._failure is not None and not self.available and now - self._asked_at < FAILURE_SECONDS:
            raise self._failure
        self._asked_at = now
        settings, base = self._settings, self._settings.authority
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "scope": settings.scope,
        }
        target = f"{base.path}/{settings.tenant_id}/oauth2/v2.0/token".encode()
        return UpstreamRequest(base.origin, target, _HEADERS, urlencode(form).encode())

    def accept(self, status: int, body: bytes) -> None:
        """Take the answer to `request`; see `core.provider.TokenCredentials`."""
        if status != 200:
            self._refuse(*_read_refusal(status, body, self._settings.client_secret))
        try:
            # Some authorities write the number as text.
            answer = msgspec.json.decode(body, type=_Answer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._refuse("an unreadable answer", "the answer is not a token")
        if _TOKEN.fullmatch(answer.access_token) is None or not 0 < answer.expires_in < math.inf:
            self._refuse("an unreadable answer", "the answer's token can not be used")
        self._token, self._failure = answer.access_token, None
        # Counted from the request on: how long the answer took is not known to whoever set the time.
        self._expires_at = self._asked_at + answer.expires_in
        self._due_at = self._expires_at - min(REFRESH_SECONDS, answer.expires_in / 2)

    def fail(self, error: UpstreamError) -> Never:
        """Note that there was no answer; see `core.provider.TokenCredentials`."""
        cause = f"{error.message} {error.__cause__ or ''}".strip()
        self._refuse("no answer", cause)

    def _refuse(self, reason: str, details: str) -> Never:
        self._failure = _unavailable(reason)
        self._failure.__cause__ = HeadgateError(details)
        raise self._failure


_shared: weakref.WeakValueDictionary[EntraSettings, EntraToken] = weakref.WeakValueDictionary()


def shared_token(settings: EntraSettings) -> EntraToken:
    """Return the token for these settings: the same object as long as any deployment holds it."""
    token = _shared.get(settings)
    if token is None:
        token = _shared[settings] = EntraToken(settings)
    return token


def _unavailable(reason: str) -> UpstreamError:
    message = f"The gateway has no Microsoft Entra token for this model ({reason}); its log says more."
    return UpstreamError(message, category=Category.AUTHENTICATION, status=401, kind="authentication_error")


def _read_refusal(status: int, body: bytes, secret: str) -> tuple[str, str]:
    """Return why there is no token, in a word for clients and with what the authority said for the log."""
    try:
        found = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _Refusal()
    reason = found.error if _ERROR_WORD.fullmatch(found.error) else f"status {status}"
    return reason, clean(found.error_description, (secret,)) or f"status {status}"
