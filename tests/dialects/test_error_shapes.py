import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import anthropic
import openai
import pytest

from headgate.core.errors import Category, GatewayError, InvalidRequestError, UpstreamError
from headgate.core.provider import Operation
from headgate.dialects import ANTHROPIC, OPENAI, RESPONSES, anthropic_error, dialect_of, openai_error

TRUNCATED = UpstreamError('ended "early"\n', category=Category.CONNECTION, status=502)


def test_openai_s_shape_has_the_status_as_text() -> None:
    error = InvalidRequestError("Missing required parameter: 'model'.", param="model")
    assert openai_error(error) == (
        b'{"error":{"message":"Missing required parameter: \'model\'.","type":"invalid_request_error",'
        b'"param":"model","code":"400"}}'
    )
    assert json.loads(openai_error(TRUNCATED))["error"] == {
        "message": 'ended "early"\n',
        "type": "upstream_error",
        "param": None,
        "code": "502",
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_anthropic_s_types_follow_from_the_status(status: int, kind: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "m"}}
    assert json.loads(anthropic_error(GatewayError("m", status=status))) == body


def test_each_operation_has_the_dialect_of_its_api() -> None:
    assert {each: dialect_of(each) for each in Operation} == {
        **dict.fromkeys(Operation, OPENAI),
        Operation.RESPONSES: RESPONSES,
        Operation.MESSAGES: ANTHROPIC,
        Operation.COUNT_TOKENS: ANTHROPIC,
    }


@contextmanager
def _upstream(stream: bytes) -> Iterator[str]:
    """Serve one stream to whoever asks; yield the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(stream)))
            self.end_headers()
            self.wfile.write(stream)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_openai_s_client_raises_for_the_event_that_ends_a_broken_stream() -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    stream = f"data: {json.dumps(chunk)}\n\n".encode() + OPENAI.stream_error(TRUNCATED)
    with _upstream(stream) as url, openai.OpenAI(api_key="k", base_url=url, max_retries=0) as client:
        chunks = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
        assert next(chunks).id == "1"
        with pytest.raises(openai.APIError, match='ended "early"'):
            next(chunks)


def test_openai_s_client_reads_the_error_event_of_a_response_stream() -> None:
    with (
        _upstream(RESPONSES.stream_error(TRUNCATED)) as url,
        openai.OpenAI(api_key="k", base_url=url, max_retries=0) as client,
    ):
        (event,) = client.responses.create(model="m", input="Hi", stream=True)
    assert event.type == "error"
    assert (event.code, event.message, event.param) == ("upstream_error", 'ended "early"\n', None)


def test_anthropic_s_client_raises_for_the_event_that_ends_a_broken_stream() -> None:
    with (
        _upstream(ANTHROPIC.stream_error(TRUNCATED)) as url,
        anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client,
    ):
        events = client.messages.create(
            model="m", max_tokens=5, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        with pytest.raises(anthropic.APIError, match="early"):
            next(iter(events))
