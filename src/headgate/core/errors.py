"""What can go wrong, as one tree. A client sees every `GatewayError` in its own dialect's error shape.

HeadgateError
  ConfigurationError            every problem of a configuration at once
  GatewayError                  answered to the client with `status`
    InvalidRequestError         400
    ModelNotFoundError          400, as LiteLLM answers it
    AuthenticationError         401
    PermissionDeniedError       403
    NotFoundError               404
    MethodNotAllowedError       405
    PayloadTooLargeError        413
    NoDeploymentError           429, every deployment of the group cools down or is at its limit
    NotSupportedError           501, no deployment of the group speaks this operation
    UpstreamError               an upstream answered badly or not at all; classified by `category`
"""

from collections.abc import Sequence
from enum import Enum


class HeadgateError(Exception):
    """The root of everything that Headgate raises on purpose."""


class ConfigurationError(HeadgateError):
    """A configuration that cannot work. `problems` holds one sentence each, with file and line where known."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class GatewayError(HeadgateError):
    """An error that is answered to the client.

    `message` is for the client: it never holds a secret, an internal host name or a traceback.
    `kind` is the machine-readable type of the OpenAI error shape, `param` the field at fault.
    `headers` are sent along; names and values must be free of control characters.
    """

    status = 500
    kind = "internal_server_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        kind: str | None = None,
        param: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        if kind is not None:
            self.kind = kind
        self.param = param
        self.headers = headers


class InvalidRequestError(GatewayError):
    """The request can not be understood; `param` names the field."""

    status = 400
    kind = "invalid_request_error"


class ModelNotFoundError(InvalidRequestError):
    """No model group of that name."""


class AuthenticationError(GatewayError):
    """No key, or not a valid one."""

    status = 401
    kind = "auth_error"


class PermissionDeniedError(GatewayError):
    """A valid key that may not do this."""

    status = 403
    kind = "permission_error"


class NotFoundError(GatewayError):
    """No such route or object."""

    status = 404
    kind = "not_found_error"


class MethodNotAllowedError(GatewayError):
    """The route exists, with another method."""

    status = 405
    kind = "method_not_allowed"


class PayloadTooLargeError(GatewayError):
    """The body is larger than the configured limit."""

    status = 413
    kind = "request_too_large"


class NoDeploymentError(GatewayError):
    """Every deployment of the model group cools down or has reached its own limit for now."""

    status = 429
    kind = "rate_limit_error"


class NotSupportedError(GatewayError):
    """No deployment of the model group speaks this operation."""

    status = 501
    kind = "not_supported_error"


class Category(Enum):
    """Why an upstream call failed; routing decides by it whether to retry, cool down or fall back."""

    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    CONTEXT_WINDOW = "context_window"
    CONTENT_POLICY = "content_policy"
    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    INTERNAL = "internal"
    """The upstream answered with a server error (5xx)."""
    CONNECTION = "connection"
    """No connection, or it broke before the answer was complete."""
    PROTOCOL = "protocol"
    """The upstream answered something that is not the protocol it should speak."""


class UpstreamError(GatewayError):
    """An upstream answered badly or not at all.

    `status` is what the client gets, `upstream_status` what the upstream answered (None when it answered nothing),
    `retry_after` the seconds that the upstream asked to wait.
    """

    status = 502
    kind = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        category: Category,
        status: int,
        kind: str | None = None,
        param: str | None = None,
        upstream_status: int | None = None,
        retry_after: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, status=status, kind=kind, param=param, headers=headers)
        self.category = category
        self.upstream_status = upstream_status
        self.retry_after = retry_after
