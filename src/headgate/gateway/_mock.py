"""A mock upstream: OpenAI's API over HTTP, with a latency, a length, a pace and failures that are set beforehand.

It answers as the built-in model does, for load tests of a gateway whose `api_base` it is. What it does with a request
depends on the settings and on how many requests came before, never on time: the same load gets the same answers.
"""

import asyncio
from random import Random
from typing import Any

import msgspec

from headgate.core.errors import ConfigurationError
from headgate.core.provider import Headers
from headgate.gateway._demo import CREATED, DONE, TOO_DEEP, Reply, event, refusal, reply_to
from headgate.transport.exchange import Exchange, Refusal

TOKENS_LIMIT = 100_000
BODY_LIMIT = 128 * 1024 * 1024
"""Bytes of a request, at most."""

_JSON = b"content-type: application/json\r\n"
_EVENTS = b"content-type: text/event-stream\r\ncache-control: no-cache\r\n"
_OPERATIONS = {
    b"chat/completions": "messages",
    b"completions": "prompt",
    b"embeddings": "input",
    b"moderations": "input",
}
"""What the mock answers, and the member that each request must have."""
_WORD = "tok"
"""Three letters and a space: one token as the built-in model counts them."""


class MockSettings(msgspec.Struct, frozen=True):
    """How the mock answers. Times are seconds.

    A request is answered after `latency`, and up to `jitter` more. Answers have `tokens` tokens; those of a stream come
    `interval` apart. A share of `failures` (0 to 1) is refused with `failure_status`, after the same time.
    `seed` decides which requests fail and how the jitter falls. Raises `ConfigurationError` for what is out of range.
    """

    latency: float = 0.0
    jitter: float = 0.0
    tokens: int = 64
    interval: float = 0.0
    failures: float = 0.0
    failure_status: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        checks = (
            (0 <= self.latency <= 600, "latency lies between 0 and 600 s"),
            (0 <= self.jitter <= 600, "jitter lies between 0 and 600 s"),
            (1 <= self.tokens <= TOKENS_LIMIT, f"an answer has 1 to {TOKENS_LIMIT:,} tokens"),
            (0 <= self.interval <= 60, "the interval between tokens lies between 0 and 60 s"),
            (0 <= self.failures <= 1, "failures are a share from 0 to 100 %"),
            (400 <= self.failure_status <= 599, "a failure's status lies between 400 and 599"),
        )
        if problems := [f"The mock can not do this: {rule}." for holds, rule in checks if not holds]:
            raise ConfigurationError(problems)


class MockPlane:
    """The mock as what a server hands requests to. Use within one event loop."""

    body_limit = BODY_LIMIT

    def __init__(self, settings: MockSettings) -> None:
        self.draining = False
        self._settings = settings
        # Which request fails is no secret, and has to be the same in every run.
        self._random = Random(settings.seed)  # noqa: S311
        self._text = " ".join([_WORD] * settings.tokens)

    def serves(self, method: bytes, path: bytes) -> bool:
        """Take every request."""
        return True

    def admit(self, method: bytes, path: bytes, headers: Headers) -> object:
        """Let everybody in: there is nothing to protect."""
        return None

    def refuse(self, path: bytes, status: int, message: str) -> Refusal:
        """Word a refusal of the transport's own."""
        return Refusal(status, _JSON, msgspec.json.encode(refusal(status, message).value))

    def handle(self, exchange: Exchange) -> None:
        """Answer at once where nothing is to be waited for, and in a task otherwise."""
        if exchange.method != b"POST":
            _send(exchange, _read(exchange.path))
            return
        waited, failed = self._fate()
        reply = self._failure() if failed else self._reply(exchange)
        if waited or (reply.chunks and self._settings.interval):
            exchange.spawn(self._answer_later(exchange, reply, waited))
        else:
            _send(exchange, reply)

    def _fate(self) -> tuple[float, bool]:
        """Return how long the next request waits, and whether it fails."""
        settings = self._settings
        # Two draws each, so that one setting does not move what the other one decides.
        jitter, luck = self._random.random(), self._random.random()
        return settings.latency + settings.jitter * jitter, luck < settings.failures

    def _failure(self) -> Reply:
        status = self._settings.failure_status
        kind = "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
        return Reply({"error": {"message": "The mock was told to fail this request.", "type": kind}}, status=status)

    def _reply(self, exchange: Exchange) -> Reply:
        operation = exchange.path.removeprefix(b"/v1").removeprefix(b"/")
        needed = _OPERATIONS.get(operation)
        if needed is None:
            return refusal(404, f"The mock answers {', '.join(f'/v1/{name.decode()}' for name in _OPERATIONS)}.")
        try:
            body: Any = msgspec.json.decode(exchange.body)
            problem = _problem(body, needed)
            if problem:
                return refusal(400, problem)
            # A reply of its own for embeddings, whose numbers depend on the input.
            mocked = body if needed == "input" else {**body, "mock_response": self._text}
            reply = reply_to(b"/" + operation, mocked)
        except RecursionError:
            return refusal(400, TOO_DEEP)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refusal(400, "The body is not JSON.")
        return reply if _wants_usage(body) else reply._replace(chunks=reply.chunks[:-1])

    async def _answer_later(self, exchange: Exchange, reply: Reply, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(seconds)
        interval = self._settings.interval
        if not reply.chunks or not interval:
            _send(exchange, reply)
            return
        exchange.begin(200, _EVENTS, None)
        for number, chunk in enumerate(reply.chunks):
            # Each at its moment after the beginning, so that lateness does not add up.
            await asyncio.sleep(max(0.0, begun + seconds + number * interval - loop.time()))
            exchange.write(event(chunk))
        exchange.write(DONE)
        exchange.finish()


def _send(exchange: Exchange, reply: Reply) -> None:
    if not reply.chunks:
        exchange.respond(reply.status, _JSON, msgspec.json.encode(reply.value))
        return
    exchange.begin(200, _EVENTS, None)
    exchange.write(b"".join([*map(event, reply.chunks), DONE]))
    exchange.finish()


def _read(path: bytes) -> Reply:
    """Return the answer to a request that only looks."""
    if path in (b"/health/liveliness", b"/health/liveness"):
        return Reply({"status": "alive"})
    if path.removeprefix(b"/v1") == b"/models":
        model = {"id": "mock", "object": "model", "created": CREATED, "owned_by": "headgate"}
        return Reply({"object": "list", "data": [model]})
    return refusal(404, "The mock has no such route.")


def _problem(body: object, needed: str) -> str:
    """Return what is wrong with a request, empty for nothing."""
    if not isinstance(body, dict):
        return "The body is not a JSON object."
    if needed not in body:
        return f"Missing required parameter: '{needed}'."
    if needed == "messages" and not isinstance(body[needed], list):
        return "Invalid value for 'messages': expected a list."
    return ""


def _wants_usage(body: dict[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True
