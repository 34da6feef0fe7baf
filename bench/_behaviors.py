"""What the mock upstream does, by the first part of the path; the same bytes whichever program plays the mock."""

from typing import NamedTuple

import msgspec

DELTA = b'" delta"'
"""What each delta carries as its content: counted in the answer, whatever a gateway makes of the rest of the frame."""

DELAY_SECONDS = 0.060
"""How long the delayed answer takes: the median of the upstream in the Helicone and TensorZero load tests."""

PACED_INTERVAL_SECONDS = 0.020
FAST_DELTAS = 100
PACED_DELTAS = 64


class Behavior(NamedTuple):
    """One way of answering a chat completion. `answer_bytes` is the whole JSON answer; streams have `deltas`."""

    name: str
    answer_bytes: int = 0
    delay_seconds: float = 0.0
    deltas: int = 0
    interval_seconds: float = 0.0

    @property
    def base_path(self) -> str:
        """The path under which the mock shows this behavior, without the operation."""
        return f"/{self.name}/v1"

    @property
    def chat_path(self) -> str:
        """The whole path of a chat completion."""
        return f"{self.base_path}/chat/completions"

    @property
    def needs_timing(self) -> bool:
        """Whether only the asyncio mock can play it (nginx neither waits nor streams)."""
        return self.delay_seconds > 0 or self.deltas > 0


INSTANT = Behavior("instant", answer_bytes=250)
ANSWER_1K = Behavior("answer-1k", answer_bytes=1_024)
ANSWER_10K = Behavior("answer-10k", answer_bytes=10_240)
DELAYED = Behavior("delayed", answer_bytes=250, delay_seconds=DELAY_SECONDS)
STREAM_FAST = Behavior("stream-fast", deltas=FAST_DELTAS)
STREAM_PACED = Behavior("stream-paced", deltas=PACED_DELTAS, interval_seconds=PACED_INTERVAL_SECONDS)

BEHAVIORS = (INSTANT, ANSWER_1K, ANSWER_10K, DELAYED, STREAM_FAST, STREAM_PACED)


def answer(size: int) -> bytes:
    """Return a chat completion of exactly `size` bytes.

    Raises `ValueError` when the frame of the answer alone is longer.
    """
    frame = _completion("")
    if size < len(frame):
        raise ValueError(f"a chat completion has at least {len(frame)} bytes, not {size}")
    return _completion("x" * (size - len(frame)))


def frames(behavior: Behavior) -> list[bytes]:
    """Return the server-sent events of a stream: the role, then each delta, the stop, without usage and `[DONE]`."""
    head = _chunk({"role": "assistant", "content": ""}, None)
    delta = _chunk({"content": msgspec.json.decode(DELTA)}, None)
    return [head, *[delta] * behavior.deltas, _chunk({}, "stop")]


def usage_frame(behavior: Behavior) -> bytes:
    """Return the event that a stream ends with when the caller asked for its usage."""
    usage = {"prompt_tokens": 10, "completion_tokens": behavior.deltas, "total_tokens": 10 + behavior.deltas}
    return _event({**_CHUNK, "choices": [], "usage": usage})


DONE = b"data: [DONE]\n\n"

_CHUNK = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "bench"}


def _completion(content: str) -> bytes:
    message = {"role": "assistant", "content": content}
    return msgspec.json.encode(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
        }
    )


def _chunk(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({**_CHUNK, "choices": [choice]})


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
