"""What has been seen of a deployment."""

import math
from collections import deque
from dataclasses import dataclass, field

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


@dataclass(eq=False)
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
