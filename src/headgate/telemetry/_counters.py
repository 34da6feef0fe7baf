"""Totals since the process started."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

from headgate.core.usage import Usage

OVERHEAD_BOUNDS: Final = tuple(
    round(step * 10.0**decade, 8) for decade in range(-5, 1) for step in (1, 1.5, 2.2, 3.3, 4.7, 6.8)
)
"""Upper bounds in seconds of the buckets that overheads are counted in, each about half as much again as the last."""


@dataclass(eq=False)
class Counters:
    """Plain integers that the data plane counts up; one per worker process. `cost` is in nano-dollars."""

    in_flight: int = 0
    """Requests that have been read and not yet answered completely."""
    requests: int = 0
    failures: int = 0
    disconnects: int = 0
    """Requests whose client went away before the answer was complete."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    master_key_previous_uses: int = 0
    """Requests that came with the master key that is being replaced: who sends them has not been told the new one."""

    overhead: float = 0.0
    """Seconds of the gateway's own in all answers, in a streamed one until its first event."""
    overhead_buckets: list[int] = field(default_factory=lambda: [0] * (len(OVERHEAD_BOUNDS) + 1))
    """Answers by their overhead; one more than there are bounds."""

    def observe(self, overhead: float) -> None:
        """Count the seconds of the gateway's own in one answer."""
        self.overhead += overhead
        self.overhead_buckets[bisect_left(OVERHEAD_BOUNDS, overhead)] += 1

    def settle(self, usage: Usage | None, cost: int | None) -> None:
        """Count what one attempt consumed."""
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
        if cost is not None:
            self.cost += cost
