"""What the benchmark guide expects of a deployment, and whether it was reached."""

from dataclasses import dataclass
from typing import Literal

from headgate.deploy.load._load import USERS
from headgate.deploy.load._measurement import Measurement
from headgate.deploy.load._statistics import Distribution


@dataclass(frozen=True, slots=True)
class Goal:
    """What a deployment of `tasks` has to reach: at least so many requests a second, at most so many milliseconds.

    Rate and median are the guide's table; the rest are those of the benchmark that it refers to, None where that names
    none. `users` are how many it takes, each waiting 0.75 s between two requests: 1,000 can make 1,333 requests a
    second at most, and no 2,000.
    """

    tasks: int
    workers: int
    requests_per_second: float
    median: float
    p95: float | None = None
    p99: float | None = None
    overhead: tuple[float, float, float] | None = None
    users: int = USERS


GOALS = (
    Goal(2, 8, 1035, 200, 630, 1200, (12, 29, 43)),
    Goal(4, 16, 1170, 100, 150, 240, (2, 8, 13)),
    Goal(8, 32, 2000, 75, users=2 * USERS),
)
"""The benchmark guide's expected performance by scale, and https://docs.litellm.ai/docs/benchmarks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside what it has to be. `measured` is None where nothing was; `passed` is then False."""

    name: str
    measured: float | None
    bound: float
    kind: Literal["at least", "at most"]

    @property
    def passed(self) -> bool:
        """Whether the goal was reached."""
        if self.measured is None:
            return False
        return self.measured >= self.bound if self.kind == "at least" else self.measured <= self.bound


def goal_for(tasks: int | None) -> Goal | None:
    """Return what the guide expects of so many tasks; None where it says nothing of them."""
    return next((goal for goal in GOALS if goal.tasks == tasks), None)


def judge(measured: Measurement, goal: Goal) -> tuple[Verdict, ...]:
    """Compare every figure that the goal names."""
    overhead = measured.overhead or measured.added
    median, p95, p99 = _percentiles(measured.latency)
    verdicts = [
        Verdict("requests/s", measured.requests_per_second, goal.requests_per_second, "at least"),
        Verdict("median ms", median, goal.median, "at most"),
    ]
    if goal.p95 is not None:
        verdicts.append(Verdict("p95 ms", p95, goal.p95, "at most"))
    if goal.p99 is not None:
        verdicts.append(Verdict("p99 ms", p99, goal.p99, "at most"))
    if goal.overhead is not None:
        names = ("overhead median ms", "overhead p95 ms", "overhead p99 ms")
        verdicts += [
            Verdict(name, value, bound, "at most")
            for name, value, bound in zip(names, _percentiles(overhead), goal.overhead, strict=True)
        ]
    return tuple(verdicts)


def _percentiles(found: Distribution | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.median, found.p95, found.p99)
