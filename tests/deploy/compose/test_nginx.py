"""The rendered nginx before two real upstreams."""

import http.client
import http.server
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from headgate.deploy.compose import render
from headgate.deploy.settings import Environment

NGINX = shutil.which("nginx")
pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx")

SECONDS = 10.0


class Upstream(http.server.ThreadingHTTPServer):
    """Answers with its name; a stream waits in its middle until `go_on` is set."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.go_on = threading.Event()
        self.seen: list[tuple[str, str | None]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["X-Forwarded-For"]))
        self.send_response(200)
        if self.path == "/v1/stream":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nfirst\r\n")
            self.server.go_on.wait(SECONDS)
            self.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")
        else:
            body = self.server.name.encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@contextmanager
def running(upstream: Upstream) -> Iterator[Upstream]:
    thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield upstream
    finally:
        upstream.go_on.set()
        upstream.shutdown()
        upstream.server_close()
        thread.join()


def adapted(text: str, upstreams: list[Upstream], port: int, directory: Path) -> str:
    """Put addresses in the place of what only Compose knows: names, the port and the writable directory."""
    for number, upstream in enumerate(upstreams, 1):
        text = text.replace(f"gateway-{number}:4000 resolve", f"127.0.0.1:{upstream.server_port}")
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace(" /tmp/", f" {directory}/")
    return re.sub("/dev/std(out|err)", str(directory / "log"), text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[int, list[Upstream]]]:
    assert NGINX is not None
    settings = Environment.model_validate({"name": "dev", "platform": "compose", "tasks": 2})
    port = free_port()
    with ExitStack() as stack:
        upstreams = [stack.enter_context(running(Upstream(name))) for name in ("one", "two")]
        path = tmp_path / "nginx.conf"
        path.write_text(adapted(render(settings)["nginx/nginx.conf"], upstreams, port, tmp_path))
        # Root would give its workers to a user who may not enter the directory of this test.
        options = "daemon off; master_process off;" if os.geteuid() else "daemon off; user root;"
        process = subprocess.Popen([NGINX, "-c", str(path), "-g", options], stderr=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield port, upstreams
        finally:
            process.terminate()
            process.wait(SECONDS)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("nginx does not listen")


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def test_both_gateways_get_requests_and_know_who_calls(proxied: tuple[int, list[Upstream]]) -> None:
    port, upstreams = proxied
    answers = {get(port, "/v1/models") for _ in range(8)}
    assert answers == {(200, "one"), (200, "two")}
    assert {caller for upstream in upstreams for _, caller in upstream.seen} == {"127.0.0.1"}


def test_metrics_are_not_for_callers(proxied: tuple[int, list[Upstream]]) -> None:
    port, upstreams = proxied
    assert [get(port, path)[0] for path in ("/metrics", "/metrics/", "/v1/../metrics")] == [404] * 3
    assert [upstream.seen for upstream in upstreams] == [[], []]


def test_a_stream_is_passed_on_as_it_comes(proxied: tuple[int, list[Upstream]]) -> None:
    port, upstreams = proxied
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", "/v1/stream")
    response = connection.getresponse()
    assert response.read(5) == b"first"
    for upstream in upstreams:
        upstream.go_on.set()
    assert response.read() == b"last"
    connection.close()


def test_the_log_has_no_query_and_no_key(proxied: tuple[int, list[Upstream]], tmp_path: Path) -> None:
    port, _ = proxied
    get(port, "/v1/models?api_key=sk-canary")
    deadline = time.monotonic() + SECONDS
    while "/v1/models" not in (text := (tmp_path / "log").read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert '"GET /v1/models" 200' in text
    assert "sk-canary" not in text
