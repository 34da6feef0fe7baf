"""Files that clients name: public addresses only, bounded, and never somewhere else than asked."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from headgate.core.errors import InvalidRequestError
from headgate.core.provider import Attachment
from headgate.transport.dialer import Address, Resolver
from headgate.transport.fetch import SIZE_LIMIT, Fetcher, PublicResolver, is_public
from tests.doubles.wire import Behavior, WireServer
from tests.support import read_head, run

PNG = b"HTTP/1.1 200 OK\r\nContent-Type: image/png; charset=x\r\nContent-Length: 4\r\n\r\n\x89PNG"


class Anywhere(Resolver):
    """Says that every name is this machine, and lets it be reached: what it tests begins after the address."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def resolve(self, host: str, port: int) -> list[Address]:
        return [(socket.AF_INET, ("127.0.0.1", self._port))]


def answering(answer: bytes) -> Behavior:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await read_head(reader)
        writer.write(answer)
        await writer.drain()

    return behave


def fetch(answer: bytes, url: str = "http://files.example/a.png") -> Attachment:
    async def main() -> Attachment:
        async with WireServer(answering(answer)) as server:
            fetcher = Fetcher(resolver=Anywhere(server.port))
            try:
                return await fetcher.fetch(url)
            finally:
                await fetcher.close()

    return run(main())


def refusal(url: str) -> str:
    async def main() -> str:
        fetcher = Fetcher()
        with pytest.raises(InvalidRequestError) as caught:
            await fetcher.fetch(url)
        await fetcher.close()
        return caught.value.message

    return run(main())


def test_fetches_a_file_with_its_type() -> None:
    assert fetch(PNG) == Attachment("image/png", b"\x89PNG")


def test_asks_for_the_path_and_query_of_the_url_and_sends_nothing_of_the_gateway() -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        heads.append(await read_head(reader))
        writer.write(PNG)

    async def main() -> None:
        async with WireServer(behave) as server:
            fetcher = Fetcher(resolver=Anywhere(server.port))
            await fetcher.fetch("http://files.example:8080/a b/\u00e4.png?x=1&y=\u00fc#fragment")
            await fetcher.close()

    run(main())
    assert heads[0].split(b"\r\n") == [
        b"GET /a%20b/%C3%A4.png?x=1&y=%C3%BC HTTP/1.1",
        b"Host: files.example:8080",
        b"Accept-Encoding: identity",
        b"Accept: */*",
        b"User-Agent: headgate",
        b"Content-Length: 0",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "0.0.0.0", "169.254.169.254"),
        *("100.64.0.1", "198.18.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
        # IPv4 inside IPv6: mapped, compatible, 6to4, Teredo, NAT64 (both prefixes)
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::1"),
        *("2001:0:4136:e378:8000:63bf:80ff:fffe", "64:ff9b::169.254.169.254", "64:ff9b:1::10.0.0.1"),
    ],
)
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"])
def test_an_address_that_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0"),
        # forms that the system's resolver takes for 127.0.0.1
        *("2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1"),
        # digits that IDNA maps to ASCII ones
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_a_host_on_a_private_network_is_refused(host: str) -> None:
    message = refusal(f"http://{host}/latest/meta-data")
    assert "public address" in message or "not valid" in message or "could not be fetched" in message


def test_no_connection_is_made_to_a_private_address() -> None:
    async def main() -> None:
        async with WireServer(answering(PNG)) as server:
            fetcher = Fetcher()
            for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"):
                with pytest.raises(InvalidRequestError):
                    await fetcher.fetch(f"http://{host}:{server.port}/a.png")
            await fetcher.close()
            assert server.connections == 0

    run(main())


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:10.0.0.1"]], ids=["private", "one-of-two", "mapped"]
)
def test_a_name_that_leads_to_a_private_address_is_refused(addresses: Sequence[str]) -> None:
    async def main() -> None:
        async def look_up(host: str, port: int, **_: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

        asyncio.get_running_loop().getaddrinfo = look_up  # type: ignore[method-assign, assignment]
        with pytest.raises(InvalidRequestError, match="public"):
            await PublicResolver().resolve("rebound.example", 80)

    run(main())


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"])
def test_a_redirect_is_not_followed(status: bytes) -> None:
    answer = b"HTTP/1.1 %b\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n" % status
    with pytest.raises(InvalidRequestError, match=status[:3].decode()):
        fetch(answer)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", id="404"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", id="json"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", id="no-type"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % (SIZE_LIMIT + 1)
            + b"x" * (SIZE_LIMIT + 1),
            id="too-large",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nhalf", id="broken-off"),
        pytest.param(b"garbage", id="garbage"),
    ],
)
def test_what_is_not_a_file_for_a_model_is_refused(answer: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        fetch(answer)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://files.example/", "gopher://files.example/", "data:image/png;base64,AA", ""),
        *("http://", "http:///a", "//files.example/a", "http://user@files.example/", "http://a:b@files.example/"),
        *("http://files.example:port/", "http://files.example:99999/", "http://[::1/", "http://files.\u2028example/"),
        *("http://a..b/", "http://.../", "http://" + "a" * 70 + ".example/"),
        *("http://a b/", "http://a\x00b/", "http://files.example\\@10.0.0.1/", "http://" + "a" * 70 + "\u00e4/"),
    ],
)
def test_a_url_that_is_no_address_of_a_file_is_refused(url: str) -> None:
    assert "10.0.0.1" not in refusal(url)


def test_line_ends_in_a_url_do_not_reach_the_wire() -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        heads.append(await read_head(reader))
        writer.write(PNG)

    async def main() -> None:
        async with WireServer(behave) as server:
            fetcher = Fetcher(resolver=Anywhere(server.port))
            await fetcher.fetch("http://files.example/a\r\nX-Injected: 1\r\n?b\r\nc")
            await fetcher.close()

    run(main())
    assert b"\r\nx-injected" not in heads[0].lower()
