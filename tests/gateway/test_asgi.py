"""The gateway as a plain ASGI application: through a client's transport, by hand, and on uvicorn's own protocol."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import yaml
from starlette.types import Message

from headgate.config import load_configuration
from headgate.gateway import Application, Gateway
from headgate.gateway._asgi import QUEUE_LIMIT, AsgiExchange
from tests.doubles.gateway import MASTER_KEY
from tests.doubles.http import begun, request
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.support import demo, entry
from tests.support import run

KEY = {"authorization": f"Bearer {MASTER_KEY}"}
CHAT = "/v1/chat/completions"


def body(model: str, **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **members}


def make_gateway(directory: Path, models: list[dict[str, Any]], **sections: Any) -> Gateway:
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump({"model_list": models, **sections}))
    return Gateway(load_configuration(path, {}), MASTER_KEY)


@asynccontextmanager
async def client_of(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    await gateway.start()
    try:
        transport = httpx.ASGITransport(app=Application(gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=KEY) as client:
            yield client
    finally:
        await gateway.stop()


class Call:
    """One call of the application by hand: `receive` gives what is put in, `sent` is what came out."""

    def __init__(self, gateway: Gateway, path: str = CHAT, headers: dict[str, str] | None = None) -> None:
        self.sent: list[Message] = []
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.received = 0
        self._sent_something = asyncio.Event()
        fields = KEY if headers is None else headers
        self._scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        }
        self._application = Application(gateway)

    def put(self, data: bytes, *, more: bool = False) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": data, "more_body": more})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})

    async def serve(self) -> None:
        await self._application(self._scope, self._receive, self._send)

    async def wait_for_body(self) -> None:
        while not any(message["type"] == "http.response.body" for message in self.sent):
            self._sent_something.clear()
            await self._sent_something.wait()

    async def _receive(self) -> Message:
        self.received += 1
        return await self.incoming.get()

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        self._sent_something.set()


def test_a_whole_answer(tmp_path: Path) -> None:
    async def ask() -> None:
        async with client_of(make_gateway(tmp_path, [demo()])) as client:
            answer = await client.post(CHAT, json=body("demo"))
            assert answer.status_code == 200
            assert answer.json()["choices"][0]["message"]["content"] == "You said: hi"
            assert answer.headers["content-length"] == str(len(answer.content))
            assert answer.headers["x-litellm-model-group"] == "demo"
            assert float(answer.headers["x-litellm-overhead-duration-ms"]) >= 0

    run(ask())


def test_an_answer_that_waits_for_a_connection(tmp_path: Path) -> None:
    async def ask(api_base: str) -> None:
        async with client_of(make_gateway(tmp_path, [entry("gpt", api_base)])) as client:
            for _ in range(3):
                assert (await client.post(CHAT, json=body("gpt"))).json()["id"] == "chatcmpl-mock"

    with OpenAIUpstream() as upstream:
        run(ask(upstream.api_base))


def test_a_stream(tmp_path: Path) -> None:
    async def ask() -> None:
        gateway = make_gateway(tmp_path, [demo()])
        await gateway.start()
        call = Call(gateway)
        call.put(json.dumps(body("demo", stream=True)).encode())
        await call.serve()
        await gateway.stop()
        start, *pieces = call.sent
        assert dict(start["headers"])[b"content-type"].startswith(b"text/event-stream")
        assert b"content-length" not in dict(start["headers"])
        assert all(piece["more_body"] for piece in pieces[:-1])
        assert not pieces[-1]["more_body"]
        assert b"".join(piece["body"] for piece in pieces).endswith(b"data: [DONE]\n\n")

    run(ask())


def test_a_refusal_does_not_wait_for_the_body(tmp_path: Path) -> None:
    async def ask() -> None:
        gateway = make_gateway(tmp_path, [demo()])
        await gateway.start()
        call = Call(gateway, headers={})
        await call.serve()
        await gateway.stop()
        assert call.sent[0]["status"] == 401
        assert call.received == 0

    run(ask())


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_body_beyond_the_limit(tmp_path: Path, pieces: int) -> None:
    async def ask() -> None:
        gateway = make_gateway(tmp_path, [demo()], general_settings={"max_request_size_mb": 1})
        await gateway.start()
        call = Call(gateway)
        for _ in range(pieces):
            call.put(b"x" * (1_200_000 // pieces), more=True)
        await call.serve()
        await gateway.stop()
        assert call.sent[0]["status"] == 413
        assert b"the limit is 1 MB" in call.sent[1]["body"]

    run(ask())


def test_a_body_in_pieces(tmp_path: Path) -> None:
    async def ask() -> None:
        gateway = make_gateway(tmp_path, [demo()])
        await gateway.start()
        call = Call(gateway)
        data = json.dumps(body("demo")).encode()
        for byte in data[:-1]:
            call.put(bytes([byte]), more=True)
        call.put(data[-1:])
        await call.serve()
        await gateway.stop()
        assert call.sent[0]["status"] == 200

    run(ask())


def test_a_client_that_leaves_while_it_sends(tmp_path: Path) -> None:
    async def ask() -> None:
        gateway = make_gateway(tmp_path, [demo()])
        await gateway.start()
        call = Call(gateway)
        call.put(b'{"model"', more=True)
        call.leave()
        await call.serve()
        await gateway.stop()
        assert call.sent == []
        assert gateway.counters.requests == 0

    run(ask())


def test_a_client_that_leaves_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    async def ask(upstream: OpenAIUpstream) -> None:
        gateway = make_gateway(tmp_path, [entry("held", upstream)])
        await gateway.start()
        call = Call(gateway)
        call.put(json.dumps(body("held", stream=True)).encode())
        serving = asyncio.create_task(call.serve())
        await call.wait_for_body()
        assert gateway.counters.in_flight == 1
        call.leave()
        await serving
        assert await asyncio.to_thread(upstream.left.wait, 5)
        await gateway.stop()
        assert (gateway.counters.in_flight, gateway.counters.disconnects) == (0, 1)

    with OpenAIUpstream() as upstream:
        run(ask(upstream))


def test_a_client_that_leaves_before_anything_was_sent(tmp_path: Path) -> None:
    async def ask(upstream: OpenAIUpstream) -> None:
        gateway = make_gateway(tmp_path, [entry("slow", upstream)])
        await gateway.start()
        call = Call(gateway)
        call.put(json.dumps(body("slow")).encode())
        serving = asyncio.create_task(call.serve())
        assert await asyncio.to_thread(upstream.asked.wait, 5)
        call.leave()
        await serving
        await gateway.stop()
        assert call.sent == []
        assert (gateway.counters.in_flight, gateway.counters.disconnects) == (0, 1)

    with OpenAIUpstream() as upstream:
        run(ask(upstream))


def test_a_slow_reader_makes_the_upstream_wait() -> None:
    class Source:
        waits = False

        def pause(self) -> None:
            self.waits = True

        def resume(self) -> None:
            self.waits = False

    async def stream() -> None:
        exchange, source = AsgiExchange({"method": "POST", "path": CHAT, "headers": []}, b"", None), Source()
        exchange.begin(200, b"", source)
        while not source.waits:
            exchange.write(b"piece")
        seen: list[bool] = []
        sent = 0

        async def send(message: Message) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            seen.append(source.waits)
            if not source.waits and len(seen) > QUEUE_LIMIT:
                exchange.finish()

        await exchange.pump(send)
        assert sent >= 5 * QUEUE_LIMIT
        assert seen[0] is True
        assert source.waits is False

    run(stream())


def test_the_control_plane(tmp_path: Path) -> None:
    async def ask() -> None:
        async with client_of(make_gateway(tmp_path, [demo()])) as client:
            assert (await client.get("/health/liveliness")).json() == "I'm alive!"
            assert (await client.get("/v1/models")).json()["data"][0]["id"] == "demo"
            assert (await client.get(CHAT)).status_code == 405
            missing = await client.get("/nope")
            assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")

    run(ask())


@asynccontextmanager
async def uvicorn_of(gateway: Gateway) -> AsyncIterator[int]:
    """Serve by uvicorn's own protocol."""
    config = uvicorn.Config(Application(gateway), http="httptools", ws="none", lifespan="on", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup([listener])
        ticking = asyncio.create_task(server.main_loop())
        yield listener.getsockname()[1]
        server.should_exit = True
        await ticking
        await server.shutdown([listener])


def test_on_uvicorn_s_own_protocol(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask(upstream: OpenAIUpstream) -> None:
        gateway = make_gateway(tmp_path, [demo(), entry("held", upstream)])
        async with uvicorn_of(gateway) as port:
            whole = await asyncio.to_thread(request, port, "POST", CHAT, body("demo"), KEY)
            assert whole.json()["choices"][0]["message"]["content"] == "You said: hi"
            stream = await asyncio.to_thread(request, port, "POST", CHAT, body("demo", stream=True), KEY)
            assert stream.headers["transfer-encoding"] == "chunked"
            assert stream.events[-1] == b"[DONE]"
            assert (await asyncio.to_thread(request, port, "POST", CHAT, body("demo"))).status == 401
            await asyncio.to_thread(leave_in_the_middle, port)
            assert await asyncio.to_thread(upstream.left.wait, 5)
            await asyncio.to_thread(leave_while_sending, port)
        assert gateway.counters.disconnects == 1

    with OpenAIUpstream() as upstream:
        run(ask(upstream))
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def leave_in_the_middle(port: int) -> None:
    with begun(port, "POST", CHAT, body("held", stream=True), KEY) as response:
        assert response.read(5) == b"data:"


def leave_while_sending(port: int) -> None:
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: {KEY['authorization']}\r\ncontent-length: 99\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
