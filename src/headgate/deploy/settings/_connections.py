"""Whether the database takes the connections of all workers: the arithmetic of the benchmark guide."""

from dataclasses import dataclass

from headgate.deploy.settings._environment import Environment


@dataclass(frozen=True, slots=True)
class ConnectionBudget:
    """Connections that `tasks` gateways of `workers` processes with pools of `pool` may open, against the limit."""

    tasks: int
    workers: int
    pool: int
    limit: int

    @property
    def needed(self) -> int:
        """Connections when every pool is full."""
        return self.tasks * self.workers * self.pool

    @property
    def fits(self) -> bool:
        """True when the database takes them all."""
        return self.needed <= self.limit

    def __str__(self) -> str:
        """Show the arithmetic, such as `4 tasks x 4 workers x 10 connections = 160 of 200`."""
        return f"{self.tasks} tasks x {self.workers} workers x {self.pool} connections = {self.needed} of {self.limit}"


def connection_budget(environment: Environment, *, scaled_out: bool = False) -> ConnectionBudget:
    """Count for the tasks that are asked for or, `scaled_out`, for the most that autoscaling may start."""
    return ConnectionBudget(
        tasks=environment.max_tasks if scaled_out else environment.tasks,
        workers=environment.workers,
        pool=environment.database_pool,
        limit=environment.max_connections,
    )
