"""How much of what an environment uses in a month of 730 hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from headgate.deploy.settings import Environment

HOURS = Decimal(730)
"""Hours in a month, as AWS' own calculator counts them (8,760 hours a year over 12)."""
INTERFACE_ENDPOINTS = (
    "ecr.api",
    "ecr.dkr",
    "secretsmanager",
    "logs",
    "kms",
    "sts",
    "bedrock-runtime",
    "ssmmessages",
    "ecs",
    "monitoring",
)
"""The services that tasks without internet access reach through interface endpoints; S3's is a gateway, and free."""
MOCK_TASKS = (2, 1, 2)
"""Tasks of the mock upstream, and vCPU and GB of each, as its stack makes them."""
WEBUI_TASK = (Decimal("0.5"), 2)
"""vCPU and GB of Open WebUI's one task, as its stack makes it."""
UNITS_PER_CPU = 1024
MB_PER_GB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What the settings do not say and a price needs. The defaults are the ECS guide's and those of the stacks.

    `log_gb` arrive a month; `endpoints` are interface endpoints per private subnet; `waf_rules` count managed rule
    groups as one each. `secrets`, `alarms` and `custom_metrics` are counted as the stacks make them when they are None.
    """

    log_gb: Decimal = Decimal(5)
    endpoints: int = len(INTERFACE_ENDPOINTS)
    secrets: int | None = None
    waf_rules: int = 5
    alarms: int | None = None
    dashboards: int = 1
    custom_metrics: int | None = None


class Item(NamedTuple):
    """A resource, the name of its price, how many units a month, and how that number comes about."""

    resource: str
    price: str
    quantity: Decimal
    reckoning: str


class Meter(NamedTuple):
    """A resource whose cost depends on traffic, the name of its price, and what makes it turn."""

    resource: str
    price: str
    driver: str


def items(environment: Environment, usage: Usage) -> Iterator[Item]:
    """Yield what an environment uses whether or not a request comes; nothing on one machine of one's own."""
    if environment.platform != "ecs":
        return
    yield from _tasks(environment)
    yield from _open_webui(environment)
    yield from _mock(environment)
    yield from _private_names(environment)
    yield from _stores(environment)
    yield from _network(environment, usage)
    yield from _management(environment, usage)


def meters(environment: Environment) -> Iterator[Meter]:
    """Yield what an environment pays for by use, and what no estimate without traffic can know."""
    if environment.platform != "ecs":
        return
    yield Meter("Load balancer capacity", "load-balancer.capacity", "25 new or 3,000 open connections, or 1 GB an hour")
    yield Meter("Data to the internet", "transfer.out", "answers to clients, requests to model providers")
    if environment.nat:
        yield Meter("NAT gateway data", "nat.data", "requests to and answers from model providers")
    yield Meter("Endpoint data", "endpoint.data", "logs, image pulls, Bedrock requests and answers")
    yield Meter("Secret reads", "secret.calls", "task starts and re-reads")
    yield Meter("Image storage", "registry.storage", "images kept in the repository")
    yield Meter("Database backups", "rds.backup", "backups beyond the size of the database")
    if environment.open_webui:
        yield Meter("Open WebUI files", "files.storage", "chats, uploaded files and their index")
    if environment.container_insights:
        yield Meter("Container Insights", "container-insights.metric", "metrics of cluster, service, tasks, containers")
    if environment.waf:
        yield Meter("WAF requests", "waf.requests", "requests, refused ones included")


def _tasks(environment: Environment) -> Iterator[Item]:
    kind, price = ("Spot", "fargate.spot") if environment.spot else ("on demand", "fargate")
    count, cpu = environment.tasks, Decimal(environment.task_cpu) / UNITS_PER_CPU
    memory = Decimal(environment.task_memory) / MB_PER_GB
    tasks = f"{count} task{'s' * (count != 1)}"
    yield Item(f"Fargate vCPU ({kind})", f"{price}.vcpu", count * cpu * HOURS, f"{tasks} x {cpu} vCPU x {HOURS} h")
    yield Item(
        f"Fargate memory ({kind})", f"{price}.memory", count * memory * HOURS, f"{tasks} x {memory} GB x {HOURS} h"
    )


