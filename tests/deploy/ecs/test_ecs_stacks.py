"""Stacks as data: from environments to parameters, who produces what, and all of it as files."""

import time
from dataclasses import replace

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs import (
    TEMPLATES,
    Inputs,
    bedrock_model_arns,
    creation,
    exports,
    imports,
    problems,
    resources,
    stack_specs,
)
from headgate.deploy.ecs._graph import parameter_values
from tests.deploy.ecs.environments import ACCOUNT, INPUTS, environment, everything_on, specs, with_parameters

ENVIRONMENTS = {
    "dev": environment("dev"),
    "prod": environment("prod"),
    "benchmark": environment("benchmark"),
    "everything": everything_on(),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nothing_is_consumed_before_it_is_produced(name: str) -> None:
    assert problems(stack_specs(ENVIRONMENTS[name], INPUTS)) == []


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name not in ("webui", "mock", "monitoring")])
def test_a_missing_stack_is_noticed(template: str) -> None:
    remaining = [spec for spec in stack_specs(everything_on(), INPUTS) if spec.template != template]
    assert any("which no stack before it exports" in problem for problem in problems(remaining))


def test_another_order_is_noticed() -> None:
    found = problems(stack_specs(environment("dev"), INPUTS)[::-1])
    assert "headgate-dev-alb: imports headgate-dev-VpcId, which no stack before it exports." in found


@pytest.mark.parametrize(
    ("template", "parameters", "problem"),
    [
        ("network", {"Unknown": "1"}, "the template has no parameter Unknown"),
        ("gateway", {"Image": "headgate:latest"}, "Image is 'headgate:latest', which does not fit"),
        ("gateway", {"TaskCpu": "600"}, "TaskCpu is '600' but must be one of 256"),
        ("database", {"AllocatedStorage": "5"}, "AllocatedStorage is '5' but must be a number within 20.."),
        ("database", {"AllocatedStorage": "much"}, "AllocatedStorage is 'much' but must be a number"),
    ],
)
def test_values_that_cloudformation_would_refuse_are_noticed(
    template: str, parameters: dict[str, str], problem: str
) -> None:
    wanted = specs(environment("dev"))
    wanted[template] = with_parameters(wanted[template], **parameters)
    assert [one for one in problems(list(wanted.values())) if problem in one]


def test_a_parameter_without_a_value_is_noticed() -> None:
    wanted = specs(environment("dev"))
    kept = {key: value for key, value in wanted["database"].parameters.items() if key != "RotationPackageKey"}
    wanted["database"] = replace(wanted["database"], parameters=kept)
    assert "headgate-dev-database: nothing gives the parameter RotationPackageKey a value." in problems(
        list(wanted.values())
    )


def test_switches_decide_what_is_created_imported_and_exported() -> None:
    dev, prod = specs(environment("dev")), specs(environment("prod"))
    assert "redis" not in dev
    assert "headgate-prod-RedisEndpoint" in exports(prod["redis"])
    assert "headgate-dev-RedisEndpoint" not in imports(dev["gateway"])
    assert "headgate-prod-RedisEndpoint" in imports(prod["gateway"])
    assert {"Certificate", "HttpsListener", "WebAcl", "Record"} <= resources(prod["alb"]).keys()
    assert {"Certificate", "HttpsListener", "WebAcl", "Record"} & resources(dev["alb"]).keys() == set()
    assert {"Nat", "NatAddress"} <= resources(prod["network"]).keys()
    assert "Nat" not in resources(dev["network"])


def test_the_mock_is_there_only_where_it_is_asked_for() -> None:
    dev, benchmark = specs(environment("dev")), specs(environment("benchmark"))
    assert "mock" not in dev
    assert benchmark["mock"].parameters["Image"] == INPUTS.image
    assert benchmark["mock"].parameters["LogRetentionDays"] == "7"
    # It runs in the gateway's cluster, and what is created later goes first.
    assert {"headgate-benchmark-ClusterName", "headgate-benchmark-MockSecurityGroupId"} <= imports(benchmark["mock"])


