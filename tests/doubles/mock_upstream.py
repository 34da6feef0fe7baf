"""The mock upstream on a port of its own, in a thread with a loop of its own."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

import uvloop

from headgate.config import server_settings
from headgate.gateway import MockSettings, Server, bind, make_mock_server


class RunningMock:
    """Serves until the `with` block ends. The keywords are those of `MockSettings`."""

    def __init__(self, **settings: Any) -> None:
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self._server: Server = make_mock_server(MockSettings(**settings), server_settings({}, host="127.0.0.1"))
        self._thread = threading.Thread(target=self._run, name="mock")

    @property
    def url(self) -> str:
        """The base URL, without /v1."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the mock did not stop"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve(sockets=[self._listener]))
