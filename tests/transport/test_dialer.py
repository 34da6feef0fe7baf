"""Opening connections: names, address races, TLS, proxies."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.core.provider import Origin, UpstreamRequest
from headgate.transport.client import Client
from headgate.transport.connection import Timeouts
from headgate.transport.dialer import (
    MAXIMUM_NAMES,
    REMEMBER_SECONDS,
    Address,
    Dialer,
    Resolver,
    connect_socket,
    tls_context,
)
from tests.doubles.wire import Behavior, WireServer
from tests.support import read_head, read_request, run

CERTIFICATES = Path(__file__).parent / "certificates"
ROOT = str(CERTIFICATES / "root.pem")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ELSEWHERE = Origin("http", "upstream.example", 80)
SECURE_ELSEWHERE = Origin("https", "upstream.example", 443)


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
    while True:
        await read_request(reader)
        writer.write(OK)


async def fetch(dialer: Dialer, origin: Origin, *, connect: float = 5.0) -> bytes:
    client = Client(dialer)
    try:
        request = UpstreamRequest(origin, b"/v1/x", b"", b"{}")
        response = await client.send(request, Timeouts(connect=connect, total=5.0), whole=True)
        return await response.read()
    finally:
        await client.close()


async def failure(dialer: Dialer, origin: Origin, *, connect: float = 5.0) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await fetch(dialer, origin, connect=connect)
    assert origin.host not in caught.value.message
    return caught.value


# -- names ---------------------------------------------------------------------------------------------------------


class Names:
    """Stands in for the system's resolver and its clock: each look-up gets the next answer, the last one for ever."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.asked = 0
        self.now = 1_000.0
        self._answers = answers
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = self._look_up  # type: ignore[method-assign, assignment]
        loop.time = lambda: self.now  # type: ignore[method-assign]

    async def _look_up(self, host: str, port: int, **_: object) -> list[object]:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if isinstance(answer, OSError):
            raise answer
        return [(_family(each), socket.SOCK_STREAM, 6, "", (each, port)) for each in answer]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def hosts(addresses: list[Address]) -> list[str]:
    return [address[0] for _, address in addresses]


def test_an_answer_is_remembered_for_a_while() -> None:
    async def main() -> None:
        names, resolver = Names(["192.0.2.1"], ["192.0.2.2"]), Resolver()
        assert hosts(await resolver.resolve("a", 1)) == ["192.0.2.1"]
        names.now += REMEMBER_SECONDS - 1
        assert hosts(await resolver.resolve("a", 1)) == ["192.0.2.1"]
        assert names.asked == 1
        names.now += 2
        assert hosts(await resolver.resolve("a", 1)) == ["192.0.2.2"]

    run(main())


def test_the_last_answer_serves_while_the_resolver_fails() -> None:
    async def main() -> None:
        names, resolver = Names(["192.0.2.1"], OSError("down")), Resolver()
        await resolver.resolve("a", 1)
        names.now += REMEMBER_SECONDS + 1
        assert hosts(await resolver.resolve("a", 1)) == ["192.0.2.1"]
        assert names.asked == 2

    run(main())


def test_a_name_without_an_address_is_an_error_that_does_not_name_it() -> None:
    async def main() -> None:
        Names(socket.gaierror("internal.host not found"))
        with pytest.raises(UpstreamError) as caught:
            await Resolver().resolve("internal.host", 1)
        assert (caught.value.category, caught.value.status) == (Category.CONNECTION, 502)
        assert "internal.host" not in caught.value.message

    run(main())


def test_address_families_alternate_from_the_first_choice() -> None:
    async def main() -> None:
        Names(["::1", "::2", "::3", "192.0.2.1"])
        assert hosts(await Resolver().resolve("a", 1)) == ["::1", "192.0.2.1", "::2", "::3"]

    run(main())


def test_the_memory_for_names_is_bounded() -> None:
    async def main() -> None:
        names, resolver = Names(["192.0.2.1"]), Resolver()
        for port in range(MAXIMUM_NAMES + 1):
            await resolver.resolve("a", port)
        await resolver.resolve("a", 0)
        assert names.asked == MAXIMUM_NAMES + 2

    run(main())


# -- addresses -----------------------------------------------------------------------------------------------------


