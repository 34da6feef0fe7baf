"""What the process can tell about itself: totals, read when somebody asks, and its log."""

from headgate.telemetry._counters import Counters
from headgate.telemetry._logging import configure_logging
from headgate.telemetry._overhead import REPORT_SECONDS, OverheadReport

__all__ = ["REPORT_SECONDS", "Counters", "OverheadReport", "configure_logging"]
