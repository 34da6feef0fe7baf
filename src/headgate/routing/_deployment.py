"""A deployment: one way to reach a model, with its limits and what has been seen of it."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

P = TypeVar("P")
"""What the caller binds to a deployment; routing only hands it back."""

WINDOW_SECONDS = 60.0
"""Length of the window in which requests, tokens and failures are counted; limits are per minute."""


class Samples:
    """The most recent measurements of one quantity, in seconds, each with the time it was taken."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: deque[tuple[float, float]] = deque()

    def add(self, now: float, value: float, *, size: int) -> None:
        """Append a measurement and forget the oldest beyond `size`."""
        self._values.append((now, value))
        while len(self._values) > size:
            self._values.popleft()

    def mean(self, now: float, *, ttl: float) -> float | None:
        """Average what was measured in the last `ttl` seconds; None when that is nothing."""
        values = self._values
        while values and values[0][0] <= now - ttl:
            values.popleft()
        return sum([value for _, value in values]) / len(values) if values else None


@dataclass(slots=True, eq=False)
class Health:
    """What has been seen of a deployment. Outlives a configuration reload (`Router.adopt`).

    `cooled_until` is on the router's clock. `requests`, `tokens`, `successes` and `failures` belong to the window that
    ends at `window_end`; call `roll` before reading them.
    """

    in_flight: int = 0
    cooled_until: float = -math.inf
    window_end: float = -math.inf
    requests: int = 0
    tokens: int = 0
    successes: int = 0
    failures: int = 0
    latencies: Samples = field(default_factory=Samples)
    """Seconds per output token, or per answer where there are no output tokens."""
    first_tokens: Samples = field(default_factory=Samples)
    """Seconds to the first token of streamed answers."""

    def roll(self, now: float) -> None:
        """Begin a new window when the current one is over."""
        if now >= self.window_end:
            self.window_end = now + WINDOW_SECONDS
            self.requests = self.tokens = self.successes = self.failures = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Deployment(Generic[P]):
    """One entry of `model_list`.

    `rpm` and `tpm` are requests and tokens per minute, `cooldown_time` is seconds, `price` is the sum of the input
    and the output price in pico-dollars per token. None means: not set, not limited, not known.
    """

    id: str
    group: str
    """The public model name (`model_name`) that this deployment serves, possibly with a `*`."""
    provider: P
    model: str
    """The model's name at the upstream."""
    weight: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    order: int | None = None
    tags: frozenset[str] = frozenset()
    max_parallel_requests: int | None = None
    num_retries: int | None = None
    cooldown_time: float | None = None
    max_input_tokens: int | None = None
    price: int | None = None
    health: Health = field(default_factory=Health)
    share: float = field(default=1.0, init=False)
    """Relative share of the group's traffic under `simple-shuffle`; set by the router."""
