"""A Bedrock runtime on loopback that is as strict as the real one where the gateway could be wrong.

It recomputes SigV4 signatures by the letter of the specification, without botocore's signer; it refuses bodies that do
not fit AWS' published service model; and it speaks the real framing of Converse, ConverseStream and InvokeModel.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import Session

from tests.doubles.event_stream import encode_event

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
API_KEY = "bedrock-api-key-for-tests"
REGION = "us-east-1"

_PATH = re.compile(
    r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)", re.ASCII
)
_OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "count-tokens": "CountTokens"}
_EMBEDDING = [0.25, -0.5, 0.125]


@dataclass
class Received:
    """A request that passed all checks; `target` is the path as it stood on the wire."""

    target: str
    model: str
    action: str
    headers: dict[str, str]
    body: Any
    raw: bytes


@dataclass
class Reply:
    """An answer out of order: an error, a slow stream, a truncated one.

    `pieces` are sent one after the other, before each of them `gate` is awaited; with `truncate` the connection is
    closed after them without the end of the body.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    truncate: bool = False
    gate: Callable[[], object] = lambda: None


def error_reply(kind: str, message: str, status: int) -> Reply:
    """Return an error as Bedrock answers it."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": f"{kind}:http://internal.amazon.com/coral/"}
    return Reply(status, headers, [json.dumps({"message": message}).encode()])


def stream_reply(
    pieces: Sequence[bytes], *, truncate: bool = False, gate: Callable[[], object] = lambda: None
) -> Reply:
    """Return an event stream of the given frames."""
    return Reply(200, {"Content-Type": "application/vnd.amazon.eventstream"}, pieces, truncate, gate)


class FakeBedrock(ThreadingHTTPServer):
    """Answers each request with the next of `replies`, or sensibly when there is none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.replies: list[Reply] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def fake_bedrock() -> Iterator[FakeBedrock]:
    """Run the server in a thread for as long as the context lasts."""
    with FakeBedrock() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _RefusedError(Exception):
    def __init__(self, status: int, kind: str, message: str) -> None:
        self.reply = error_reply(kind, message, status)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeBedrock

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            received = self._check(body)
            self.server.received.append(received)
            reply = self.server.replies.pop(0) if self.server.replies else _answer(received)
        except _RefusedError as refused:
            reply = refused.reply
        self._send(reply)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def _check(self, body: bytes) -> Received:
        headers = {name.lower(): value for name, value in self.headers.items()}
        _authenticate(self.path, headers, body)
        match = _PATH.fullmatch(self.path)
        if match is None or re.search(r"[^A-Za-z0-9._~%-]", match[1]):
            raise _RefusedError(404, "UnknownOperationException", f"No operation at {self.path}")
        if headers.get("content-type") != "application/json":
            raise _RefusedError(400, "ValidationException", "content-type must be application/json")
        try:
            value = json.loads(body)
        except ValueError:
            raise _RefusedError(400, "SerializationException", "the body is not JSON") from None
        if (operation := _OPERATIONS.get(match[2])) is not None:
            problems = list(shape_problems(_service_model().operation_model(operation).input_shape, value))
            if problems:
                raise _RefusedError(400, "ValidationException", "; ".join(problems))
        return Received(self.path, unquote(match[1]), match[2], headers, value, body)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in reply.pieces:
            reply.gate()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        if reply.truncate:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


def _authenticate(target: str, headers: dict[str, str], body: bytes) -> None:
    authorization = headers.get("authorization", "")
    if authorization.startswith("Bearer "):
        if authorization != f"Bearer {API_KEY}":
            raise _RefusedError(403, "AccessDeniedException", "Authentication failed: please check your API Key.")
        return
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[^/]+/bedrock/aws4_request), "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        authorization,
    )
    if match is None:
        raise _RefusedError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    if match[1] != ACCESS_KEY:
        raise _RefusedError(
            403, "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    scope, names = match[2], match[3].split(";")
    unsigned = {name for name in headers if name.startswith("x-amz-") or name in ("host", "content-type")} - set(names)
    if unsigned or scope.split("/")[1] != REGION:
        raise _RefusedError(403, "IncompleteSignatureException", f"not signed: {sorted(unsigned)}, or another region")
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; outside of S3 the
    # path, percent-encoded once already, is encoded once more.
    canonical_headers = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = "\n".join(
        ["POST", quote(target, safe="/-_.~"), "", canonical_headers, match[3], hashlib.sha256(body).hexdigest()]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), match[4]):
        raise _RefusedError(403, "InvalidSignatureException", "The request signature we calculated does not match")


_lock = threading.Lock()
_models: list[Any] = []


def _service_model() -> Any:
    with _lock:
        if not _models:
            _models.append(Session().get_service_model("bedrock-runtime"))
        return _models[0]