def _open_webui(environment: Environment) -> Iterator[Item]:
    if not environment.open_webui:
        return
    kind, price = ("Spot", "fargate.spot") if environment.spot else ("on demand", "fargate")
    cpu, memory = WEBUI_TASK
    yield Item(f"Open WebUI vCPU ({kind})", f"{price}.vcpu", cpu * HOURS, f"1 task x {cpu} vCPU x {HOURS} h")
    yield Item(f"Open WebUI memory ({kind})", f"{price}.memory", memory * HOURS, f"1 task x {memory} GB x {HOURS} h")


def _private_names(environment: Environment) -> Iterator[Item]:
    if environment.open_webui or environment.mock_upstream:
        yield Item("Private DNS zone", "dns.zone", Decimal(1), "1 zone for names inside the VPC")


def _mock(environment: Environment) -> Iterator[Item]:
    if not environment.mock_upstream:
        return
    tasks, cpu, memory = MOCK_TASKS
    yield Item("Mock vCPU (Spot)", "fargate.spot.vcpu", tasks * cpu * HOURS, f"{tasks} tasks x {cpu} vCPU x {HOURS} h")
    yield Item(
        "Mock memory (Spot)", "fargate.spot.memory", tasks * memory * HOURS, f"{tasks} tasks x {memory} GB x {HOURS} h"
    )


def _stores(environment: Environment) -> Iterator[Item]:
    copies = 2 if environment.multi_az else 1
    where = "primary and standby" if environment.multi_az else "one zone"
    name, size = environment.database_class, environment.database_storage_gb
    yield Item(f"Database {name}", f"rds.{name}", copies * HOURS, f"{copies} x {HOURS} h ({where})")
    yield Item("Database storage (gp3)", "rds.storage", Decimal(copies * size), f"{copies} x {size} GB ({where})")
    if environment.redis:
        node = environment.redis_node_type
        yield Item(f"Redis {node}", f"elasticache.{node}", copies * HOURS, f"{copies} x {HOURS} h ({where})")


def _network(environment: Environment, usage: Usage) -> Iterator[Item]:
    zones = len(environment.public_subnets)
    yield Item("Load balancer", "load-balancer.hour", HOURS, f"{HOURS} h, without capacity units")
    yield Item("Load balancer addresses", "address.hour", zones * HOURS, f"{zones} zones x {HOURS} h")
    if environment.nat:
        yield Item("NAT gateway", "nat.hour", HOURS, f"{HOURS} h, without data")
        yield Item("NAT gateway address", "address.hour", HOURS, f"{HOURS} h")
    subnets = len(environment.private_subnets)
    reckoning = f"{usage.endpoints} endpoints x {subnets} zones x {HOURS} h"
    yield Item("Interface endpoints", "endpoint.hour", usage.endpoints * subnets * HOURS, reckoning)
    if environment.domain is not None:
        certificates = Decimal(1 + environment.open_webui)
        yield Item("Certificate", "certificate.month", certificates, "public certificates are free")
    if environment.waf:
        yield Item("WAF web ACL", "waf.acl", Decimal(1), "1 ACL")
        yield Item("WAF rules", "waf.rule", Decimal(usage.waf_rules), f"{usage.waf_rules} rules and rule groups")


def _management(environment: Environment, usage: Usage) -> Iterator[Item]:
    yield Item("KMS key", "kms.key", Decimal(1), "1 key of the customer")
    # Master key, salt key, UI password, provider keys, database, administrator (which RDS makes); Redis has one, Open
    # WebUI two.
    made = 6 + environment.redis + 2 * environment.open_webui
    secrets = made if usage.secrets is None else usage.secrets
    yield Item("Secrets", "secret.month", Decimal(secrets), f"{secrets} secrets")
    kept = usage.log_gb * environment.log_retention_days / 30
    days = f"{usage.log_gb} GB a month kept {environment.log_retention_days} days, uncompressed"
    yield Item("Logs taken in", "logs.ingestion", usage.log_gb, f"{usage.log_gb} GB a month")
    yield Item("Logs kept", "logs.storage", kept, days)
    own = not environment.runs_litellm
    raised = 13 + environment.redis + environment.open_webui + own
    alarms = raised if usage.alarms is None else usage.alarms
    yield Item("Alarms", "alarm.month", Decimal(alarms), f"{alarms} alarms")
    yield Item("Dashboard", "dashboard.month", Decimal(usage.dashboards), f"{usage.dashboards} dashboard")
    metrics = 1 + own if usage.custom_metrics is None else usage.custom_metrics
    yield Item("Custom metrics", "metric.month", Decimal(metrics), f"{metrics} made of log lines")
