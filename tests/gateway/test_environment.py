"""What LiteLLM's variables do, seen from a client."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.doubles.gateway import MASTER_KEY
from tests.doubles.openai_answers import answer
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry

CERTIFICATES = Path(__file__).parents[1] / "transport" / "certificates"


def test_request_timeout(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("slow", upstream)], {"REQUEST_TIMEOUT": "0.1", "DEFAULT_MAX_RETRIES": "0"})
    assert gateway.chat("slow").status == 504


@pytest.mark.parametrize(("retries", "attempts"), [("0", 1), ("1", 2)])
def test_default_max_retries(serve: Serve, upstream: OpenAIUpstream, retries: str, attempts: int) -> None:
    gateway = serve([entry("m500", upstream)], {"DEFAULT_MAX_RETRIES": retries})
    asked = len(upstream.requests)
    assert gateway.chat("m500").status == 500
    assert len(upstream.requests) - asked == attempts


@pytest.mark.parametrize(("fallbacks", "status"), [("0", 500), ("1", 200)])
def test_router_max_fallbacks(serve: Serve, upstream: OpenAIUpstream, fallbacks: str, status: int) -> None:
    environ = {"ROUTER_MAX_FALLBACKS": fallbacks, "DEFAULT_MAX_RETRIES": "0"}
    gateway = serve([entry("m500", upstream), demo()], environ, router={"fallbacks": [{"m500": ["demo"]}]})
    assert gateway.chat("m500").status == status


@pytest.mark.parametrize(
    ("environ", "second"),
    [
        ({}, 429),
        ({"DEFAULT_COOLDOWN_TIME_SECONDS": "0"}, 401),
        ({"DEFAULT_ALLOWED_FAILS": "5"}, 401),
        ({"DEFAULT_ALLOWED_FAILS": "0"}, 429),
    ],
)
def test_cooldowns(serve: Serve, upstream: OpenAIUpstream, environ: dict[str, str], second: int) -> None:
    gateway = serve([entry("m401", upstream)], environ)
    assert gateway.chat("m401").status == 401
    assert gateway.chat("m401").status == second


@pytest.mark.parametrize("variable", ["KEEPALIVE_TIMEOUT", "HEADGATE_KEEPALIVE_TIMEOUT"])
def test_an_idle_connection_is_closed_after_the_keep_alive_timeout(serve: Serve, variable: str) -> None:
    gateway = serve([demo()], {variable: "0.2"})
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/v1/models", headers={"authorization": f"Bearer {MASTER_KEY}"})
    connection.getresponse().read()
    assert connection.sock.recv(1) == b""
    connection.close()


def test_max_request_size(serve: Serve) -> None:
    assert serve([demo()], {"MAX_REQUEST_SIZE_MB": "0.01"}).chat("demo", user="x" * 20_000).status == 413


class SecureHandler(BaseHTTPRequestHandler):
    """Answers every POST with an answer to a chat."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(answer("/v1/chat/completions", {"model": "gpt"})).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


class SecureServer(ThreadingHTTPServer):
    """Serves TLS."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that do not trust the certificate and leave."""


@pytest.fixture
def secure_upstream() -> Iterator[str]:
    """The base URL of an upstream whose certificate is signed by the tests' own authority."""
    server = SecureServer(("127.0.0.1", 0), SecureHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, name="secure-upstream")
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.parametrize(
    ("environ", "status"),
    [({}, 502), ({"SSL_VERIFY": "False"}, 200), ({"SSL_VERIFY": str(CERTIFICATES / "root.pem")}, 200)],
)
def test_ssl_verify(serve: Serve, secure_upstream: str, environ: dict[str, str], status: int) -> None:
    assert serve([entry("gpt", secure_upstream)], {"DEFAULT_MAX_RETRIES": "0", **environ}).chat("gpt").status == status
