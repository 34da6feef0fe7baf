"""What is priced is what the stacks create: their templates are counted and compared with the estimate."""

from collections import Counter
from datetime import date
from decimal import Decimal
from functools import cache

import pytest

from headgate.deploy.costs import HOURS, INTERFACE_ENDPOINTS, estimate, load_prices
from headgate.deploy.ecs import Inputs, resources, stack_specs
from tests.deploy.costs.environments import DOMAIN, environment

INPUTS = Inputs(image=f"example.com/headgate@sha256:{'0' * 64}", rotation_package="rotation.zip")
ENVIRONMENTS = {
    "dev": environment(allow_plaintext=True),
    "prod": environment("prod", redis=True, domain=DOMAIN, hosted_zone_id="Z0123456789ABC"),
    "chat": environment("prod", redis=True, domain=DOMAIN, hosted_zone_id="Z0123456789ABC", open_webui=True),
    "litellm": environment(allow_plaintext=True, image="litellm"),
    "spot": environment(allow_plaintext=True, open_webui=True, nat=True),
    "benchmark": environment("benchmark", redis=True, allow_plaintext=True),
}


@cache
def _counted(name: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for spec in stack_specs(ENVIRONMENTS[name], INPUTS):
        for resource in resources(spec).values():
            kind, properties = resource["Type"].removeprefix("AWS::"), resource.get("Properties", {})
            counted[kind] += 1
            counted["interface endpoint"] += properties.get("VpcEndpointType") == "Interface"
            counted["managed secret"] += properties.get("ManageMasterUserPassword") is True
            if kind == "WAFv2::WebACL":
                counted["WAF rule"] += len(properties["Rules"])
    return counted


def _priced(name: str) -> dict[str, Decimal]:
    known = estimate(ENVIRONMENTS[name], load_prices(), today=date(2026, 6, 1))
    return {line.resource: line.quantity for line in known.lines}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_resource_that_costs_by_the_month_is_priced_as_often_as_it_is_created(name: str) -> None:
    counted, priced = _counted(name), _priced(name)
    assert priced["Secrets"] == counted["SecretsManager::Secret"] + counted["managed secret"]
    assert priced["Alarms"] == counted["CloudWatch::Alarm"]
    assert priced["Custom metrics"] == counted["Logs::MetricFilter"]
    assert priced["Dashboard"] == counted["CloudWatch::Dashboard"]
    assert priced["KMS key"] == counted["KMS::Key"]
    assert priced.get("WAF web ACL", 0) == counted["WAFv2::WebACL"]
    assert priced.get("WAF rules", 0) == counted["WAF rule"]
    assert priced.get("Certificate", 0) == counted["CertificateManager::Certificate"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_resource_that_costs_by_the_hour_is_priced_as_often_as_it_is_created(name: str) -> None:
    counted, priced = _counted(name), _priced(name)
    zones = len(ENVIRONMENTS[name].private_subnets)
    assert counted["interface endpoint"] == len(INTERFACE_ENDPOINTS)
    assert priced["Interface endpoints"] == counted["interface endpoint"] * zones * HOURS
    assert priced.get("NAT gateway", 0) == counted["EC2::NatGateway"] * HOURS
    assert priced.get("NAT gateway address", 0) == counted["EC2::EIP"] * HOURS
    assert priced["Load balancer"] == counted["ElasticLoadBalancingV2::LoadBalancer"] * HOURS
    assert counted["RDS::DBInstance"] == 1
    assert priced.get("Private DNS zone", 0) == counted["ServiceDiscovery::PrivateDnsNamespace"]
    services = {one.split()[0] for one in priced if one.startswith(("Fargate", "Mock", "Open WebUI"))}
    assert counted["ECS::Service"] == len(services)
    assert any(resource.startswith("Redis") for resource in priced) == bool(counted["ElastiCache::ReplicationGroup"])


@pytest.mark.parametrize(("name", "kind"), [("chat", "on demand"), ("spot", "Spot")])
def test_open_webui_is_priced_at_the_size_that_its_stack_gives_it(name: str, kind: str) -> None:
    [webui] = [spec for spec in stack_specs(ENVIRONMENTS[name], INPUTS) if spec.template == "webui"]
    cpu, memory = (Decimal(webui.parsed["Parameters"][one]["Default"]) for one in ("TaskCpu", "TaskMemory"))
    assert not webui.parameters.keys() & {"TaskCpu", "TaskMemory"}
    assert webui.parameters["Spot"] == str(kind == "Spot").lower()
    priced = _priced(name)
    assert priced[f"Open WebUI vCPU ({kind})"] == cpu / 1024 * HOURS
    assert priced[f"Open WebUI memory ({kind})"] == memory / 1024 * HOURS


def test_the_mock_is_priced_at_the_size_that_its_stack_gives_it() -> None:
    [mock] = [spec for spec in stack_specs(ENVIRONMENTS["benchmark"], INPUTS) if spec.template == "mock"]
    values = mock.parsed["Parameters"]
    tasks, cpu, memory = (int(values[name]["Default"]) for name in ("Tasks", "TaskCpu", "TaskMemory"))
    assert not mock.parameters.keys() & {"Tasks", "TaskCpu", "TaskMemory"}
    priced = _priced("benchmark")
    assert priced["Mock vCPU (Spot)"] == tasks * cpu // 1024 * HOURS
    assert priced["Mock memory (Spot)"] == tasks * memory // 1024 * HOURS
