"""Totals since the process started."""

import msgspec

from headgate.core.usage import Usage


class Counters(msgspec.Struct):
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

    def settle(self, usage: Usage | None, cost: int | None) -> None:
        """Count what one attempt consumed."""
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
        if cost is not None:
            self.cost += cost
