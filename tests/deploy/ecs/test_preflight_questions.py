"""What is asked twice is answered once, and what may not be asked names the action."""

import threading

import pytest

from headgate.deploy.ecs import Account
from headgate.deploy.ecs._preflight._questions import AnswerError, Questions, RefusedError
from tests.doubles.moto_offers import answering


def test_a_question_is_asked_once(account: Account) -> None:
    asked = answering(account, "ec2", "DescribeVpcs", {"Vpcs": []})
    questions = Questions(account)
    for _ in range(2):
        assert questions.ask("ec2", "describe_vpcs")["Vpcs"] == []
    assert len(asked) == 1
    questions.ask("ec2", "describe_vpcs", VpcIds=["vpc-1"])
    assert [one.get("VpcIds") for one in asked] == [None, ["vpc-1"]]


def test_who_asks_meanwhile_waits_for_the_first_answer(account: Account) -> None:
    questions, begun, go_on = Questions(account), threading.Event(), threading.Event()
    found: list[int] = []

    def slow() -> int:
        begun.set()
        assert go_on.wait(10)
        return 1

    first = threading.Thread(target=lambda: found.append(questions.once("key", slow)))
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=lambda: found.append(questions.once("key", lambda: 2)))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)
    assert found == [1, 1]


def test_an_error_is_an_answer(account: Account) -> None:
    asked = answering(account, "ecr", "DescribeImages", "RepositoryNotFoundException")
    questions = Questions(account)
    for _ in range(2):
        with pytest.raises(AnswerError, match="ecr:DescribeImages: AWS says Repo") as raised:
            questions.ask("ecr", "describe_images", repositoryName="headgate-dev")
        assert raised.value.code == "RepositoryNotFoundException"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("service", "operation", "method", "code", "action"),
    [
        ("elbv2", "DescribeLoadBalancers", "describe_load_balancers", "AccessDenied", "elasticloadbalancing:Describe"),
        ("service-quotas", "GetServiceQuota", "get_service_quota", "AccessDeniedException", "servicequotas:GetService"),
        ("ec2", "DescribeVpcs", "describe_vpcs", "UnauthorizedOperation", "ec2:DescribeVpcs"),
    ],
)
def test_a_refusal_names_the_action_as_policies_do(
    account: Account, service: str, operation: str, method: str, code: str, action: str
) -> None:
    answering(account, service, operation, code)
    arguments = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"} if service == "service-quotas" else {}
    with pytest.raises(RefusedError, match=f"may not do {action}"):
        Questions(account).ask(service, method, **arguments)


def test_pages_are_one_list(account: Account) -> None:
    first = {"HostedZones": [{"Id": "Z1"}], "IsTruncated": True, "NextMarker": "more", "MaxItems": "1"}
    last = {"HostedZones": [{"Id": "Z2"}], "IsTruncated": False, "MaxItems": "1"}
    asked = answering(account, "route53", "ListHostedZones", lambda params: last if "Marker" in params else first)
    questions = Questions(account)
    for _ in range(2):
        assert questions.listed("route53", "list_hosted_zones", "HostedZones") == [{"Id": "Z1"}, {"Id": "Z2"}]
    assert len(asked) == 2


def test_what_is_asked_afresh_is_not_kept(account: Account) -> None:
    asked = answering(account, "ec2", "DescribeVpcs", {"Vpcs": []})
    questions = Questions(account)
    questions.afresh("ec2", "describe_vpcs")
    questions.afresh("ec2", "describe_vpcs")
    assert len(asked) == 2


def test_several_questions_keep_their_order(account: Account) -> None:
    questions = Questions(account)
    assert questions.together([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
    assert questions.together([]) == []