class Silent:
    """A listener whose queue of connections is full: a further attempt to connect gets no answer at all."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.address: Address = (socket.AF_INET, self._listener.getsockname())
        self._queued: list[socket.socket] = []
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(self.address[1])
            self._queued.append(waiting)

    def close(self) -> None:
        for each in (self._listener, *self._queued):
            each.close()


def _refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return socket.AF_INET, listener.getsockname()


def _address(server: WireServer) -> Address:
    return socket.AF_INET, ("127.0.0.1", server.port)


def test_a_silent_address_does_not_hold_up_the_next() -> None:
    async def main() -> None:
        silent = Silent()
        async with WireServer(_ok) as server:
            with await connect_socket([silent.address, _address(server)]) as sock:
                assert sock.getpeername()[1] == server.port
        silent.close()

    run(main())


def test_a_refusing_address_is_passed_over() -> None:
    async def main() -> None:
        async with WireServer(_ok) as server:
            with await connect_socket([_refusing(), _refusing(), _address(server)]) as sock:
                assert sock.getpeername()[1] == server.port

    run(main())


def test_the_first_address_is_enough() -> None:
    async def main() -> None:
        async with WireServer(_ok) as server, WireServer(_ok) as other:
            (await connect_socket([_address(server), _address(other)])).close()
            assert other.connections == 0

    run(main())


def test_no_address_that_answers_is_an_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        run(connect_socket([_refusing(), _refusing()]))
    assert caught.value.category is Category.CONNECTION


def test_a_connection_that_is_never_accepted_times_out() -> None:
    async def main() -> None:
        silent = Silent()
        origin = Origin("http", "127.0.0.1", silent.address[1][1])
        error = await failure(Dialer(), origin, connect=0.1)
        assert (error.category, error.status) == (Category.TIMEOUT, 504)
        silent.close()

    run(main())


def test_ipv6() -> None:
    async def main() -> None:
        seen: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
            seen.append((await read_request(reader))[0])
            writer.write(OK)

        async with WireServer(serve, host="::1") as server:
            assert await fetch(Dialer(), server.origin) == b"ok"
            assert b"\r\nHost: [::1]:%d\r\n" % server.port in seen[0]

    run(main())


# -- TLS -----------------------------------------------------------------------------------------------------------


class SecureServer(WireServer):
    """Serves TLS with one of the test certificates, and remembers what clients asked for."""

    def __init__(self, certificate: str, behavior: Behavior = _ok) -> None:
        self.names: list[str | None] = []
        self.protocols: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sni_callback = lambda _, name, __: self.names.append(name)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
            self.protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
            await behavior(reader, writer, number)

        super().__init__(serve, context=context)


def test_a_verified_handshake_names_the_server_and_speaks_http_1_1() -> None:
    async def main() -> None:
        async with SecureServer("localhost") as server:
            assert await fetch(Dialer(verify=ROOT), Origin("https", "localhost", server.port)) == b"ok"
            assert (server.names, server.protocols) == (["localhost"], ["http/1.1"])

    run(main())


def test_an_address_is_verified_against_the_certificate() -> None:
    async def main() -> None:
        async with SecureServer("localhost") as server:
            assert await fetch(Dialer(verify=ROOT), Origin("https", "127.0.0.1", server.port)) == b"ok"

    run(main())


@pytest.mark.parametrize(
    ("certificate", "verify"),
    [
        pytest.param("elsewhere", ROOT, id="wrong-name"),
        pytest.param("expired", ROOT, id="expired"),
        pytest.param("localhost", True, id="untrusted"),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused(certificate: str, verify: bool | str) -> None:
    async def main() -> None:
        async with SecureServer(certificate) as server:
            error = await failure(Dialer(verify=verify), Origin("https", "localhost", server.port))
            assert (error.category, error.status) == (Category.CONNECTION, 502)
            assert "TLS" in error.message
            assert isinstance(error.__cause__, ssl.SSLCertVerificationError)

    run(main())


def test_verification_can_be_turned_off() -> None:
    async def main() -> None:
        async with SecureServer("expired") as server:
            assert await fetch(Dialer(verify=False), Origin("https", "localhost", server.port)) == b"ok"

    run(main())


def test_a_server_that_does_not_speak_tls_is_refused() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        async with WireServer(garbage) as server:
            error = await failure(Dialer(verify=ROOT), Origin("https", "localhost", server.port))
            assert error.category is Category.CONNECTION

    run(main())


def test_a_handshake_that_never_ends_times_out() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
        await reader.read()

    async def main() -> None:
        async with WireServer(silent) as server:
            origin = Origin("https", "localhost", server.port)
            assert (await failure(Dialer(verify=ROOT), origin, connect=0.1)).category is Category.TIMEOUT

    run(main())


def test_old_protocol_versions_are_refused() -> None:
    assert tls_context().minimum_version == ssl.TLSVersion.TLSv1_2


# -- proxies -------------------------------------------------------------------------------------------------------


def through(server: WireServer, scheme: str, **environ: str) -> Dialer:
    url = f"http://al%40ice:s%3Acret@127.0.0.1:{server.port}"
    return Dialer(verify=ROOT, environ={f"{scheme}_proxy": url, **environ})


CREDENTIALS = b"Proxy-Authorization: Basic " + base64.b64encode(b"al@ice:s:cret") + b"\r\n"


def test_a_plain_request_goes_to_the_proxy_in_absolute_form() -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        heads.append((await read_request(reader))[0])
        writer.write(OK)

    async def main() -> None:
        async with WireServer(proxy) as server:
            assert await fetch(through(server, "http"), ELSEWHERE) == b"ok"
        assert heads[0].startswith(b"POST http://upstream.example/v1/x HTTP/1.1\r\nHost: upstream.example\r\n")
        assert CREDENTIALS in heads[0]

    run(main())


def _tunnel_to(server: SecureServer, heads: list[bytes], answer: bytes) -> Behavior:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        heads.append(await read_head(reader))
        writer.write(answer)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()

    return proxy


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200\r\nVia: x\r\n\r\n", b"HTTP/1.1 204 -\r\n\r\n"],
    ids=["usual", "without-a-reason", "another-2xx"],
)
def test_a_tls_request_goes_through_a_tunnel_and_the_proxy_sees_nothing_of_it(answer: bytes) -> None:
    heads: list[bytes] = []

    async def main() -> None:
        async with SecureServer("elsewhere") as far, WireServer(_tunnel_to(far, heads, answer)) as server:
            assert await fetch(through(server, "https"), SECURE_ELSEWHERE) == b"ok"
            assert far.names == ["upstream.example"]
        authority = b"upstream.example:443"
        assert heads == [b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (authority, authority, CREDENTIALS)]

    run(main())


def test_credentials_of_the_proxy_do_not_reach_the_upstream() -> None:
    seen: list[bytes] = []

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        seen.append((await read_request(reader))[0])
        writer.write(OK)

    async def main() -> None:
        answer = b"HTTP/1.1 200 OK\r\n\r\n"
        async with SecureServer("elsewhere", watch) as far, WireServer(_tunnel_to(far, [], answer)) as server:
            await fetch(through(server, "https"), SECURE_ELSEWHERE)
        assert b"proxy-" not in seen[0].lower()

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 502 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000,
        b"garbage\r\n\r\n",
        b"",
    ],
    ids=["407", "502", "endless", "garbage", "closed"],
)
def test_a_proxy_that_refuses_is_an_error(answer: bytes) -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_head(reader)
        writer.write(answer)

    async def main() -> None:
        async with WireServer(proxy) as server:
            error = await failure(through(server, "https"), SECURE_ELSEWHERE)
            assert (error.category, error.status) == (Category.CONNECTION, 502)
            assert "cret" not in error.message

    run(main())


def test_a_proxy_that_never_answers_times_out() -> None:
    async def proxy(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: int) -> None:
        await reader.read()

    async def main() -> None:
        async with WireServer(proxy) as server:
            error = await failure(through(server, "https"), SECURE_ELSEWHERE, connect=0.1)
            assert (error.category, error.status) == (Category.TIMEOUT, 504)

    run(main())


@pytest.mark.parametrize(
    ("origin", "environ", "direct"),
    [
        (ELSEWHERE, {"HTTP_PROXY": "http://proxy:1"}, False),
        (ELSEWHERE, {"ALL_PROXY": "http://proxy:1"}, False),
        (ELSEWHERE, {"HTTPS_PROXY": "http://proxy:1"}, True),
        (SECURE_ELSEWHERE, {"HTTPS_PROXY": "proxy:1"}, False),
        (ELSEWHERE, {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "upstream.example"}, True),
        (ELSEWHERE, {"HTTP_PROXY": "http://proxy:1", "no_proxy": "a, .example"}, True),
        (ELSEWHERE, {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "*"}, True),
        (ELSEWHERE, {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "stream.example"}, False),
        (ELSEWHERE, {"HTTP_PROXY": "http://proxy:1", "REQUEST_METHOD": "GET"}, True),
        (Origin("http", "127.0.0.1", 80), {"HTTP_PROXY": "http://proxy:1"}, True),
        (Origin("http", "localhost", 80), {"HTTP_PROXY": "http://proxy:1"}, True),
        (Origin("http", "::1", 80), {"HTTP_PROXY": "http://proxy:1"}, True),
    ],
)
def test_which_requests_a_proxy_gets(origin: Origin, environ: Mapping[str, str], direct: bool) -> None:
    proxy = Dialer(environ=environ).proxy(origin)
    assert (proxy is None) is direct
    assert proxy is None or (proxy.host, proxy.port) == ("proxy", 1)


@pytest.mark.parametrize("url", ["socks5://proxy:1", "https://proxy:1", "http://", "http://proxy:port"])
def test_a_proxy_that_can_not_be_used_is_an_error(url: str) -> None:
    with pytest.raises(UpstreamError):
        Dialer(environ={"http_proxy": url}).proxy(ELSEWHERE)
