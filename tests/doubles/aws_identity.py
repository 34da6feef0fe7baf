"""The places that hand out AWS credentials, on loopback: STS, the container agent, the instance metadata service."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class IdentityServer(ThreadingHTTPServer):
    """Answers every request with credentials numbered by issue, valid for `lifetime` seconds; fails while `broken`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lifetime = 3600.0
        self.broken = False
        self.issued = 0
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def issue(self) -> dict[str, str]:
        self.issued += 1
        expiry = datetime.now(UTC) + timedelta(seconds=self.lifetime)
        return {
            "AccessKeyId": f"ASIA{self.issued}",
            "SecretAccessKey": "issued-secret",
            "SessionToken": f"issued-token-{self.issued}",
            "Expiration": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class _Handler(BaseHTTPRequestHandler):
    server: IdentityServer

    def do_GET(self) -> None:
        self._note({})
        if self.server.broken:
            self._answer(500, "text/plain", "broken")
        elif self.path == "/latest/meta-data/iam/security-credentials/":
            self._answer(200, "text/plain", "instance-role")
        elif self.path.startswith("/latest/meta-data/iam/security-credentials/"):
            issued = self.server.issue()
            body = {**issued, "Token": issued["SessionToken"], "Code": "Success"}
            self._answer(200, "application/json", json.dumps(body))
        else:
            issued = self.server.issue()
            self._answer(200, "application/json", json.dumps({**issued, "Token": issued["SessionToken"]}))

    def do_PUT(self) -> None:
        self._note({})
        self._answer(200, "text/plain", "metadata-session")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._note(form)
        if self.server.broken:
            error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>account 123456789012</Message></Error>"
            self._answer(403, "text/xml", f"<ErrorResponse>{error}</ErrorResponse>")
            return
        action = form["Action"]
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in self.server.issue().items())
        user = "<Arn>arn:aws:sts::123456789012:assumed-role/role/session</Arn><AssumedRoleId>A:s</AssumedRoleId>"
        result = f"<Credentials>{fields}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        self._answer(
            200,
            "text/xml",
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{action}Result>{result}</{action}Result></{action}Response>",
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def _note(self, form: dict[str, str]) -> None:
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, form))

    def _answer(self, status: int, content_type: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def identity_server() -> Iterator[IdentityServer]:
    """Run the server in a thread for as long as the context lasts."""
    with IdentityServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
