"""AWS credentials and request signing, both by botocore, which is imported when the first of them is made.

`AwsCredentials.refresh` is the only thing here that may block: it walks botocore's credential chain, reads files and
calls STS, the container agent or the instance metadata service. Signing uses what is at hand and never waits.
"""

import functools
import logging
import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.clock import Clock, monotonic
from headgate.core.errors import Category, ConfigurationError, UpstreamError

REFRESH_SECONDS = 15 * 60
"""How long before their expiry credentials are due for a refresh; the same as in AWS' own SDKs."""

RETRY_SECONDS = 30.0
"""The pause between two refreshes while the credentials at hand are still good."""

FAILURE_SECONDS = 2.0
"""How long a failure is answered again without trying, while there is nothing at hand."""

_logger = logging.getLogger(__name__)


class AwsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where credentials come from; everything is optional, and nothing at all means botocore's default chain.

    That chain is: environment, web identity (IRSA), shared files and profiles, container agent (ECS, EKS Pod Identity),
    instance metadata. It reads the environment of the process. `web_identity_token` is a token, a path (anything with a
    slash; read again at each refresh), or a reference `oidc/file/<path>`, `oidc/env/<name>` or `oidc/env_path/<name>`.
    """

    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    profile: str = ""
    role_arn: str = ""
    role_session_name: str = ""
    external_id: str = ""
    web_identity_token: str = ""
    sts_endpoint: str = ""
    region: str = ""

    def __repr__(self) -> str:
        """Show nothing: most of it is secret."""
        return "AwsSettings(...)"

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for settings that can not work."""
        problems = []
        if bool(self.access_key_id) != bool(self.secret_access_key):
            problems.append("aws_access_key_id and aws_secret_access_key belong together; only one of them is set.")
        if self.web_identity_token and not self.role_arn:
            problems.append("aws_web_identity_token needs aws_role_name, the role that the token is exchanged for.")
        kind, _, rest = self.web_identity_token.partition("/")
        if kind == "oidc" and rest.partition("/")[0] not in {"file", "env", "env_path"}:
            problems.append(
                f"aws_web_identity_token '{self.web_identity_token}' is not supported: use oidc/file/<path>, "
                "oidc/env/<name>, oidc/env_path/<name>, a path or a token."
            )
        if problems:
            raise ConfigurationError(problems)

    @property
    def permanent(self) -> bool:
        """True for keys given outright: there is nothing to fetch and nothing to refresh."""
        return bool(self.access_key_id and not self.role_arn)


