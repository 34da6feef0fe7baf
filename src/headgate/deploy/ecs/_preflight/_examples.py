"""Resources as this environment will have them, for policies that allow an action on some resources only."""

from collections.abc import Mapping

from headgate.deploy.ecs._account import Identity
from headgate.deploy.settings import Environment

_ID = "0123456789abcdef0"
_UUID = "00000000-0000-0000-0000-000000000000"
_HERE, _GLOBAL, _ACCOUNTLESS = "{region}:{account}", ":{account}", ":"

_EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "acm": ((_HERE, f"certificate/{_UUID}"),),
    "application-autoscaling": ((_HERE, f"scalable-target/{_ID}"),),
    "budgets": ((_GLOBAL, "budget/{prefix}"),),
    "cloudformation": ((_HERE, f"stack/{{prefix}}-network/{_UUID}"),),
    "cloudtrail": ((_HERE, "trail/{prefix}"),),
    "cloudwatch": ((_HERE, "alarm:{prefix}-database-cpu"), (_GLOBAL, "dashboard/{prefix}")),
    "ec2": tuple(
        (_HERE, f"{kind}/{short}-{_ID}")
        for kind, short in (
            ("elastic-ip", "eipalloc"),
            ("internet-gateway", "igw"),
            ("natgateway", "nat"),
            ("network-interface", "eni"),
            ("route-table", "rtb"),
            ("security-group", "sg"),
            ("security-group-rule", "sgr"),
            ("subnet", "subnet"),
            ("vpc", "vpc"),
            ("vpc-endpoint", "vpce"),
            ("vpc-flow-log", "fl"),
        )
    ),
    "ecr": ((_HERE, "repository/{prefix}"),),
    "ecs": (
        (_HERE, "cluster/{prefix}"),
        (_HERE, "service/{prefix}/gateway"),
        (_HERE, f"task/{{prefix}}/{_ID}"),
        (_HERE, "task-definition/{reversed}-proxy:1"),
    ),
    "elasticache": (
        (_HERE, "cluster:{reversed}-001"),
        (_HERE, "parametergroup:{prefix}-redis"),
        (_HERE, "replicationgroup:{reversed}"),
        (_HERE, "subnetgroup:{prefix}-redis"),
    ),
    "elasticfilesystem": ((_HERE, f"access-point/fsap-{_ID}"), (_HERE, f"file-system/fs-{_ID}")),
    "elasticloadbalancing": (
        (_HERE, f"loadbalancer/app/{{prefix}}/{_ID}"),
        (_HERE, f"listener/app/{{prefix}}/{_ID}/{_ID}"),
        (_HERE, f"listener-rule/app/{{prefix}}/{_ID}/{_ID}/{_ID}"),
        (_HERE, f"targetgroup/{{prefix}}/{_ID}"),
    ),
    "events": ((_HERE, "rule/{prefix}-task-stopped"),),
    "firehose": ((_HERE, "deliverystream/{prefix}-logs"),),
    "iam": (
        (_GLOBAL, "role/{prefix}-task"),
        (_GLOBAL, "policy/{prefix}-security"),
        (_GLOBAL, "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
    ),
    "kms": ((_HERE, f"key/{_UUID}"), (_HERE, "alias/{prefix}")),
    "lambda": ((_HERE, "function:{reversed}-rotate-database"),),
    "logs": ((_HERE, "log-group:/ecs/{reversed}-proxy"), (_HERE, "log-group:/ecs/{reversed}-proxy:*")),
    "rds": (
        (_HERE, "db:{reversed}-db"),
        (_HERE, "pg:{prefix}-database"),
        (_HERE, "snapshot:{prefix}-database"),
        (_HERE, "subgrp:{prefix}-database"),
    ),
    "route53": ((_ACCOUNTLESS, "hostedzone/{zone}"), (_ACCOUNTLESS, "change/C0123456789")),
    "s3": (
        (_ACCOUNTLESS, "{prefix}-{account}-{region}"),
        (_ACCOUNTLESS, "{prefix}-{account}-{region}/state/lock"),
        (_ACCOUNTLESS, "{prefix}-logs-{account}-{region}"),
    ),
    "secretsmanager": ((_HERE, "secret:{project}/{environment}/master-key-AbCdEf"),),
    "servicediscovery": ((_HERE, f"namespace/ns-{_ID}"), (_HERE, f"service/srv-{_ID}")),
    "sns": ((_HERE, "{prefix}-alarms"),),
    "wafv2": ((_HERE, f"regional/webacl/{{prefix}}/{_UUID}"),),
}
"""By service: region and account of the ARN, and its end, as the templates name things where they do."""


def example_arns(service: str, environment: Environment, identity: Identity) -> list[str]:
    """Return ARNs of what the environment will have in a service, `*` for one without."""
    values = {
        "region": environment.region,
        "account": identity.account,
        "project": environment.project,
        "environment": environment.name,
        "prefix": environment.prefix,
        "reversed": f"{environment.name}-{environment.project}",
        "zone": environment.hosted_zone_id or f"Z{_ID.upper()}",
    }
    found = _EXAMPLES.get(service, ())
    arns = [f"arn:{identity.partition}:{service}:{place}:{end}".format(**values) for place, end in found]
    return arns or ["*"]