def shape_problems(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Name what in a JSON value does not fit a shape of AWS' service model: members, types, choices, lengths."""
    if isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{path} must be a list"
            return
        for index, item in enumerate(value):
            yield from shape_problems(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{path} must be a map"
            return
        for name, item in value.items():
            yield from shape_problems(shape.value, item, f"{path}.{name}")
    else:
        yield from _scalar_problems(shape, value, path)


def _structure_problems(shape: StructureShape, value: Any, path: str) -> Iterator[str]:
    if getattr(shape, "is_document_type", False):
        return
    if not isinstance(value, dict):
        yield f"{path} must be a structure"
        return
    members = {n: m for n, m in shape.members.items() if m.serialization.get("location") not in ("uri", "header")}
    yield from (f"{path}.{name} is unknown" for name in value.keys() - members.keys())
    missing = (set(shape.required_members) & members.keys()) - value.keys()
    yield from (f"{path}.{name} is missing" for name in missing)
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield f"{path} must have exactly one member"
    for name in value.keys() & members.keys():
        yield from shape_problems(members[name], value[name], f"{path}.{name}")


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
}


def _scalar_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    allowed = _TYPES[shape.type_name]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        yield f"{path} must be a {shape.type_name}"
        return
    if shape.type_name == "blob":
        if re.fullmatch(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", str(value)) is None:
            yield f"{path} must be base64"
        return
    if (choices := getattr(shape, "enum", None)) and value not in choices:
        yield f"{path} must be one of {choices}"
    if isinstance(value, str):
        if not shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)):
            yield f"{path} has a wrong length"
        if (pattern := shape.metadata.get("pattern")) and re.fullmatch(pattern, value) is None:
            yield f"{path} must match {pattern}"
    elif not shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value):
        yield f"{path} is out of range"


def _answer(received: Received) -> Reply:
    if received.action == "converse":
        return _json(converse_answer(_said(received.body)))
    if received.action == "converse-stream":
        return stream_reply(converse_frames(_said(received.body)))
    if received.action == "count-tokens":
        return _json({"inputTokens": 42})
    if received.action == "invoke-with-response-stream":
        return stream_reply([encode_chunk(event) for event in claude_events("Hello from Claude")])
    if received.model.startswith("amazon.titan-embed"):
        return _json({"embedding": _EMBEDDING, "inputTextTokenCount": 5})
    if received.model.startswith("cohere.embed"):
        reply = _json({"id": "e", "response_type": "embeddings_by_type", "embeddings": {"float": [
            _EMBEDDING for _ in received.body["texts"]
        ]}})  # fmt: skip
        reply.headers["X-Amzn-Bedrock-Input-Token-Count"] = "7"
        return reply
    return _json(claude_message("Hello from Claude"))


def _json(value: Any) -> Reply:
    return Reply(200, {"Content-Type": "application/json"}, [json.dumps(value).encode()])


def _said(body: Any) -> str:
    texts = [block["text"] for block in body["messages"][-1]["content"] if "text" in block]
    return f"You said: {' '.join(texts)}"


def converse_answer(text: str) -> dict[str, Any]:
    """Return an answer of Converse."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 30, "outputTokens": 12, "totalTokens": 42},
        "metrics": {"latencyMs": 51},
    }


def converse_frames(text: str) -> list[bytes]:
    """Return the frames of ConverseStream for a text, a word in each, with the padding that Bedrock adds."""

    def frame(kind: str, value: dict[str, Any]) -> bytes:
        return encode_event(kind, json.dumps({**value, "p": "abcdefghij"}).encode())

    return [
        frame("messageStart", {"role": "assistant"}),
        *(
            frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}})
            for word in re.findall(r"\s*\S+", text)
        ),
        frame("contentBlockStop", {"contentBlockIndex": 0}),
        frame("messageStop", {"stopReason": "end_turn"}),
        frame(
            "metadata",
            {
                "usage": {"inputTokens": 30, "outputTokens": 12, "totalTokens": 42},
                "metrics": {"latencyMs": 51},
            },
        ),
    ]


def claude_message(text: str) -> dict[str, Any]:
    """Return an answer of Claude's by InvokeModel."""
    return {
        "id": "msg_bdrk_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-5-sonnet-20241022",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 4},
    }


def claude_events(text: str) -> list[dict[str, Any]]:
    """Return the events of Claude's stream for a text."""
    start = {**claude_message(""), "content": [], "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 1}}
    metrics = {"inputTokenCount": 9, "outputTokenCount": 4, "invocationLatency": 5, "firstByteLatency": 2}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 4},
        },
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics},
    ]


def encode_chunk(event: dict[str, Any]) -> bytes:
    """Return a frame of InvokeModelWithResponseStream."""
    encoded = base64.b64encode(json.dumps(event).encode()).decode()
    return encode_event("chunk", json.dumps({"bytes": encoded, "p": "abcdef"}).encode())
