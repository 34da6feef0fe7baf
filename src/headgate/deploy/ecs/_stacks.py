"""The stacks of an environment as data: their order, their names, their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs._environment import Environment, Inputs
from headgate.deploy.ecs._templates import Template, parse_template, template_text

TEMPLATES = ("bootstrap", "security", "network", "alb", "database", "redis", "gateway", "webui", "mock", "monitoring")
"""Every template, in the order in which stacks are created; they are deleted in the reverse one."""

CAPABILITIES = ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
"""What the templates ask for: roles with names, and deletion policies that follow a parameter."""

_SIZE_OF_MEMORY_SETTINGS = "medium"
"""The benchmark guide's memory settings are for 4 GB; every other class has RDS' own, which follow its memory."""
_WEBUI_LISTENER_PORT = "8080"
"""The load balancer's port for Open WebUI where there is no domain."""
_LONGEST_NAMES = 29
"""Project and environment together: buckets may have 63 characters, and account, region and words take up to 34."""


@dataclass(frozen=True)
class StackSpec:
    """One stack as it should be. `template` is a name in this package; parameters are as CloudFormation takes them."""

    template: str
    name: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    termination_protection: bool = False

    @property
    def body(self) -> str:
        """The template's text."""
        return template_text(self.template)

    @property
    def parsed(self) -> Template:
        """The template as data."""
        return parse_template(self.body)


def stack_specs(environment: Environment, inputs: Inputs, *, keep_data: bool | None = None) -> tuple[StackSpec, ...]:
    """Return an environment's stacks in the order of their creation.

    `keep_data` decides whether secrets, buckets, images and logs outlive their stacks; None keeps them where the
    environment is protected against deletion. The database leaves a snapshot unless `keep_data` is False.
    Raises `ConfigurationError` when names would become too long for AWS.
    """
    if (length := len(environment.project) + len(environment.name)) > _LONGEST_NAMES:
        raise ConfigurationError(
            [
                f"project and environment ({environment.project!r}, {environment.name!r}) have {length} characters;"
                f" names of buckets have room for {_LONGEST_NAMES}."
            ]
        )
    keep = environment.deletion_protection if keep_data is None else keep_data
    parameters = _parameters(environment, inputs)
    parameters["database"]["DatabasePolicy"] = "Delete" if keep_data is False else "Snapshot"
    by_switch = {"redis": environment.redis, "webui": environment.open_webui, "mock": environment.mock_upstream}
    templates = [name for name in TEMPLATES if by_switch.get(name, True)]
    return tuple(_spec(name, environment, parameters[name], keep) for name in templates)


def _spec(template: str, environment: Environment, parameters: Mapping[str, str], keep: bool) -> StackSpec:
    common = {"Project": environment.project, "Environment": environment.name}
    if "DataPolicy" in parse_template(template_text(template))["Parameters"]:
        common["DataPolicy"] = "RetainExceptOnCreate" if keep else "Delete"
    return StackSpec(
        template,
        f"{environment.project}-{environment.name}-{template}",
        common | dict(parameters),
        {
            **environment.tags,
            "Project": environment.project,
            "Environment": environment.name,
            "ManagedBy": "headgate",
        },
        environment.deletion_protection,
    )


