"""Errors of Amazon Bedrock, as answers and as exceptions inside a stream.

The exceptions and their statuses: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html and the
`Errors` section of each operation.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.provider import Headers
from headgate.providers._errors import classify, protocol_error
from headgate.providers._event_stream import HeaderValue, Message

# Bedrock's own statuses, where they say what routing must do, and better ones where they do not: AWS answers 403 to
# bad credentials, 400 to an exhausted quota, and 424 to a model that broke.
_STATUSES = {
    "throttlingexception": 429,
    "toomanyrequestsexception": 429,
    "servicequotaexceededexception": 429,
    "modelnotreadyexception": 503,
    "serviceunavailableexception": 503,
    "serviceunavailable": 503,
    "modeltimeoutexception": 408,
    "internalserverexception": 500,
    "internalfailure": 500,
    "modelerrorexception": 500,
    "modelstreamerrorexception": 500,
    "validationexception": 400,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "unrecognizedclientexception": 401,
    "incompletesignatureexception": 401,
    "invalidsignatureexception": 401,
    "signaturedoesnotmatch": 401,
    "missingauthenticationtokenexception": 401,
    "expiredtokenexception": 401,
    "expiredtoken": 401,
    "invalidclienttokenid": 401,
}


# A model that is gone, or that can not be called by this name in this account or region, is answered as a bad request.
# It is the deployment that is at fault then, not the request, and another one may do.
_NO_SUCH_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported|end of its life", re.IGNORECASE
)


class _ErrorBody(msgspec.Struct):
    message: str | None = None
    Message: str | None = None
    kind: str | None = msgspec.field(default=None, name="__type")
    original_status: int | None = msgspec.field(default=None, name="originalStatusCode")
    original_message: str | None = msgspec.field(default=None, name="originalMessage")


_error_body = msgspec.json.Decoder(_ErrorBody)


def read_failure(status: int, headers: Headers, body: bytes, secrets: Sequence[str] = ()) -> UpstreamError:
    """Classify an answer that is not 2xx. `secrets` are taken out of the message."""
    kind = next((value.decode("latin-1") for name, value in headers if name == b"x-amzn-errortype"), "")
    error = _classify(status, kind, body, headers, secrets)
    error.upstream_status = status
    return error


def read_exception(message: Message) -> UpstreamError | None:
    """Return the error that a message of a stream carries; None for an event."""
    headers: Mapping[str, HeaderValue] = message.headers
    match headers.get(":message-type"):
        case "event":
            return None
        case "exception":
            return _classify(500, str(headers.get(":exception-type", "")), message.payload)
        case "error":
            text = msgspec.json.encode({"message": str(headers.get(":error-message", ""))})
            return _classify(500, str(headers.get(":error-code", "")), text)
    return protocol_error("The upstream provider's stream holds a message that is neither an event nor an error.")


def _classify(
    status: int, kind: str, payload: bytes, headers: Headers = (), secrets: Sequence[str] = ()
) -> UpstreamError:
    """`kind` is the exception's name, possibly with a namespace before or a URL after it."""
    try:
        body = _error_body.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = _ErrorBody()
    name = (kind or body.kind or "").partition(":")[0].rpartition("#")[2]
    message = body.message or body.Message or body.original_message or ""
    status = _STATUSES.get(name.lower(), status)
    if status == 400 and _NO_SUCH_MODEL.search(message):
        status = 404
    if name.lower() == "modelstreamerrorexception" and body.original_status in (400, 429, 503):
        # The service behind the model said more exactly what is wrong.
        status = body.original_status
    return classify(status, message, code=name, headers=headers, secrets=secrets)
