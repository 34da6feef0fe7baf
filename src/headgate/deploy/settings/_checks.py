"""What must hold between the values of one environment."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from itertools import combinations

from headgate.deploy.settings._connections import connection_budget
from headgate.deploy.settings._environment import Environment

Problem = tuple[str, str]
"""The setting at fault, and a sentence."""

FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
"""MiB that Fargate offers with each number of CPU units
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html)."""

LOG_RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827),
    *(2192, 2557, 2922, 3288, 3653),
)
"""Days that CloudWatch Logs keeps
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)."""

LITELLM_POOL = 10
"""Connections that each worker of LiteLLM 1.80.5 opens without being told (`litellm/proxy/proxy_cli.py`)."""

PREVIOUS_KEY_DAYS = 7
"""A replaced master key stays valid that long (the ECS guide), so that rotations must lie further apart."""


def check(environment: Environment, like: str) -> Iterator[Problem]:
    """Tell everything that does not fit together; `like` is the preset that the environment follows."""
    budget = connection_budget(environment)
    if not budget.fits:
        yield "max_connections", f"the database would run out of connections: {budget}. Raise it, or lower the others."
    if environment.platform == "ecs":
        yield from _edge(environment)
        yield from _sizes(environment, like)
        yield from _network(environment)
        yield from _pool(environment)
        yield from _mock(environment)
        yield from _open_webui(environment)


def _edge(environment: Environment) -> Iterator[Problem]:
    if environment.domain is None and not environment.allow_plaintext:
        yield "domain", "HTTPS needs a domain. Set one, or allow_plaintext: true to serve HTTP."
    if environment.domain is None and environment.hosted_zone_id is not None:
        yield "hosted_zone_id", "a hosted zone is of no use without a domain."


def _sizes(environment: Environment, like: str) -> Iterator[Problem]:
    if not environment.min_tasks <= environment.tasks <= environment.max_tasks:
        limits = f"min_tasks {environment.min_tasks} and max_tasks {environment.max_tasks}"
        yield "tasks", f"{environment.tasks} is not between {limits}."
    memory = FARGATE_MEMORY.get(environment.task_cpu)
    if memory is None:
        yield "task_cpu", f"Fargate has tasks of {_listed(FARGATE_MEMORY)} CPU units."
    elif environment.task_memory not in memory:
        yield "task_memory", f"with {environment.task_cpu} CPU units Fargate offers {_listed(memory)} MiB."
    if environment.database_max_storage_gb < environment.database_storage_gb:
        yield "database_max_storage_gb", f"is below database_storage_gb, {environment.database_storage_gb}."
    if like == "prod" and not environment.multi_az:
        yield "multi_az", "is on in production: a database in one zone takes 30 to 60 minutes to restore."
    if environment.log_retention_days not in LOG_RETENTION:
        yield "log_retention_days", f"CloudWatch keeps logs for {_listed(LOG_RETENTION)} days."
    if environment.rotation_days <= PREVIOUS_KEY_DAYS:
        yield (
            "rotation_days",
            f"must be above {PREVIOUS_KEY_DAYS}: that many days the previous master key stays valid.",
        )


def _pool(environment: Environment) -> Iterator[Problem]:
    if environment.runs_litellm and environment.configuration is None and environment.database_pool != LITELLM_POOL:
        yield (
            "database_pool",
            f"LiteLLM reads it from its configuration, and without one opens {LITELLM_POOL}: set configuration.",
        )


def _mock(environment: Environment) -> Iterator[Problem]:
    if environment.mock_upstream and environment.runs_litellm:
        yield (
            "mock_upstream",
            "the mock runs in Headgate's image, and this environment deploys LiteLLM's. Run `headgate mock` where the"
            " gateway reaches it.",
        )


def _open_webui(environment: Environment) -> Iterator[Problem]:
    if environment.open_webui_domain is not None and environment.domain is None:
        yield "open_webui_domain", "a name for Open WebUI takes a domain, in whose zone it lies."
    if environment.open_webui and not environment.nat and ".dkr.ecr." not in (environment.open_webui_image or ""):
        yield (
            "open_webui",
            "without a NAT gateway tasks pull images from ECR only: set nat: true, or open_webui_image to a copy.",
        )


def _network(environment: Environment) -> Iterator[Problem]:
    vpc = IPv4Network(environment.vpc_cidr)
    if not 16 <= vpc.prefixlen <= 28:
        yield "vpc_cidr", "AWS takes ranges from /16 to /28."
    subnets = [
        (setting, IPv4Network(cidr))
        for setting in ("public_subnets", "private_subnets")
        for cidr in getattr(environment, setting)
    ]
    for setting, subnet in subnets:
        if not subnet.subnet_of(vpc):
            yield setting, f"{subnet} lies outside of {vpc}."
    for (_, one), (setting, other) in combinations(subnets, 2):
        if one.overlaps(other):
            yield setting, f"{other} overlaps {one}."


def _listed(numbers: Iterable[int]) -> str:
    found = [str(number) for number in numbers]
    if len(found) > 24:
        found = [*found[:3], "...", found[-1]]
    return ", ".join(found)
