"""A running gateway for tests: the real server on a port of its own, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop
import yaml

from headgate.config import load_configuration, server_settings
from headgate.gateway import Gateway, Server, bind, make_server
from tests.doubles.http import Answer, request

MASTER_KEY = "sk-test-master-key"


class RunningGateway:
    """Serves a configuration, given as the mapping that the YAML would be, until the `with` block ends."""

    def __init__(
        self, directory: Path, configuration: Mapping[str, Any], environ: Mapping[str, str] | None = None
    ) -> None:
        path = directory / "config.yaml"
        path.write_text(yaml.safe_dump(dict(configuration)))
        environ = environ or {}
        self.gateway = Gateway(load_configuration(path, environ), MASTER_KEY)
        settings = server_settings({"HEADGATE_DATA_DIR": str(directory), **environ}, host="127.0.0.1")
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self._server: Server = make_server(self.gateway, settings, lambda: load_configuration(path, environ))
        self._thread = threading.Thread(target=self._run, name="gateway")
        self._started = threading.Event()

    @property
    def url(self) -> str:
        """The base URL, without /v1."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> Answer:
        """Ask with the master key."""
        return request(self.port, "GET", path, headers={"authorization": f"Bearer {MASTER_KEY}", **headers})

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask with the master key."""
        fields = {"authorization": f"Bearer {MASTER_KEY}", **(headers or {})}
        return request(self.port, "POST", path, body, fields)

    def chat(self, model: str, headers: Mapping[str, str] | None = None, **members: object) -> Answer:
        """Ask a model for a chat completion."""
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **members}
        return self.post("/v1/chat/completions", body, headers)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(20):
            raise RuntimeError("the gateway did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the gateway did not stop"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        # The socket listens already; what the server still does happens before it accepts.
        self._started.set()
        await serving
