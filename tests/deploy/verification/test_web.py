"""The real web on loopback: certificates, redirects, proxies, and everything that is not an answer."""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.deploy.verification import Internet, WebError

CERTIFICATES = Path(__file__).parents[2] / "transport" / "certificates"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: value\r\n\r\nok"

Serve = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def _server(answer: bytes = OK, certificate: str | None = None, heard: list[bytes] | None = None) -> Iterator[int]:
    """Answer one connection after the other, each once, and note what they sent first."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    try:
                        secure = client if context is None else context.wrap_socket(client, server_side=True)
                        said = _whole_request(secure)
                        if heard is not None:
                            heard.append(said)
                        secure.sendall(answer)
                        secure.close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)


def _whole_request(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if data.startswith(b"\x16"):
        # Somebody begins to speak TLS, which has no end of lines.
        return data
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length is not None and len(body) < int(length[1]) and (more := connection.recv(65536)):
        body += more
        data += more
    return data


def _trusting(port: int) -> Internet:
    """Trust the tests' own authority, and find every host at a port of loopback."""
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "root.pem"))
    return Internet(lambda address: ("127.0.0.1", port), context)


def test_an_answer_is_told_whole_with_the_end_of_the_certificate() -> None:
    with _server(certificate="elsewhere") as port:
        answer = _trusting(port).ask("GET", "https://upstream.example/health")
    assert (answer.status, answer.body, answer.headers["x-name"]) == (200, b"ok", "value")
    assert answer.certificate_ends == datetime(2125, 1, 1, tzinfo=UTC)


def test_plain_http_has_no_certificate() -> None:
    heard: list[bytes] = []
    with _server(heard=heard) as port:
        answer = Internet().ask("POST", f"http://127.0.0.1:{port}/v1/x?a=b", {"Authorization": "Bearer k"}, b'{"a":1}')
    assert answer.certificate_ends is None
    assert heard[0].startswith(b"POST /v1/x?a=b HTTP/1.1\r\n")
    assert b"Authorization: Bearer k\r\n" in heard[0]
    assert b"User-Agent: headgate-verify\r\n" in heard[0]
    assert heard[0].endswith(b'\r\n\r\n{"a":1}')


@pytest.mark.parametrize("status", [301, 302, 307, 401, 404, 500, 503])
def test_every_status_is_an_answer_and_no_redirect_is_followed(status: int) -> None:
    heard: list[bytes] = []
    refusal = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".encode()
    with _server(refusal, heard=heard) as port:
        answer = Internet().ask("GET", f"http://127.0.0.1:{port}/")
    assert (answer.status, len(heard)) == (status, 1)


@pytest.mark.parametrize(
    ("certificate", "host", "said"),
    [
        ("localhost", "upstream.example", "not accepted: Hostname mismatch"),
        ("expired", "localhost", "not accepted: certificate has expired"),
    ],
)
def test_a_certificate_that_does_not_hold_is_a_sentence(certificate: str, host: str, said: str) -> None:
    with (
        _server(certificate=certificate) as port,
        pytest.raises(WebError, match=f"The certificate of {host} is {said}"),
    ):
        _trusting(port).ask("GET", f"https://{host}/")


def test_an_authority_that_nobody_knows_is_a_sentence() -> None:
    with _server(certificate="localhost") as port, pytest.raises(WebError, match="not accepted: unable to get local"):
        Internet().ask("GET", f"https://localhost:{port}/")


def test_a_port_where_nobody_listens_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WebError, match=r"127\.0\.0\.1 can not be reached: Connection refused"):
        Internet().ask("GET", f"http://127.0.0.1:{port}/")


def test_a_name_without_an_address_is_a_sentence() -> None:
    def nowhere(address: tuple[str, int]) -> tuple[str, int]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(WebError, match=r"^llm\.example\.com has no address\.$"):
        Internet(nowhere).ask("GET", "https://llm.example.com/")


def test_silence_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(WebError, match=r"did not answer within 0\.2 s"):
            Internet(seconds=0.2).ask("GET", f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "garbage", [b"220 smtp.example ESMTP\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_what_is_not_http_is_a_sentence(garbage: bytes) -> None:
    with _server(garbage) as port, pytest.raises(WebError, match=r"127\.0\.0\.1"):
        Internet().ask("GET", f"http://127.0.0.1:{port}/")


def test_what_does_not_speak_tls_is_a_sentence() -> None:
    with _server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(WebError, match="does not speak TLS"):
        Internet().ask("GET", f"https://127.0.0.1:{port}/")


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    with _server(heard=heard) as proxy, _server() as port:
        monkeypatch.setenv("http_proxy", f"http://user:word@127.0.0.1:{proxy}")
        assert Internet().ask("GET", f"http://127.0.0.1:{port}/").status == 200
        assert heard == []
        assert Internet().ask("GET", "http://llm.example.com/health").status == 200
    assert heard[0].startswith(b"GET http://llm.example.com/health HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in heard[0]


def test_through_a_proxy_the_certificate_is_still_that_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with _server(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy}")
        with pytest.raises(WebError, match=r"llm\.example\.com can not be reached: Tunnel connection failed: 407"):
            Internet().ask("GET", "https://llm.example.com/")
