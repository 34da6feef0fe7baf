"""One request of a load, and what became of it."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from headgate.core.clock import Clock
from headgate.core.errors import Category, UpstreamError
from headgate.core.provider import UpstreamRequest
from headgate.core.sse import EventReader
from headgate.deploy.load._endpoint import Endpoint
from headgate.deploy.load._load import Load
from headgate.deploy.load._prompts import Prompts
from headgate.transport.client import Client, ClientSettings
from headgate.transport.connection import Timeouts
from headgate.transport.dialer import Dialer
from headgate.transport.response import Response

OVERHEAD_HEADER = b"x-litellm-overhead-duration-ms"
_SENTENCE_LIMIT = 300
_LINE_LIMIT = 64 * 1024
"""Bytes of an unfinished line that are kept, to see the end of a stream however it is cut."""
_DONE = b"[DONE]"


class Outcome(NamedTuple):
    """What became of one request. Times are seconds from its intended start, but for `overhead`, the target's own.

    `error` is empty for an answer as it should be, else a status or a word; `sentence` then says more.
    """

    seconds: float
    first_token: float | None = None
    overhead: float | None = None
    error: str = ""
    sentence: str = ""


class Sender:
    """Sends requests to one endpoint over connections of its own. Use within one event loop, and `close` at the end."""

    def __init__(
        self,
        endpoint: Endpoint,
        load: Load,
        prompts: Prompts,
        key: str | None,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._load = load
        self._prompts = prompts
        self._key = key
        self._clock = clock
        settings = ClientSettings(maximum_connections=load.users, wait=load.timeout)
        self._client = Client(Dialer(environ=environ), settings)
        bearer = f"Authorization: Bearer {key}\r\n" if key else ""
        self._headers = f"Content-Type: application/json\r\nUser-Agent: headgate-bench\r\n{bearer}".encode()

    async def ask(self, number: int, begun: float) -> Outcome:
        """Send request `number`, whose time runs from `begun`. What goes wrong is in the outcome."""
        timeout = self._load.timeout
        left = begun + timeout - self._clock()
        if left <= 0:
            return Outcome(timeout, error="timeout", sentence=self._too_late)
        request = UpstreamRequest(
            self._endpoint.origin, self._endpoint.target, self._headers, self._prompts.body(number)
        )
        whole = not self._load.stream
        try:
            response = await self._client.send(request, Timeouts(connect=left, total=left), whole=whole)
            if response.status == 200 and not whole:
                return await self._watch(response, begun)
            body = response.body() if whole else await response.read()
        except UpstreamError as error:
            return self._failed(begun, *self._told(error))
        seconds = self._clock() - begun
        if response.status != 200:
            return Outcome(seconds, error=str(response.status), sentence=self._shown(_message(body)))
        if b'"choices"' not in body:
            return Outcome(seconds, error="not a completion", sentence=self._shown(_text(body)))
        return Outcome(seconds, overhead=_overhead(response))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _watch(self, response: Response, begun: float) -> Outcome:
        watch = _Watch(self._clock)
        response.relay(watch.take, watch.end)
        try:
            await watch.over
        except asyncio.CancelledError:
            response.abort()
            raise
        if watch.failure is not None:
            return self._failed(begun, *self._told(watch.failure))
        if watch.error:
            return self._failed(begun, "error in a stream", watch.error)
        if not watch.done:
            return self._failed(begun, "cut off", "A stream ended without [DONE].")
        first = None if watch.first is None else watch.first - begun
        return Outcome(self._clock() - begun, first, _overhead(response))

    def _failed(self, begun: float, error: str, sentence: str) -> Outcome:
        return Outcome(self._clock() - begun, error=error, sentence=self._shown(sentence))

    def _told(self, error: UpstreamError) -> tuple[str, str]:
        if error.category is Category.TIMEOUT:
            return "timeout", self._too_late
        # The transport calls whatever it talks to its upstream.
        sentence = error.message.replace("upstream", "target")
        return error.category.value, f"{sentence} {_reason(error.__cause__)}".rstrip()

    @property
    def _too_late(self) -> str:
        return f"There was no whole answer within {self._load.timeout:g} s."

    def _shown(self, text: str) -> str:
        """Make what a target said fit for one line, without the key."""
        if self._key:
            text = text.replace(self._key, "***")
        line = re.sub(r"\s+", " ", text).strip()
        printable = "".join(character if character.isprintable() else "?" for character in line)
        return printable if len(printable) <= _SENTENCE_LIMIT else f"{printable[:_SENTENCE_LIMIT]}..."


def _reason(cause: BaseException | None) -> str:
    """Return what the system says of a failure; asyncio puts a text of its own in its place."""
    if isinstance(cause, socket.gaierror):
        return f"{cause.strerror}."
    if isinstance(cause, OSError) and cause.errno:
        return f"{os.strerror(cause.errno)}."
    return ""


class _Watch:
    """Reads a stream for its first token and its end."""

    def __init__(self, clock: Clock) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first: float | None = None
        self.done = False
        self.error = ""
        self.failure: UpstreamError | None = None
        self._clock = clock
        self._reader = EventReader()
        self._rest = b""

    def take(self, data: bytes) -> None:
        if self.first is None and any(_has_token(event.data) for event in self._reader.feed(data)):
            self.first = self._clock()
        # What follows the first token is not parsed but for its end: there may be a hundred thousand events a second.
        data = self._rest + data
        self._rest = data[data.rfind(b"\n") + 1 :][-_LINE_LIMIT:]
        if _DONE in data or b'"error"' in data:
            for line in data.splitlines():
                self._read(line.removeprefix(b"data:").strip())

    def end(self, error: UpstreamError | None) -> None:
        self.failure = error
        if not self.over.done():
            self.over.set_result(None)

    def _read(self, data: bytes) -> None:
        if data == _DONE:
            self.done = True
        elif b'"error"' in data and (message := _error_of(data)):
            self.error = message


def _has_token(data: bytes) -> bool:
    """Tell whether a chunk holds anything of the answer; the first one often holds the role alone."""
    try:
        choices = msgspec.json.decode(data)["choices"]
        delta = choices[0]["delta"] if choices else {}
        return any(value for name, value in delta.items() if name != "role")
    except (msgspec.DecodeError, KeyError, TypeError, IndexError, AttributeError):
        return False


def _overhead(response: Response) -> float | None:
    for name, value in response.headers:
        if len(name) == len(OVERHEAD_HEADER) and name.lower() == OVERHEAD_HEADER:
            try:
                return float(value) / 1e3
            except ValueError:
                return None
    return None


def _message(body: bytes) -> str:
    """Return the message of an error's answer, or its text."""
    return _error_of(body) or _text(body) or "There was no message."


def _error_of(body: bytes) -> str:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        error = error.get("message") or error
    return "" if not error else error if isinstance(error, str) else json.dumps(error)


def _text(body: bytes) -> str:
    return body[: 4 * _SENTENCE_LIMIT].decode("utf-8", "replace")
