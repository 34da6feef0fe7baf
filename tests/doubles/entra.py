"""Microsoft Entra's token endpoint on loopback, as strict about a request as the real one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT_ID = "11112222-bbbb-3333-cccc-4444dddd5555"
CLIENT_SECRET = "qWgdYAmab0YSkuL1qKv5b~pX&+="
SCOPE = "https://cognitiveservices.azure.com/.default"
PARAMETERS = {"tenant_id": TENANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class TokenServer(ThreadingHTTPServer):
    """Issues numbered tokens that are valid for `lifetime` seconds; answers with `refusal` while that is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lifetime = 3599
        self.refusal: tuple[int, str, str] | None = None
        self.issued = 0
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def environ(self) -> dict[str, str]:
        """What leads the gateway here."""
        return {"AZURE_AUTHORITY_HOST": self.url}


@contextmanager
def token_server() -> Iterator[TokenServer]:
    """Run the endpoint in a thread for as long as the context lasts."""
    with TokenServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def refused(status: int, error: str, description: str) -> tuple[int, dict[str, Any]]:
    """An error as https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow has it."""
    return status, {"error": error, "error_description": description, "error_codes": [7000215], "trace_id": "0000"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TokenServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode("ascii")
        self.server.asked += 1
        status, answer = self._answer(dict(parse_qsl(body, strict_parsing=True)))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        server = self.server
        if server.refusal is not None:
            return refused(*server.refusal)
        if self.path != f"/{TENANT}/oauth2/v2.0/token":
            return refused(400, "invalid_request", "AADSTS90002: Tenant not found.")
        if self.headers["content-type"] != "application/x-www-form-urlencoded":
            return refused(400, "invalid_request", "AADSTS900144: The request body must contain 'grant_type'.")
        if form.get("grant_type") != "client_credentials" or form.get("scope") != SCOPE:
            return refused(400, "invalid_scope", "AADSTS70011: The provided value for scope is not valid.")
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        server.issued += 1
        token = f"eyJ0.token-{server.issued}.sig"
        return 200, {"token_type": "Bearer", "expires_in": server.lifetime, "access_token": token}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""