def _parameters(environment: Environment, inputs: Inputs) -> dict[str, dict[str, str]]:
    """Return what differs from the templates' defaults, or may, by template."""
    retention = {"LogRetentionDays": str(environment.log_retention_days)}
    redis = {"Redis": _flag(environment.redis)}
    webui = {"OpenWebUi": _flag(environment.open_webui)}
    webui_port = _WEBUI_LISTENER_PORT if environment.open_webui and not environment.domain else "0"
    return {
        "bootstrap": {},
        "security": {
            "BedrockModelArns": ",".join(inputs.bedrock_model_arns),
            "AlarmEmail": environment.alarm_email or "",
            "CloudTrail": _flag(environment.cloudtrail),
            "BudgetDollars": str(environment.budget_dollars or 0),
            "SaltKeyArn": inputs.salt_key_secret,
            "SaltKeyKmsKeyArn": inputs.salt_key_key,
            **webui,
        },
        "network": {
            "VpcCidr": environment.vpc_cidr,
            "PublicSubnet1Cidr": environment.public_subnets[0],
            "PublicSubnet2Cidr": environment.public_subnets[1],
            "PrivateSubnet1Cidr": environment.private_subnets[0],
            "PrivateSubnet2Cidr": environment.private_subnets[1],
            "NatGateway": _flag(environment.nat),
            "PrivateNames": _flag(environment.open_webui or environment.mock_upstream),
            "OpenWebUiListenerPort": webui_port,
            **webui,
            **retention,
        },
        "alb": {
            "DomainName": environment.domain or "",
            "HostedZoneId": environment.hosted_zone_id or "",
            "AllowPlaintext": _flag(environment.allow_plaintext),
            "DeletionProtection": _flag(environment.deletion_protection),
            "Waf": _flag(environment.waf),
            "OpenWebUiDomainName": _webui_domain(environment),
            "OpenWebUiListenerPort": webui_port,
            "HealthCheckPath": environment.health_check_path,
            "UnhealthyThreshold": str(environment.unhealthy_threshold),
            # The benchmark guide's two, where there are two to begin with.
            "HealthyHostAlarmThreshold": str(min(2, environment.min_tasks)),
        },
        "database": _database_parameters(environment)
        | {"RotationPackageKey": inputs.rotation_package, "Restored": inputs.restored}
        | retention,
        "redis": {"RedisNodeType": environment.redis_node_type, "MultiAz": _flag(environment.multi_az)},
        "gateway": _gateway_parameters(environment, inputs) | redis | retention,
        "webui": _webui_parameters(environment) | retention,
        "mock": {"Image": inputs.image} | retention,
        "monitoring": {},
    }


def _database_parameters(environment: Environment) -> dict[str, str]:
    return {
        "InstanceClass": environment.database_class,
        "AllocatedStorage": str(environment.database_storage_gb),
        "MaxAllocatedStorage": str(
            max(environment.database_max_storage_gb, environment.database_storage_gb * 11 // 10)
        ),
        "MultiAz": _flag(environment.multi_az),
        "DeletionProtection": _flag(environment.deletion_protection),
        "PerformanceInsights": _flag(environment.performance_insights),
        "IamAuthentication": _flag(environment.database_iam),
        "MaxConnections": str(environment.max_connections),
        # The ECS guide warns at 80 of 100 connections, the benchmark guide at 180 of 200.
        "ConnectionAlarmThreshold": str(environment.max_connections - 20),
        "MemorySettings": _flag(environment.database_class.rpartition(".")[2] == _SIZE_OF_MEMORY_SETTINGS),
        "RotationDays": str(environment.rotation_days),
    }


def _gateway_parameters(environment: Environment, inputs: Inputs) -> dict[str, str]:
    # LiteLLM's image runs as root, writes beside its code and knows one master key.
    litellm = environment.runs_litellm
    return {
        "Image": inputs.image,
        "ConfigurationKey": inputs.configuration,
        "ContainerUser": "0" if litellm else "10001:10001",
        "ReadonlyRootFilesystem": _flag(not litellm),
        "MasterKeyForm": "member" if litellm else "whole",
        "DatabaseLogin": "iam" if litellm and environment.database_iam else "password",
        "PrivateName": _flag(environment.open_webui),
        "OverheadMetric": _flag(not litellm),
        "TaskCpu": str(environment.task_cpu),
        "TaskMemory": str(environment.task_memory),
        "Workers": str(environment.workers),
        "OpenAiKey": _flag("OPENAI_API_KEY" in inputs.provider_keys),
        "AnthropicKey": _flag("ANTHROPIC_API_KEY" in inputs.provider_keys),
        "MinTasks": str(environment.min_tasks),
        "MaxTasks": str(environment.max_tasks),
        "Spot": _flag(environment.spot),
        "ContainerInsights": "enabled" if environment.container_insights else "disabled",
    }


def _webui_parameters(environment: Environment) -> dict[str, str]:
    image = {} if environment.open_webui_image is None else {"Image": environment.open_webui_image}
    return image | {"DomainName": _webui_domain(environment), "Spot": _flag(environment.spot)}


def _webui_domain(environment: Environment) -> str:
    """Return Open WebUI's name, empty where it does not run or the gateway has none either."""
    if not environment.open_webui or environment.domain is None:
        return ""
    return environment.open_webui_domain or f"chat.{environment.domain}"


def _flag(value: bool) -> str:
    return "true" if value else "false"
