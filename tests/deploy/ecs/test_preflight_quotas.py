"""Room in the account's quotas."""

from collections.abc import Callable

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight import _quotas
from headgate.deploy.ecs._preflight._questions import RefusedError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict
from tests.deploy.ecs.environments import environment
from tests.deploy.ecs.preflights import EVERYTHING, NOW, subject
from tests.doubles.moto_offers import answering

DEV, PROD, BENCHMARK = (environment(name) for name in ("dev", "prod", "benchmark"))
USAGE = {
    "MetricNamespace": "AWS/Usage",
    "MetricName": "ResourceCount",
    "MetricDimensions": {"Service": "Fargate", "Type": "Resource"},
    "MetricStatisticRecommendation": "Maximum",
}


def granting(account: Account, value: float, **more: object) -> list[dict[str, object]]:
    return answering(account, "service-quotas", "GetServiceQuota", {"Quota": {"Value": value, **more}})


@pytest.mark.parametrize(
    ("check", "room", "shown"),
    [
        # moto has a default VPC.
        (_quotas.vpc_quota, 2, "1 there + 1 to create = 2 of {} VPCs"),
        (_quotas.endpoint_quota, 10, "0 there + 10 to create = 10 of {} interface endpoints in the VPC"),
        (_quotas.address_quota, 1, "0 there + 1 to create = 1 of {} elastic addresses"),
        (_quotas.load_balancer_quota, 1, "0 there + 1 to create = 1 of {} application load balancers"),
        (_quotas.database_quota, 1, "0 there + 1 to create = 1 of {} database instances"),
    ],
)
def test_what_is_created_has_to_find_room(
    account: Account, check: Callable[[Subject], Result], room: int, shown: str
) -> None:
    granting(account, room)
    assert check(subject(PROD, account)) == (Verdict.PASSED, shown.format(room))


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (_quotas.vpc_quota, "--service-code vpc --quota-code L-F678F1CE --desired-value 2"),
        (_quotas.endpoint_quota, "--service-code vpc --quota-code L-29B6F2EB --desired-value 10"),
        (_quotas.address_quota, "--service-code ec2 --quota-code L-0263D0A3 --desired-value 1"),
        (_quotas.load_balancer_quota, "--service-code elasticloadbalancing --quota-code L-53DA6B97 --desired-value 1"),
        (_quotas.database_quota, "--service-code rds --quota-code L-7B6409FD --desired-value 1"),
    ],
)
def test_without_room_it_says_what_to_ask_for(account: Account, check: Callable[[Subject], Result], code: str) -> None:
    granting(account, 0)
    verdict, message = check(subject(PROD, account))
    assert verdict is Verdict.FAILED
    assert f"{code} --region us-east-1" in message


def test_what_is_there_is_counted(account: Account) -> None:
    ec2 = account.client("ec2")
    for _ in range(4):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
        ec2.allocate_address(Domain="vpc")
    assert _quotas.vpc_quota(subject(PROD, account))[1].startswith("5 there + 1 to create = 6 of 5 VPCs")
    assert _quotas.vpc_quota(subject(PROD, account))[0] is Verdict.FAILED
    assert _quotas.address_quota(subject(PROD, account)) == (
        Verdict.PASSED,
        "4 there + 1 to create = 5 of 5 elastic addresses",
    )


def test_other_load_balancers_have_a_quota_of_their_own(account: Account) -> None:
    found = [{"Type": "application"}, {"Type": "network"}, {"Type": "network"}]
    answering(account, "elbv2", "DescribeLoadBalancers", {"LoadBalancers": found})
    assert _quotas.load_balancer_quota(subject(PROD, account))[1].startswith("1 there + 1 to create")


def test_without_a_grant_the_default_counts(account: Account) -> None:
    answering(account, "service-quotas", "GetServiceQuota", "NoSuchResourceException")
    answering(account, "service-quotas", "GetAWSDefaultServiceQuota", {"Quota": {"Value": 5.0}})
    assert _quotas.vpc_quota(subject(PROD, account)) == (Verdict.PASSED, "1 there + 1 to create = 2 of 5 VPCs")