def test_open_webui_is_there_only_where_it_is_asked_for() -> None:
    dev, prod = specs(environment("dev")), specs(environment("prod"))
    assert {"webui"} & {*dev, *prod} == set()
    for one in (dev, prod):
        wanted = {name for spec in one.values() for name in resources(spec)}
        assert [name for name in wanted if "OpenWebUi" in name or "FileSystem" in name] == []
        assert "Namespace" not in wanted
    named = specs(environment("prod", open_webui=True))
    assert named["webui"].parameters["DomainName"] == "chat.llm.example.com"
    assert "OpenWebUiListener" not in resources(named["alb"])
    assert {"OpenWebUiCertificate", "OpenWebUiRecord"} <= resources(named["alb"]).keys()
    assert "LoadBalancerIngressForOpenWebUi" not in resources(named["network"])
    other = specs(environment("prod", open_webui=True, open_webui_domain="ask.example.com"))
    assert (
        other["webui"].parameters["DomainName"] == other["alb"].parameters["OpenWebUiDomainName"] == "ask.example.com"
    )
    plain = specs(environment("dev", open_webui=True, nat=True))
    assert plain["webui"].parameters["Spot"] == "true"
    assert "OpenWebUiListener" in resources(plain["alb"])
    assert {"OpenWebUiCertificate", "OpenWebUiRecord"} & resources(plain["alb"]).keys() == set()
    [opened] = [one for one in creation(plain["network"]).changes if one.resource == "LoadBalancerIngressForOpenWebUi"]
    assert opened.broadens == ("port 8080 becomes reachable from 0.0.0.0/0",)


def test_open_webuis_image_is_the_pinned_one_or_the_one_that_is_named() -> None:
    assert "Image" not in specs(environment("prod", open_webui=True))["webui"].parameters
    copy = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/headgate-prod:open-webui-0.11.0"
    assert specs(environment("prod", open_webui=True, open_webui_image=copy))["webui"].parameters["Image"] == copy


def test_environments_differ_as_documented() -> None:
    dev, prod, benchmark = (specs(environment(name)) for name in ("dev", "prod", "benchmark"))

    def of(template: str, parameter: str) -> list[str]:
        return [one[template].parameters[parameter] for one in (dev, prod, benchmark)]

    assert of("database", "InstanceClass") == ["db.t3.micro", "db.t3.small", "db.t3.medium"]
    assert of("database", "MultiAz") == ["false", "true", "false"]
    assert of("database", "DeletionProtection") == ["false", "true", "false"]
    assert of("alb", "DeletionProtection") == ["false", "true", "false"]
    assert of("database", "PerformanceInsights") == ["false", "true", "false"]
    assert of("database", "ConnectionAlarmThreshold") == ["80", "80", "180"]
    assert of("database", "MemorySettings") == ["false", "false", "true"]
    assert of("alb", "Waf") == ["false", "true", "false"]
    assert of("alb", "HealthyHostAlarmThreshold") == ["1", "2", "2"]
    liveliness, readiness = "/health/liveliness", "/health/readiness"
    assert of("alb", "HealthCheckPath") == [liveliness, liveliness, readiness]
    assert of("alb", "UnhealthyThreshold") == ["5", "5", "3"]
    assert of("gateway", "Spot") == ["true", "false", "false"]
    assert of("gateway", "ContainerInsights") == ["disabled", "enabled", "disabled"]
    assert of("gateway", "LogRetentionDays") == ["14", "90", "7"]
    assert of("gateway", "TaskCpu") == ["512", "512", "4096"]
    assert of("gateway", "Workers") == ["1", "1", "4"]
    assert [one["network"].termination_protection for one in (dev, prod, benchmark)] == [False, True, False]


def test_where_the_benchmark_guide_holds_a_failed_task_gets_no_request_after_two_minutes() -> None:
    parameters = parameter_values(specs(environment("benchmark"))["alb"])
    seconds = int(parameters["HealthCheckIntervalSeconds"]) * int(parameters["UnhealthyThreshold"])
    assert seconds + int(parameters["HealthCheckTimeoutSeconds"]) < 120


def test_larger_tasks_and_databases_are_a_matter_of_settings() -> None:
    larger = environment(
        "benchmark", task_cpu=8192, task_memory=16384, workers=8, database_class="db.r6g.large", max_connections=1000
    )
    wanted = specs(larger)
    assert problems(list(wanted.values())) == []
    gateway, database = wanted["gateway"].parameters, wanted["database"].parameters
    assert (gateway["TaskCpu"], gateway["TaskMemory"], gateway["Workers"]) == ("8192", "16384", "8")
    # 16 GB: what the guide sets for 4 GB would hold it down.
    assert (database["InstanceClass"], database["MemorySettings"]) == ("db.r6g.large", "false")


