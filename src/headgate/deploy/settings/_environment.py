"""One environment with every value decided."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headgate.config.documents import Count, Section

RESERVED_NAMES = frozenset({"all", "none"})


def _fits(pattern: str, expected: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(f"Input should be {expected}")
        return value

    return AfterValidator(check)


def _network(value: str) -> str:
    try:
        return str(IPv4Network(value))
    except ValueError:
        raise ValueError("Input should be a range of IPv4 addresses such as 10.0.0.0/16") from None


def _address(value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError:
        raise ValueError("Input should be an IPv4 address such as 127.0.0.1") from None


Positive = Annotated[Count, Field(ge=1)]
Name = Annotated[
    str, _fits(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?", "up to 20 lower-case letters, digits and hyphens, a letter first")
]
Region = Annotated[str, _fits(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as us-east-1")]
Account = Annotated[str, _fits(r"\d{12}", "the 12 digits of an account, in quotes")]
Domain = Annotated[
    str,
    _fits(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain such as llm.example.com"),
]
Zone = Annotated[str, _fits(r"Z[A-Z0-9]{1,31}", "the id of a hosted zone, such as Z0123456789ABC")]
Image = Annotated[
    str,
    _fits(
        r"[a-z0-9][a-z0-9._-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?",
        "headgate, litellm or the reference of an image",
    ),
]
Email = Annotated[str, _fits(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
DatabaseClass = Annotated[str, _fits(r"db\.[a-z0-9]+\.[a-z0-9]+", "an instance class such as db.t3.small")]
NodeType = Annotated[str, _fits(r"cache\.[a-z0-9]+\.[a-z0-9]+", "a node type such as cache.t4g.micro")]
Tag = Annotated[str, _fits(r"[\w .:/=+@-]{1,128}", "up to 128 letters, digits, spaces and .:/=+@-")]
Network = Annotated[str, AfterValidator(_network)]
Address = Annotated[str, AfterValidator(_address)]
Subnets = tuple[Network, Network]
HealthCheckPath = Literal["/health/liveliness", "/health/readiness"]
Port = Annotated[Count, Field(ge=1, le=65535)]


class Environment(Section):
    """Everything that a deployment needs to know, with no value left open but those that may be None.

    Sizes are as AWS counts them: `task_cpu` in units of 1/1024 vCPU, `task_memory` in MiB, storage in GiB.
    """

    name: Name
    platform: Literal["ecs", "compose"]
    project: Name = Field(default="headgate", description="prefix of every name that is created")
    region: Region = Field(default="us-east-1", description="AWS region; without it `AWS_REGION` counts")
    account: Account | None = Field(
        default=None, description="the only account to deploy to; without it `AWS_ACCOUNT_ID` counts"
    )
    image: Image = Field(default="headgate", description="`headgate`, `litellm` or the reference of an image")
    configuration: Path | None = Field(
        default=None,
        description="the gateway's `config.yaml`, seen from this file; without it the built-in `demo` model serves",
    )
    domain: Domain | None = Field(default=None, description="public name; HTTPS needs one")
    hosted_zone_id: Zone | None = Field(
        default=None, description="Route 53 zone of the domain; without it one is looked for"
    )
    allow_plaintext: bool = Field(default=False, description="serve HTTP without a certificate")
    vpc_cidr: Network = Field(default="10.0.0.0/16", description="addresses of the VPC")
    public_subnets: Subnets = Field(default=("10.0.1.0/24", "10.0.2.0/24"), description="one per zone")
    private_subnets: Subnets = Field(default=("10.0.11.0/24", "10.0.12.0/24"), description="one per zone")
    nat: bool = Field(default=False, description="a NAT gateway, for providers outside of AWS")
    tasks: Positive = Field(default=1, description="gateways that run")
    min_tasks: Positive = Field(default=1, description="fewest that autoscaling keeps")
    max_tasks: Positive = Field(default=4, description="most that autoscaling starts")
    task_cpu: Positive = Field(default=512, description="CPU units of a task, 1024 to a vCPU")
    task_memory: Positive = Field(default=1024, description="MiB of a task")
    workers: Positive = Field(default=1, description="processes in each gateway")
    spot: bool = Field(default=False, description="Fargate Spot: cheaper, may be taken away")
    database_class: DatabaseClass = Field(default="db.t3.micro", description="instance class of the database")
    database_storage_gb: Annotated[Count, Field(ge=20, le=65536)] = Field(default=20, description="GiB to begin with")
    database_max_storage_gb: Annotated[Count, Field(ge=20, le=65536)] = Field(default=100, description="GiB to grow to")
    multi_az: bool = Field(default=False, description="a standby of the database in the other zone")
    database_pool: Positive = Field(default=10, description="connections that each worker may open")
    max_connections: Positive = Field(default=100, description="connections that the database takes")
    database_iam: bool = Field(
        default=False, description="a database user that logs in by IAM; LiteLLM's image uses it"
    )
    database_authorities: Path | None = Field(
        default=None, description="RDS's certificate authorities as a PEM file; without it they are downloaded"
    )
    redis: bool = Field(default=False, description="shared limits and cache; on where more than one task runs")
    redis_node_type: NodeType = Field(default="cache.t4g.micro", description="node type of Redis")
    waf: bool = Field(default=False, description="web application firewall")
    deletion_protection: bool = Field(default=False, description="load balancer and database refuse to be deleted")
    health_check_path: HealthCheckPath = Field(
        default="/health/liveliness", description="what the load balancer asks each task"
    )
    unhealthy_threshold: Annotated[Count, Field(ge=2, le=10)] = Field(
        default=5, description="bad answers after which a task gets no requests"
    )
    container_insights: bool = Field(default=False, description="CloudWatch metrics per container")
    performance_insights: bool = Field(default=False, description="the database's own metrics")
    cloudtrail: bool = Field(default=False, description="a trail of API calls, where the account has none")
    log_retention_days: Positive = Field(default=14, description="days that logs are kept")
    rotation_days: Positive = Field(default=30, description="days between rotations of a secret")
    alarm_email: Email | None = Field(default=None, description="who gets alarms")
    budget_dollars: Positive | None = Field(default=None, description="monthly budget that raises an alarm")
    open_webui: bool = Field(default=False, description="Open WebUI as well, with a key of its own")
    open_webui_domain: Domain | None = Field(
        default=None, description="public name of Open WebUI; without it `chat.` before the domain"
    )
    open_webui_image: Image | None = Field(
        default=None, description="Open WebUI's image; without it a pinned release, which takes `nat`"
    )
    mock_upstream: bool = Field(default=False, description="a mock model beside the gateway, for load tests")
    listen_address: Address = Field(default="127.0.0.1", description="address of this machine that serves")
    listen_port: Port = Field(default=4000, description="port of this machine that serves")
    tags: Mapping[Tag, Tag] = Field(default_factory=dict, description="tags for everything that is created")

    @property
    def prefix(self) -> str:
        """What every name of this environment begins with, such as `headgate-dev`."""
        return f"{self.project}-{self.name}"

    @property
    def runs_litellm(self) -> bool:
        """True where the image is LiteLLM's, or by its name one made of it."""
        return self.image == "litellm" or "litellm" in self.image.rpartition("/")[2]