def test_quotas_that_may_not_be_read_are_unknown(account: Account) -> None:
    answering(account, "service-quotas", "GetServiceQuota", "AccessDeniedException")
    with pytest.raises(RefusedError, match="servicequotas:GetServiceQuota"):
        _quotas.vpc_quota(subject(PROD, account))


def test_tasks_are_counted_in_vcpu(account: Account) -> None:
    asked = granting(account, 40)
    assert _quotas.fargate_quota(subject(BENCHMARK, account)) == (
        Verdict.PASSED,
        "4 tasks x 4 vCPU = 16 of 40 vCPU of Fargate; scaled out 10 tasks x 4 vCPU = 40 of 40 vCPU of Fargate",
    )
    assert asked[0]["QuotaCode"] == "L-3032A538"


def test_spare_capacity_has_a_quota_of_its_own_which_the_mock_shares(account: Account) -> None:
    asked = granting(account, 6)
    spot = environment("dev", mock_upstream=True)
    verdict, message = _quotas.fargate_quota(subject(spot, account))
    assert verdict is Verdict.PASSED
    assert message.startswith("1 tasks x 0.5 vCPU + 2 of other services = 2.5 of 6 vCPU of Fargate Spot")
    assert asked[0]["QuotaCode"] == "L-36FBB829"
    on_demand = environment("dev", mock_upstream=True, spot=False)
    assert _quotas.fargate_quota(subject(on_demand, account))[1].startswith("1 tasks x 0.5 vCPU = 0.5 of 6 vCPU of")


def test_open_webui_runs_where_the_gateway_does(account: Account) -> None:
    granting(account, 6)
    chat = environment("prod", open_webui=True)
    verdict, message = _quotas.fargate_quota(subject(chat, account))
    assert verdict is Verdict.PASSED
    assert message.startswith("2 tasks x 0.5 vCPU + 0.5 of other services = 1.5 of 6 vCPU of Fargate;")


def test_a_new_account_has_no_room_for_the_benchmark(account: Account) -> None:
    granting(account, 6)
    verdict, message = _quotas.fargate_quota(subject(BENCHMARK, account))
    assert verdict is Verdict.FAILED
    assert message.startswith("4 tasks x 4 vCPU = 16 of 6 vCPU of Fargate: ask for more")
    assert "--desired-value 40" in message


def test_scaling_out_beyond_the_quota_warns(account: Account) -> None:
    granting(account, 20)
    verdict, message = _quotas.fargate_quota(subject(BENCHMARK, account))
    assert verdict is Verdict.WARNING
    assert "16 of 20 vCPU of Fargate, but scaled out 10 tasks x 4 vCPU = 40 of 20" in message


@pytest.mark.parametrize(
    ("made_here", "expected", "sentence"),
    [
        (EVERYTHING, Verdict.FAILED, "4 tasks x 4 vCPU + 30 in use = 46 of 40 vCPU of Fargate"),
        # Its own tasks are among what is in use.
        (frozenset[str](), Verdict.WARNING, "4 tasks x 4 vCPU + 14 in use = 30 of 40 vCPU of Fargate, but scaled out"),
    ],
)
def test_what_others_use_is_left_to_them(
    account: Account, made_here: frozenset[str], expected: Verdict, sentence: str
) -> None:
    granting(account, 40, UsageMetric=USAGE)
    points = [{"Maximum": 10.0}, {"Maximum": 30.0}]
    asked = answering(account, "cloudwatch", "GetMetricStatistics", {"Datapoints": points})
    verdict, message = _quotas.fargate_quota(subject(BENCHMARK, account, made_here))
    assert verdict is expected
    assert message.startswith(sentence)
    assert asked[0]["EndTime"] == NOW
    assert {"Name": "Service", "Value": "Fargate"} in asked[0]["Dimensions"]