class AwsCredentials:
    """Credentials of one origin, shared by every deployment with the same settings; implements `Credentials`."""

    def __init__(self, settings: AwsSettings, *, clock: Clock = monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._source: Any = None
        self._attempted = -math.inf
        self._failure = ""
        # Assigned at once and never changed in place, so that a signer in another thread sees a matching set.
        self._frozen: Any = None
        if settings.permanent:
            self._source = _given(settings)
            self._frozen = self._source.get_frozen_credentials()

    @property
    def available(self) -> bool:
        """True while requests can be signed with what is at hand."""
        return self._frozen is not None and not self._expires_within(0)

    @property
    def refresh_due(self) -> bool:
        """True when `refresh` should be called soon; also while nothing is available."""
        if not self.available:
            return True
        return self._expires_within(REFRESH_SECONDS) and self._clock() - self._attempted >= RETRY_SECONDS

    @property
    def frozen(self) -> Any:
        """An immutable set of botocore's; raises `UpstreamError` (AUTHENTICATION) before the first refresh."""
        if self._frozen is None:
            raise _unavailable(self._failure or "not fetched yet")
        return self._frozen

    def refresh(self) -> None:
        """Fetch anew; blocks, and of several callers one does the work.

        Raises `UpstreamError` (AUTHENTICATION) when nothing can be had and what was at hand has expired. A failure
        while it is still good is logged.
        """
        with self._lock:
            if not self.refresh_due:
                return
            if self._failure and self._clock() - self._attempted < FAILURE_SECONDS:
                raise _unavailable(self._failure)
            self._failure = self._fetch()
            self._attempted = self._clock()
            if self._failure and not self.available:
                raise _unavailable(self._failure)

    def _fetch(self) -> str:
        """Ask botocore; returns what went wrong in a word for clients, with the details in the log."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._source is None:
                self._source = _resolve(self._settings)
            self._frozen = self._source.get_frozen_credentials()
        except ClientError as error:
            _logger.warning("AWS credentials could not be fetched: %s", error)
            return str(error.response.get("Error", {}).get("Code", "ClientError"))
        except (BotoCoreError, OSError, RuntimeError, ValueError, KeyError) as error:
            _logger.warning("AWS credentials could not be fetched: %s", error)
            return type(error).__name__
        return ""

    def _expires_within(self, seconds: float) -> bool:
        # Credentials without an expiry have no such method.
        needed: Callable[[float], bool] | None = getattr(self._source, "refresh_needed", None)
        return needed is not None and needed(seconds)


class Signer:
    """Signs requests to one service in one region with Signature Version 4."""

    def __init__(self, credentials: AwsCredentials, *, service: str, region: str) -> None:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        self._credentials = credentials
        self._service = service
        self._region = region
        self._auth: Any = SigV4Auth
        self._request: Any = AWSRequest

    def sign(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return the headers of a POST of `body` to `url` with those that authenticate it.

        All given headers and the host are signed, so none may be changed on the way. `url` is percent-encoded already.
        Raises `UpstreamError` (AUTHENTICATION) when there are no credentials yet.
        """
        request = self._request(method="POST", url=url, data=body, headers=headers)
        self._auth(self._credentials.frozen, self._service, self._region).add_auth(request)
        return dict(request.headers.items())

    @property
    def secrets(self) -> tuple[str, ...]:
        """What authenticates at present: no text that quotes it may be passed on. Raises `UpstreamError` as `sign`."""
        frozen = self._credentials.frozen
        return tuple(value for value in (frozen.access_key, frozen.secret_key, frozen.token) if value)


_shared: weakref.WeakValueDictionary[AwsSettings, AwsCredentials] = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


def shared_credentials(settings: AwsSettings) -> AwsCredentials:
    """Return the credentials for these settings: the same object as long as any deployment holds it."""
    with _shared_lock:
        credentials = _shared.get(settings)
        if credentials is None:
            credentials = _shared[settings] = AwsCredentials(settings)
        return credentials


def _unavailable(reason: str) -> UpstreamError:
    message = f"The gateway has no AWS credentials for this model ({reason}); its log says more."
    return UpstreamError(message, category=Category.AUTHENTICATION, status=401, kind="authentication_error")


def _given(settings: AwsSettings) -> Any:
    from botocore.credentials import Credentials

    return Credentials(
        settings.access_key_id, settings.secret_access_key, settings.session_token or None, method="explicit"
    )


def _resolve(settings: AwsSettings) -> Any:
    """Return botocore's credentials for the settings; reads files and may call the network."""
    from botocore.config import Config
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        AssumeRoleWithWebIdentityCredentialFetcher,
        DeferredRefreshableCredentials,
    )
    from botocore.exceptions import NoCredentialsError
    from botocore.session import Session

    session = Session(profile=settings.profile or None)
    if settings.region:
        session.set_config_variable("region", settings.region)
    session.set_default_client_config(Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2}))
    create_client = functools.partial(session.create_client, endpoint_url=settings.sts_endpoint or None)
    arguments = {"RoleSessionName": settings.role_session_name, "ExternalId": settings.external_id}
    arguments = {name: value for name, value in arguments.items() if value}
    if settings.web_identity_token:
        arguments.pop("ExternalId", None)
        by_token = AssumeRoleWithWebIdentityCredentialFetcher(
            create_client, _token_loader(settings.web_identity_token), settings.role_arn, arguments
        )
        return DeferredRefreshableCredentials(by_token.fetch_credentials, "assume-role-with-web-identity")
    source = _given(settings) if settings.access_key_id else session.get_credentials()
    if source is None:
        raise NoCredentialsError
    # Where the process runs as the role already, by IRSA, it need not and often may not assume it again.
    if not settings.role_arn or settings.role_arn == os.environ.get("AWS_ROLE_ARN"):
        return source
    by_role = AssumeRoleCredentialFetcher(create_client, source, settings.role_arn, arguments)
    return DeferredRefreshableCredentials(by_role.fetch_credentials, "assume-role")


def _token_loader(reference: str) -> Callable[[], str]:
    """Return what reads a web identity token anew each time: the platform replaces the file before it expires."""
    if reference.startswith("oidc/"):
        _, kind, name = reference.split("/", 2)
        if kind == "env":
            return lambda: os.environ[name]
        if kind == "env_path":
            return lambda: Path(os.environ[name]).read_text().strip()
        return lambda: Path(name).read_text().strip()
    if "/" in reference:
        return lambda: Path(reference).read_text().strip()
    return lambda: reference
