"""The published estimates of the ECS guide and the benchmark deployment guide, row by row, worked out again.

The guides describe configurations; each is priced here as they describe it, no more. Where the result differs, the row
says why. Rows and figures: ECS guide, "Cost Estimates"; benchmark deployment guide, "Alternative Configurations".
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from headgate.deploy.costs._estimate import Estimate, estimate
from headgate.deploy.costs._prices import PriceTable
from headgate.deploy.costs._quantities import Usage
from headgate.deploy.settings import Environment

DEV, ADDITIONS, ALTERNATIVES = "ECS guide, dev", "ECS guide, production adds", "Benchmark guide, alternatives"


@dataclass(frozen=True, slots=True)
class GuideRow:
    """A published figure, from `low` to `high` dollars a month, beside what the price table makes of it.

    `low` and `high` are None for what the guide leaves out. `correction` says why the two differ, empty where they
    agree.
    """

    table: str
    resource: str
    low: Decimal | None
    high: Decimal | None
    computed: Decimal
    correction: str


_ECS_USAGE = Usage(endpoints=4, secrets=4, alarms=7, dashboards=0, custom_metrics=0)
_BENCHMARK_USAGE = Usage(endpoints=0, secrets=3, alarms=6, dashboards=0, custom_metrics=0)


def _described(name: str, **settings: object) -> Environment:
    """Return an environment as a guide describes it; every one of theirs has a NAT gateway."""
    return Environment.model_validate({"name": name, "platform": "ecs", "nat": True, **settings})


_DEV = _described("dev", spot=True)
_PROD = _described("prod", tasks=2, database_class="db.t3.small", multi_az=True, waf=True, domain="llm.example.com")
_LOWER_COST = _described("lower-cost", tasks=2, task_cpu=2048, task_memory=4096, log_retention_days=7)
_PRODUCTION = _described(
    "production",
    tasks=8,
    task_cpu=4096,
    task_memory=8192,
    database_class="db.r6g.large",
    database_storage_gb=100,
    multi_az=True,
    redis=True,
    redis_node_type="cache.t4g.small",
    log_retention_days=7,
)
_NAT = ("NAT gateway", "NAT gateway address")
_DATABASE = ("Database db.", "Database storage")
_TASKS = ("Fargate",)
_BALANCER = ("Load balancer", "Load balancer addresses")


def compare_guides(prices: PriceTable, *, today: date) -> tuple[GuideRow, ...]:
    """Work out every row of the guides' cost tables with `prices`."""
    dev = estimate(_DEV, prices, today=today, usage=_ECS_USAGE)
    prod = estimate(_PROD, prices, today=today, usage=_ECS_USAGE)
    lower = estimate(_LOWER_COST, prices, today=today, usage=_BENCHMARK_USAGE)
    production = estimate(_PRODUCTION, prices, today=today, usage=_BENCHMARK_USAGE)
    return (*_dev_rows(dev), *_addition_rows(dev, prod), *_alternative_rows(lower, production))


def _dev_rows(dev: Estimate) -> list[GuideRow]:
    address = "The guide leaves out the public IPv4 address, which AWS has charged for since February 2024."
    return [
        _row(DEV, "NAT gateway, 1 zone", 32, _sum(dev, *_NAT), address),
        _row(DEV, "RDS db.t3.micro, 20 GB gp3", 13, _sum(dev, *_DATABASE), "The guide's figure is the instance alone."),
        _row(
            DEV,
            "Fargate, 1 task, 0.5 vCPU, 1 GB, Spot",
            15,
            _sum(dev, *_TASKS),
            "The guide's figure is the vCPU alone, on demand; Spot costs about a third, memory included.",
        ),
        _row(
            DEV,
            "Load balancer",
            16,
            _sum(dev, *_BALANCER),
            "The guide leaves out a public IPv4 address in each of two zones; capacity units come on top with traffic.",
        ),
        _row(DEV, "KMS, 1 key", 1, _sum(dev, "KMS key"), ""),
        _row(DEV, "Secrets Manager, 4 secrets", 2, _sum(dev, "Secrets"), "4 x $0.40, rounded up in the guide."),
        _row(DEV, "CloudWatch Logs, 5 GB", 3, _sum(dev, "Logs taken in", "Logs kept"), "Rounded up in the guide."),
        _row(
            DEV,
            "4 interface endpoints",
            29,
            _sum(dev, "Interface endpoints"),
            "The guide's figure is one zone; its network has two.",
        ),
        GuideRow(DEV, "7 alarms", None, None, _sum(dev, "Alarms"), "The guide leaves them out."),
        _row(DEV, "Total", 111, dev.total, "The sum of the rows above."),
    ]


def _addition_rows(dev: Estimate, prod: Estimate) -> list[GuideRow]:
    def more(*resources: str) -> Decimal:
        return _sum(prod, *resources) - _sum(dev, *resources)

    return [
        _row(
            ADDITIONS,
            "RDS db.t3.small, Multi-AZ",
            25,
            more(*_DATABASE),
            "Multi-AZ doubles instance and storage: both are paid for twice.",
        ),
        _row(
            ADDITIONS,
            "Fargate, 2 tasks on demand",
            15,
            more(*_TASKS),
            "The first task is no longer at the Spot price either.",
        ),
        _row(ADDITIONS, "Certificate", 0, more("Certificate"), ""),
        _row(ADDITIONS, "WAF", 10, more("WAF"), ""),
        _row(
            ADDITIONS,
            "NAT gateway",
            32,
            _sum(prod, *_NAT),
            "With its address; counted in the dev table already, so it adds nothing to that table's total.",
        ),
    ]


def _alternative_rows(lower: Estimate, production: Estimate) -> list[GuideRow]:
    return [
        GuideRow(
            ALTERNATIVES,
            "2 tasks x 2 vCPU x 4 GB, db.t3.micro, one zone",
            Decimal(150),
            Decimal(200),
            lower.total,
            f"Tasks (${_sum(lower, *_TASKS)}) and database (${_sum(lower, *_DATABASE)}) alone are in the range; load"
            " balancer, NAT gateway and addresses are not in it.",
        ),
        GuideRow(
            ALTERNATIVES,
            "8 tasks x 4 vCPU x 8 GB, db.r6g.large Multi-AZ, Redis",
            Decimal(1200),
            Decimal(1500),
            production.total,
            f"Tasks (${_sum(production, *_TASKS)}) and database (${_sum(production, *_DATABASE)}) alone reach its upper"
            " end; Redis (no size is given: 2 x cache.t4g.small), load balancer and NAT gateway come on top.",
        ),
    ]


def _row(table: str, resource: str, published: int, computed: Decimal, correction: str) -> GuideRow:
    return GuideRow(table, resource, Decimal(published), Decimal(published), computed, correction)


def _sum(known: Estimate, *starts: str) -> Decimal:
    lines = [line for line in known.lines if line.resource.startswith(starts)]
    return sum((line.monthly for line in lines if line.monthly is not None), Decimal(0))
