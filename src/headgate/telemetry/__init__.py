"""What the process can tell about itself: totals, read when somebody asks, and its log."""

from headgate.telemetry._counters import Counters
from headgate.telemetry._logging import configure_logging

__all__ = ["Counters", "configure_logging"]
