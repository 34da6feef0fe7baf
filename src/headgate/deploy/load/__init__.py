"""A load test of any gateway that speaks OpenAI's API: requests, what became of them, and what was expected."""

from headgate.deploy.load._endpoint import Endpoint, parse_endpoint
from headgate.deploy.load._errors import TargetError
from headgate.deploy.load._goals import GOALS, Goal, Verdict, goal_for, judge
from headgate.deploy.load._load import USERS, Load
from headgate.deploy.load._measurement import ErrorCount, Measurement
from headgate.deploy.load._run import Progress, Surroundings, Target, run_load
from headgate.deploy.load._statistics import Distribution, distribution

__all__ = [
    "GOALS",
    "USERS",
    "Distribution",
    "Endpoint",
    "ErrorCount",
    "Goal",
    "Load",
    "Measurement",
    "Progress",
    "Surroundings",
    "Target",
    "TargetError",
    "Verdict",
    "distribution",
    "goal_for",
    "judge",
    "parse_endpoint",
    "run_load",
]
