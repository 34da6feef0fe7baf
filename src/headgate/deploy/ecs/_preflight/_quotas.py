"""Whether the account's quotas leave room for what the run creates.

Codes of quotas: `aws service-quotas list-service-quotas --service-code ...`, the same in every region.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.deploy.ecs._graph import parameter_values
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

_VPCS = ("vpc", "L-F678F1CE")
_INTERFACE_ENDPOINTS = ("vpc", "L-29B6F2EB")
_ADDRESSES = ("ec2", "L-0263D0A3")
_LOAD_BALANCERS = ("elasticloadbalancing", "L-53DA6B97")
_DATABASES = ("rds", "L-7B6409FD")
_ON_DEMAND = ("fargate", "L-3032A538")
_SPOT = ("fargate", "L-36FBB829")

_OTHER_SERVICES = frozenset({"mock", "webui"})
_UNITS_PER_CPU = 1024
_USAGE = timedelta(hours=1)


def vpc_quota(subject: Subject) -> Result:
    """Count the region's VPCs."""
    there = len(subject.questions.listed("ec2", "describe_vpcs", "Vpcs"))
    return _room(subject, _VPCS, "VPCs", there, _made(subject, "AWS::EC2::VPC"))


def endpoint_quota(subject: Subject) -> Result:
    """Compare the network's endpoints with how many a VPC may have."""
    made = sum(
        one["Type"] == "AWS::EC2::VPCEndpoint" and one["Properties"]["VpcEndpointType"] == "Interface"
        for one in subject.created()
    )
    return _room(subject, _INTERFACE_ENDPOINTS, "interface endpoints in the VPC", 0, made)


def address_quota(subject: Subject) -> Result:
    """Count the region's elastic addresses: a NAT gateway takes one."""
    there = len(subject.questions.ask("ec2", "describe_addresses")["Addresses"])
    return _room(subject, _ADDRESSES, "elastic addresses", there, _made(subject, "AWS::EC2::EIP"))


def load_balancer_quota(subject: Subject) -> Result:
    """Count the region's application load balancers."""
    found = subject.questions.listed("elbv2", "describe_load_balancers", "LoadBalancers")
    there = sum(one.get("Type") == "application" for one in found)
    made = _made(subject, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    return _room(subject, _LOAD_BALANCERS, "application load balancers", there, made)


def database_quota(subject: Subject) -> Result:
    """Count the region's database instances."""
    there = len(subject.questions.listed("rds", "describe_db_instances", "DBInstances"))
    return _room(subject, _DATABASES, "database instances", there, _made(subject, "AWS::RDS::DBInstance"))


def fargate_quota(subject: Subject) -> Result:
    """Compare the vCPU of the tasks, and of the most that autoscaling starts, with what others leave."""
    environment = subject.environment
    code = _SPOT if environment.spot else _ON_DEMAND
    kind = "Fargate Spot" if environment.spot else "Fargate"
    quota = _quota(subject, code)
    limit, used = quota["Value"], _used(subject, quota)
    size = environment.task_cpu / _UNITS_PER_CPU
    beside = _beside(subject)
    if not subject.makes("gateway"):
        # What runs already is counted as used.
        used = max(0.0, used - environment.tasks * size - beside)
    sums = []
    for tasks in (environment.tasks, environment.max_tasks):
        other = f" + {beside:g} of other services" if beside else ""
        others = f" + {used:g} in use" if used else ""
        total = tasks * size + beside + used
        sums.append((total, f"{tasks} tasks x {size:g} vCPU{other}{others} = {total:g} of {limit:g} vCPU of {kind}"))
    (asked, shown), (most, shown_most) = sums
    if asked > limit:
        return Verdict.FAILED, f"{shown}: {_more(subject, code, most)}, or lower tasks or task_cpu."
    if most > limit:
        return (
            Verdict.WARNING,
            f"{shown}, but scaled out {shown_most}: {_more(subject, code, most)}, or lower max_tasks.",
        )
    return Verdict.PASSED, f"{shown}; scaled out {shown_most}"


def _made(subject: Subject, kind: str) -> int:
    return sum(one["Type"] == kind for one in subject.created())


def _room(subject: Subject, code: tuple[str, str], what: str, there: int, made: int) -> Result:
    limit = _quota(subject, code)["Value"]
    shown = f"{there} there + {made} to create = {there + made} of {limit:g} {what}"
    if there + made > limit:
        return Verdict.FAILED, f"{shown}: {_more(subject, code, there + made)}, or delete what is not used."
    return Verdict.PASSED, shown


def _quota(subject: Subject, code: tuple[str, str]) -> Mapping[str, Any]:
    """Return the quota that was granted, else AWS' default."""
    service, quota = code
    try:
        answer = subject.questions.ask("service-quotas", "get_service_quota", ServiceCode=service, QuotaCode=quota)
    except AnswerError as error:
        if error.code != "NoSuchResourceException":
            raise
        answer = subject.questions.ask(
            "service-quotas", "get_aws_default_service_quota", ServiceCode=service, QuotaCode=quota
        )
    found: Mapping[str, Any] = answer["Quota"]
    return found


def _used(subject: Subject, quota: Mapping[str, Any]) -> float:
    """Return how much of a quota was in use in the last hour, as CloudWatch has it; nothing where it has nothing."""
    metric = quota.get("UsageMetric")
    if not metric:
        return 0.0
    now = datetime.fromtimestamp(subject.clock(), UTC)
    statistic = metric.get("MetricStatisticRecommendation", "Maximum")
    answer = subject.questions.ask(
        "cloudwatch",
        "get_metric_statistics",
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=[{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()],
        StartTime=now - _USAGE,
        EndTime=now,
        Period=300,
        Statistics=[statistic],
    )
    return max((float(point[statistic]) for point in answer["Datapoints"]), default=0.0)


def _beside(subject: Subject) -> float:
    """Return the vCPU of the environment's other services on the gateway's kind of capacity; the mock's is spare."""
    found = 0.0
    for template in _OTHER_SERVICES & subject.stacks.keys():
        values = parameter_values(subject.stacks[template])
        if (values.get("Spot", "true") == "true") is subject.environment.spot:
            found += int(values.get("Tasks", "1")) * int(values["TaskCpu"]) / _UNITS_PER_CPU
    return found


def _more(subject: Subject, code: tuple[str, str], value: float) -> str:
    service, quota = code
    return (
        f"ask for more with `aws service-quotas request-service-quota-increase --service-code {service} --quota-code"
        f" {quota} --desired-value {value:g} --region {subject.environment.region}`"
    )
