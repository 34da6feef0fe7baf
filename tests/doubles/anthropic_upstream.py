"""An upstream that speaks Anthropic's Messages API on loopback, with the payloads recorded in tests/contract/anthropic.

It refuses what Anthropic refuses: a wrong key, a missing version, an unknown member. The model's name says how it
misbehaves: `claude-overloaded`, `claude-limited`, `claude-too-long`, and `claude-breaks`, whose streams end as errors.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

API_KEY = "sk-ant-upstream"
PAYLOADS = Path(__file__).parents[1] / "contract/anthropic"

_FAILURES = {
    "claude-overloaded": (529, "error_overloaded", {}),
    "claude-limited": (429, "error_rate_limit", {"retry-after": "7"}),
    "claude-too-long": (400, "error_prompt_too_long", {}),
}
_MEMBERS = frozenset(
    {
        *("model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences"),
        *("tools", "tool_choice", "metadata", "thinking", "service_tier"),
    }
)
_COUNTED = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking"})


class AnthropicUpstream(ThreadingHTTPServer):
    """Keeps path, header fields and body of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def anthropic_upstream() -> Iterator[AnthropicUpstream]:
    """Run the server in a thread for as long as the context lasts."""
    with AnthropicUpstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AnthropicUpstream

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fields = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, fields, body))
        counting = self.path == "/v1/messages/count_tokens"
        unknown = body.keys() - (_COUNTED if counting else _MEMBERS)
        if fields.get("x-api-key") != API_KEY:
            self._fail(401, "error_authentication", {})
        elif "anthropic-version" not in fields or unknown or not (counting or body.get("max_tokens")):
            self._fail(400, "error_invalid_request", {})
        elif body["model"] in _FAILURES:
            self._fail(*_FAILURES[body["model"]])
        elif counting:
            self._send(200, "application/json", _payload("count_tokens.json"))
        elif body.get("stream"):
            kind = "overloaded" if body["model"] == "claude-breaks" else "tools" if body.get("tools") else "text"
            self._send(200, "text/event-stream; charset=utf-8", _payload(f"stream_{kind}.sse"))
        else:
            kind = "tools" if body.get("tools") else "text"
            self._send(200, "application/json", _payload(f"message_{kind}.json"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def _fail(self, status: int, payload: str, headers: dict[str, str]) -> None:
        self._send(status, "application/json", _payload(f"{payload}.json"), headers)

    def _send(self, status: int, content_type: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": content_type, "request-id": "req_ant", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()
