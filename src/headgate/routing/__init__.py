"""Which deployment serves a request, what happens when it fails, and when it gets no more for a while.

Pure: no input or output, time and chance are arguments.
"""

from headgate.routing._deployment import Deployment
from headgate.routing._dispatch import Dispatch, Retry
from headgate.routing._health import Health
from headgate.routing._policy import LatencyArguments, Policy
from headgate.routing._router import Router
from headgate.routing._strategies import STRATEGIES

__all__ = ["STRATEGIES", "Deployment", "Dispatch", "Health", "LatencyArguments", "Policy", "Retry", "Router"]
