"""The nginx configuration of docs/operations.md, on a real nginx in front of a real gateway."""

import http.client
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.serving import wait_until
from tests.docs.pages import blocks
from tests.docs.reader import free_port
from tests.docs.tables import OPERATIONS_PAGE
from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.openai_upstream import OpenAIUpstream

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None or shutil.which("openssl") is None, reason="nginx or openssl is not installed"
)
[BLOCK] = [block for block in blocks(OPERATIONS_PAGE) if block.language == "nginx"]
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def _configuration(directory: Path, gateway_port: int, port: int) -> Path:
    """Write the page's configuration for these ports, with a certificate and folders of its own."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost", *files], check=True, capture_output=True)
    text = BLOCK.text.replace("127.0.0.1:4000", f"127.0.0.1:{gateway_port}").replace("8443", f"127.0.0.1:{port}")
    text = re.sub(r"(?<=ssl_certificate_key )\S+(?=;)", str(key), text)
    text = re.sub(r"(?<=ssl_certificate )\S+(?=;)", str(certificate), text)
    folders = "".join([f"{name}_temp_path {directory}/{name};\n" for name in _TEMPORARY])
    file = directory / "nginx.conf"
    head = f"daemon off;\npid {directory}/nginx.pid;\nerror_log {directory}/error.log;\nevents {{}}\n"
    file.write_text(f"{head}http {{\naccess_log off;\n{folders}{text}}}\n")
    return file


@contextmanager
def _nginx(directory: Path, gateway_port: int) -> Iterator[http.client.HTTPSConnection]:
    """Run nginx; yield a connection to it."""
    port = free_port()
    file = _configuration(directory, gateway_port, port)
    process = subprocess.Popen(["nginx", "-p", directory, "-c", file], stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile=directory / "cert.pem")
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), "nginx")
        assert process.poll() is None, (directory / "error.log").read_text()
        yield connection
    finally:
        connection.close()
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask(connection: http.client.HTTPSConnection, model: str, members: str = "") -> http.client.HTTPResponse:
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "hi"}}]{members}}}'
    headers = {"authorization": f"Bearer {MASTER_KEY}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    return connection.getresponse()


def test_a_stream_passes_event_by_event(tmp_path: Path) -> None:
    with OpenAIUpstream() as upstream:
        parameters = {"model": "openai/held", "api_base": upstream.api_base, "api_key": "sk-upstream"}
        models = [{"model_name": "held", "litellm_params": parameters}]
        with RunningGateway(tmp_path, {"model_list": models}) as gateway, _nginx(tmp_path, gateway.port) as connection:
            answer = _ask(connection, "held", ', "stream": true')
            assert answer.status == 200
            # The upstream holds the rest back, so this line can not have waited for the end.
            assert answer.readline().startswith(b"data: {")
            upstream.release()
            assert answer.read().rstrip().endswith(b"data: [DONE]")


def test_whole_answers_and_health_pass(tmp_path: Path) -> None:
    models = [{"model_name": "demo", "litellm_params": {"model": "demo/demo"}}]
    with RunningGateway(tmp_path, {"model_list": models}) as gateway, _nginx(tmp_path, gateway.port) as connection:
        answer = _ask(connection, "demo")
        assert (answer.status, b"You said: hi" in answer.read()) == (200, True)
        connection.request("GET", "/health/readiness")
        assert connection.getresponse().status == 200
