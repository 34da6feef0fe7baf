"""What the process counts."""

import pytest

from headgate.core.usage import Usage
from headgate.telemetry import Counters


def test_settling_adds_up() -> None:
    counters = Counters()
    counters.settle(Usage(10, 5, cache_read_tokens=4, reasoning_tokens=2), 700)
    counters.settle(Usage(1, 2), 30)
    # Cached and reasoning tokens are part of the input and the output.
    assert (counters.input_tokens, counters.output_tokens, counters.cost) == (11, 7, 730)


@pytest.mark.parametrize(
    ("usage", "cost", "expected"),
    [(None, None, (0, 0, 0)), (Usage(3, 4), None, (3, 4, 0)), (None, 9, (0, 0, 9)), (Usage(3, 4), 0, (3, 4, 0))],
    ids=["nothing", "no-price", "no-usage", "free"],
)
def test_what_is_not_known_is_not_counted(
    usage: Usage | None, cost: int | None, expected: tuple[int, int, int]
) -> None:
    counters = Counters()
    counters.settle(usage, cost)
    assert (counters.input_tokens, counters.output_tokens, counters.cost) == expected


def test_settling_counts_no_requests() -> None:
    counters = Counters(in_flight=1, requests=2, failures=3, disconnects=4)
    counters.settle(Usage(1, 1), 1)
    assert (counters.in_flight, counters.requests, counters.failures, counters.disconnects) == (1, 2, 3, 4)
