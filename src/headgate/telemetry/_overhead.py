"""What the gateway added to the answers of the last while, for a log that something reads figures from."""

from collections.abc import Mapping, Sequence

from headgate.telemetry._counters import OVERHEAD_BOUNDS, Counters

REPORT_SECONDS = 60.0
"""How often it is told; CloudWatch keeps custom metrics by the minute."""

_MILLISECONDS = 1000.0


class OverheadReport:
    """Tells of each time what was counted since the one before."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._seconds = counters.overhead
        self._buckets = list(counters.overhead_buckets)

    def fields(self) -> Mapping[str, float]:
        """Return the number of answers, and mean and 95th percentile of their overheads in ms; nothing without any."""
        seconds, buckets = self._counters.overhead, list(self._counters.overhead_buckets)
        counted = [now - before for now, before in zip(buckets, self._buckets, strict=True)]
        spent = seconds - self._seconds
        self._seconds, self._buckets = seconds, buckets
        answers = sum(counted)
        if not answers:
            return {}
        return {
            "answers": answers,
            "overhead_mean_ms": round(spent / answers * _MILLISECONDS, 3),
            "overhead_p95_ms": round(percentile(counted, 0.95) * _MILLISECONDS, 3),
        }


def percentile(counted: Sequence[int], share: float) -> float:
    """Return the seconds that a share of what was counted by bucket does not exceed, evenly spread within a bucket.

    Nothing above the last bound is told apart.
    """
    left = share * sum(counted)
    lower = 0.0
    for bound, count in zip(OVERHEAD_BOUNDS, counted, strict=False):
        if count and left <= count:
            return lower + (bound - lower) * left / count
        left -= count
        lower = bound
    return lower