def test_data_outlives_stacks_where_deletion_is_protected_or_that_is_said() -> None:
    def policies(name: str, keep_data: bool | None) -> tuple[str, str]:
        wanted = {spec.template: spec for spec in stack_specs(environment(name), INPUTS, keep_data=keep_data)}
        return wanted["security"].parameters["DataPolicy"], wanted["database"].parameters["DatabasePolicy"]

    assert policies("prod", None) == ("RetainExceptOnCreate", "Snapshot")
    assert policies("dev", None) == ("Delete", "Snapshot")
    assert policies("dev", True) == ("RetainExceptOnCreate", "Snapshot")
    assert policies("prod", False) == ("Delete", "Delete")


def test_litellms_image_gets_what_it_needs() -> None:
    for image in ("litellm", "ghcr.io/berriai/litellm-database:main-v1.80.5"):
        gateway = specs(environment("dev", image=image))["gateway"].parameters
        assert (gateway["ContainerUser"], gateway["ReadonlyRootFilesystem"]) == ("0", "false")
        assert (gateway["MasterKeyForm"], gateway["OverheadMetric"]) == ("member", "false")
    gateway = specs(environment("dev"))["gateway"].parameters
    assert (gateway["ContainerUser"], gateway["ReadonlyRootFilesystem"]) == ("10001:10001", "true")
    assert (gateway["MasterKeyForm"], gateway["OverheadMetric"]) == ("whole", "true")


def test_logging_in_by_iam_is_a_switch_of_database_and_gateway() -> None:
    off, on = specs(environment("prod")), specs(environment("prod", database_iam=True))
    assert "IamAuthenticationPolicy" not in resources(off["database"])
    assert "IamAuthenticationPolicy" in resources(on["database"])
    assert "headgate-prod-IamUser" in exports(on["database"])
    assert on["gateway"].parameters["DatabaseLogin"] == "password"
    litellm = specs(environment("prod", database_iam=True, image="litellm"))
    assert litellm["gateway"].parameters["DatabaseLogin"] == "iam"
    assert {"headgate-prod-IamUser", "headgate-prod-DatabaseEndpoint"} <= imports(litellm["gateway"])
    assert problems(list(litellm.values())) == []
    assert specs(environment("prod", image="litellm"))["gateway"].parameters["DatabaseLogin"] == "password"


def test_only_provider_keys_that_exist_are_asked_for() -> None:
    inputs = replace(INPUTS, provider_keys=frozenset({"OPENAI_API_KEY"}))
    [gateway] = [one for one in stack_specs(environment("dev"), inputs) if one.template == "gateway"]
    assert (gateway.parameters["OpenAiKey"], gateway.parameters["AnthropicKey"]) == ("true", "false")


def test_every_stack_is_tagged() -> None:
    for spec in stack_specs(environment("dev", tags={"team": "platform"}), INPUTS):
        assert spec.tags == {"team": "platform", "Project": "headgate", "Environment": "dev", "ManagedBy": "headgate"}


def test_names_that_would_become_too_long_are_refused() -> None:
    long = environment("dev", project="p" * 20)
    stack_specs(long, INPUTS)
    with pytest.raises(ConfigurationError, match="have 30 characters"):
        stack_specs(long.model_copy(update={"name": "e" * 10}), INPUTS)


def test_what_becomes_open_is_said_before_it_is_created() -> None:
    opened = {change.resource: change.broadens for change in creation(specs(environment("dev"))["network"]).changes}
    assert opened["LoadBalancerSecurityGroup"] == (
        "port 80 becomes reachable from 0.0.0.0/0",
        "port 443 becomes reachable from 0.0.0.0/0",
    )
    assert [name for name, broadens in opened.items() if broadens] == ["LoadBalancerSecurityGroup"]


def test_models_as_the_arns_that_may_be_invoked() -> None:
    names = [
        "bedrock/us.anthropic.claude-sonnet-4-6",
        "bedrock/converse/mistral.mistral-large-3-675b-instruct",
        "bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
        "openai/gpt-4o",
        "gpt-4o",
    ]
    assert bedrock_model_arns(names, "us-east-1", ACCOUNT) == (
        "arn:aws:bedrock:*::foundation-model/anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6",
        "arn:aws:bedrock:us-east-1::foundation-model/mistral.mistral-large-3-675b-instruct",
    )


def test_a_plan_of_a_whole_environment_is_quick() -> None:
    started = time.perf_counter()
    for spec in stack_specs(everything_on(), Inputs(image="headgate:0.1.0", rotation_package="packages/a.zip")):
        creation(spec)
    assert time.perf_counter() - started < 2
