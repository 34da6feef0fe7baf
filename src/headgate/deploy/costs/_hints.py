"""Where money can be saved: commitments, network paths, and the size of tasks.

Discounts and thresholds are the benchmark deployment guide's ("Reserved Capacity", "Right-Sizing").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from headgate.deploy.costs._estimate import Estimate, dollars, signed
from headgate.deploy.costs._prices import PriceTable
from headgate.deploy.costs._quantities import HOURS, MB_PER_GB, UNITS_PER_CPU
from headgate.deploy.settings import Environment

FARGATE_COMMITMENTS = ((1, Decimal("0.20"), Decimal("0.30")), (3, Decimal("0.40"), Decimal("0.50")))
"""Years of a savings plan, and the shares that it saves at least and at most. Spot tasks get none of it."""
DATABASE_COMMITMENTS = ((1, Decimal("0.30")), (3, Decimal("0.60")))
"""Years of a reserved instance, and the share that it saves. Storage gets none of it."""
LOW_UTILIZATION, HIGH_UTILIZATION = Decimal(50), Decimal(80)
"""Percent: consistently below the first a task is too large, above the second too small."""
MEMORY_SIZES: dict[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
"""CPU units that Fargate offers, and the MB of memory that it allows beside them."""


@dataclass(frozen=True, slots=True)
class Utilization:
    """Average use of a task's CPU and memory over a few weeks, in percent of what it has."""

    cpu: Decimal
    memory: Decimal


@dataclass(frozen=True, slots=True)
class Size:
    """What a task has: CPU units and MB."""

    cpu: int
    memory: int


def commitment_hints(known: Estimate) -> list[str]:
    """Say what one and three years of commitment save on tasks and database, where there is something to save."""
    tasks = sum(
        (line.monthly or Decimal(0) for line in known.lines if line.resource.endswith("(on demand)")), Decimal(0)
    )
    database = next((line.monthly for line in known.lines if line.resource.startswith("Database db.")), None)
    said = []
    for years, least, most in FARGATE_COMMITMENTS if tasks else ():
        span = f"${dollars(tasks * least)} to ${dollars(tasks * most)}"
        said.append(f"A {years}-year savings plan for Fargate saves {least:.0%} to {most:.0%}: {span} a month.")
    for years, share in DATABASE_COMMITMENTS if database else ():
        saved = dollars((database or Decimal(0)) * share)
        said.append(f"A {years}-year reserved database instance saves about {share:.0%}: ${saved} a month.")
    return said


def network_hints(environment: Environment, known: Estimate, prices: PriceTable) -> list[str]:
    """Say when interface endpoints cost more than the NAT gateway that could take their place."""
    endpoints = next((line.monthly for line in known.lines if line.resource == "Interface endpoints"), None)
    nat, address, data = (prices.find(environment.region, name) for name in ("nat.hour", "address.hour", "nat.data"))
    if endpoints is None or nat is None or address is None or data is None:
        return []
    gateway = dollars(nat.dollars * HOURS) + dollars(address.dollars * HOURS)
    if endpoints <= gateway:
        return []
    if environment.nat:
        return [
            f"The interface endpoints (${endpoints}) keep traffic to AWS private; the NAT gateway could carry it for"
            f" ${data.dollars} a GB."
        ]
    return [
        f"The interface endpoints cost ${endpoints}, a NAT gateway ${gateway} and ${data.dollars} a GB. Without a NAT"
        " gateway the tasks reach Bedrock and no other provider."
    ]


def scaling_hints(environment: Environment, known: Estimate) -> list[str]:
    """Say what the tasks that autoscaling may add cost at most."""
    extra = environment.max_tasks - environment.tasks
    if environment.platform != "ecs" or extra <= 0:
        return []
    tasks = sum((line.monthly or Decimal(0) for line in known.lines if line.resource.startswith("Fargate")), Decimal(0))
    most = dollars(tasks / environment.tasks * extra) if environment.tasks else None
    return [] if most is None else [f"With all {environment.max_tasks} tasks running: ${most} a month more at most."]


def right_size(current: Size, utilization: Utilization) -> Size:
    """Return the task size that `utilization` asks for: half below 50 %, double above 80 %, the same between.

    CPU and memory are judged apart; memory is then the least that Fargate allows beside that CPU and that is enough.
    Raises `ValueError` for a CPU size that Fargate does not offer.
    """
    sizes = list(MEMORY_SIZES)
    index = sizes.index(current.cpu) + _step(utilization.cpu)
    cpu = sizes[min(max(index, 0), len(sizes) - 1)]
    wanted = current.memory * Decimal(2) ** _step(utilization.memory)
    options = MEMORY_SIZES[cpu]
    return Size(cpu, next((option for option in options if option >= wanted), options[-1]))


def size_hints(environment: Environment, prices: PriceTable, utilization: Utilization) -> list[str]:
    """Say which task size `utilization` asks for and what that changes a month."""
    if environment.platform != "ecs":
        return []
    current = Size(environment.task_cpu, environment.task_memory)
    if current.cpu not in MEMORY_SIZES:
        return [
            f"Fargate offers no task with {current.cpu} CPU units: {', '.join(map(str, MEMORY_SIZES))} are its sizes."
        ]
    better = right_size(current, utilization)
    used = f"At {utilization.cpu} % CPU and {utilization.memory} % memory"
    if better == current:
        return [
            f"{used} the tasks have the right size ({LOW_UTILIZATION} to {HIGH_UTILIZATION} %, or nothing smaller)."
        ]
    change = _monthly(environment, prices, better) - _monthly(environment, prices, current)
    return [
        f"{used} a task of {better.cpu} CPU units and {better.memory} MB fits better than one of {current.cpu} and"
        f" {current.memory}: {signed(change)} a month."
    ]


def _monthly(environment: Environment, prices: PriceTable, size: Size) -> Decimal:
    kind = "fargate.spot" if environment.spot else "fargate"
    amounts = (
        (f"{kind}.vcpu", size.cpu / Decimal(UNITS_PER_CPU)),
        (f"{kind}.memory", size.memory / Decimal(MB_PER_GB)),
    )
    known = [(prices.find(environment.region, name), amount) for name, amount in amounts]
    hourly = sum((price.dollars * amount for price, amount in known if price is not None), Decimal(0))
    return dollars(hourly * environment.tasks * HOURS)


def _step(percent: Decimal) -> int:
    return -1 if percent < LOW_UTILIZATION else 1 if percent > HIGH_UTILIZATION else 0
