"""What was changed behind the deployer's back, and that no secret is shown of it."""

import hashlib
import itertools
from typing import Any

import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.ecs.models import ecs_backends

from headgate.deploy.ecs import Account, StackRunner, StackSpec
from headgate.deploy.ecs._drift import DRIFT_SECONDS, differences
from headgate.deploy.ecs._names import names_of
from headgate.deploy.engine import DeployError, Difference
from tests.deploy.ecs.environments import ACCOUNT, environment, everything_on, specs, with_parameters
from tests.deploy.ecs.settled import REGION, deploy
from tests.doubles.drift import DriftingCloudFormation, deleted, modified

PREFIX = "headgate-prod"
_SERVICE = ("AWS::ECS::Service", "ServiceName")
CONFIGURATION = b"model_list: []\n"
KEY = f"configuration/{'0' * 64}.yaml"
BUCKET = f"{PREFIX}-{ACCOUNT}-{REGION}"


def _drifting(account: Account) -> DriftingCloudFormation:
    double = DriftingCloudFormation(account.client("cloudformation"))
    account._clients["cloudformation"] = double
    return double


def _wanted(*templates: str) -> list[StackSpec]:
    return [spec for template, spec in specs(environment()).items() if template in templates]


def _found(account: Account, *templates: str, **options: Any) -> list[Difference]:
    return differences(account, _wanted(*templates), lambda template: template, **options)


@pytest.fixture
def foundation(account: Account) -> DriftingCloudFormation:
    """Deploy the two stacks that are made fastest."""
    deploy(account, environment(), ["bootstrap", "security"])
    return _drifting(account)


def test_nothing_was_changed(account: Account, foundation: DriftingCloudFormation) -> None:
    foundation.polls = 3
    assert _found(account, "bootstrap", "security") == []
    assert foundation.detected == [f"{PREFIX}-bootstrap", f"{PREFIX}-security"]


def test_what_cloudformation_finds_is_told_with_both_values(
    account: Account, foundation: DriftingCloudFormation
) -> None:
    foundation.drifts = {
        f"{PREFIX}-security": [
            modified("Key", "AWS::KMS::Key", "/EnableKeyRotation", "true", "false"),
            modified("AlarmTopic", "AWS::SNS::Topic", "/Tags/1", '{"Key":"a","Value":"b"}', "null", "REMOVE"),
            modified("LogBucket", "AWS::S3::Bucket", "/Tags/2", "null", '{"Key":"c","Value":"d"}', "ADD"),
            deleted("TaskRole", "AWS::IAM::Role"),
        ]
    }
    assert _found(account, "bootstrap", "security") == [
        Difference("security", "Key", "AWS::KMS::Key /EnableKeyRotation: false; true was deployed"),
        Difference("security", "AlarmTopic", 'AWS::SNS::Topic /Tags/1: {"Key": "a", "Value": "b"} was removed'),
        Difference("security", "LogBucket", 'AWS::S3::Bucket /Tags/2: {"Key": "c", "Value": "d"} was added'),
        Difference("security", "TaskRole", "AWS::IAM::Role TaskRole-id was deleted"),
    ]


def test_a_secret_that_somebody_put_where_none_belongs_is_hidden(
    account: Account, foundation: DriftingCloudFormation
) -> None:
    before, after = (
        '[{"Name":"LOG","Value":"INFO"}]',
        '[{"Name":"LOG","Value":"INFO"},{"Name":"K_TOKEN","Value":"canary"}]',
    )
    change = modified("Task", "AWS::ECS::TaskDefinition", "/ContainerDefinitions/0/Environment", before, after)
    alone = modified(
        "Task", "AWS::ECS::TaskDefinition", "/ContainerDefinitions/0/Environment/0/Value", "canary", "canary"
    )
    foundation.drifts = {f"{PREFIX}-security": [change, alone]}
    found = _found(account, "bootstrap", "security")
    assert "canary" not in repr(found)
    assert found[1].message.endswith("/Environment/0/Value: [hidden]; [hidden] was deployed")


def test_what_cloudformation_can_not_look_at_is_told(account: Account, foundation: DriftingCloudFormation) -> None:
    foundation.failures[f"{PREFIX}-security"] = "Failed to detect drift on resource [Key]"
    [found] = _found(account, "bootstrap", "security")
    assert found.message == (
        "CloudFormation could not look at every resource: Failed to detect drift on resource [Key]"
    )


def test_a_detection_that_does_not_end_is_given_up(account: Account, foundation: DriftingCloudFormation) -> None:
    foundation.polls = 1000
    clock = itertools.count(step=DRIFT_SECONDS / 3).__next__
    with pytest.raises(DeployError, match=rf"did not look through {PREFIX}-bootstrap within 15 minutes"):
        _found(account, "bootstrap", "security", clock=clock)


def test_tags_and_protection_of_the_stack_itself(account: Account, foundation: DriftingCloudFormation) -> None:
    backend = cloudformation_backends[ACCOUNT][REGION]
    stack = next(stack for stack in backend.stacks.values() if stack.name == f"{PREFIX}-security")
    stack.tags = {"Project": "headgate", "Environment": "staging"}
    stack.enable_termination_protection = False
    bootstrap = next(stack for stack in backend.stacks.values() if stack.name == f"{PREFIX}-bootstrap")
    assert bootstrap.enable_termination_protection
    assert _found(account, "bootstrap", "security") == [
        Difference("security", f"{PREFIX}-security", "the tag Environment is 'staging'; it should be 'prod'"),
        Difference("security", f"{PREFIX}-security", "the tag ManagedBy is gone; it should be 'headgate'"),
        Difference("security", f"{PREFIX}-security", "termination protection is off: the stack can be deleted"),
    ]


def test_stacks_that_are_missing_changing_or_too_many(account: Account, foundation: DriftingCloudFormation) -> None:
    [security] = [
        stack
        for stack in cloudformation_backends[ACCOUNT][REGION].stacks.values()
        if stack.name == f"{PREFIX}-security"
    ]
    security.status = "UPDATE_IN_PROGRESS"
    tags = [{"Key": name, "Value": value} for name, value in _wanted("bootstrap")[0].tags.items()]
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    foundation.client.create_stack(StackName=f"{PREFIX}-redis", TemplateBody=template, Tags=tags)
    foundation.client.create_stack(StackName=f"{PREFIX}x-other", TemplateBody=template)
    assert _found(account, "bootstrap", "security", "network") == [
        Difference("security", f"{PREFIX}-security", "it is in UPDATE_IN_PROGRESS: nothing more can be told"),
        Difference("network", f"{PREFIX}-network", "the stack is gone, although others stand"),
        Difference("redis", f"{PREFIX}-redis", "this stack is of the environment, and nothing asks for it"),
    ]


def test_an_environment_that_does_not_exist_has_no_differences(account: Account) -> None:
    _drifting(account)
    assert _found(account, "bootstrap", "security", "network") == []


def test_what_runs_and_what_it_is_configured_with(account: Account) -> None:
    templates = ["bootstrap", "security", "network", "alb", "database", "redis", "gateway"]
    deploy(account, environment(), templates)
    foundation = _drifting(account)
    [gone] = _found(account, *templates)
    assert (gone.component, gone.resource) == ("gateway", KEY)
    assert gone.message.startswith(
        "the object is gone, and no task can start any more; `aws s3api list-object-versions"
    )
    assert f"--bucket {BUCKET} --prefix {KEY}`" in gone.message

    account.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=CONFIGURATION)
    [changed] = _found(account, *templates)
    assert changed.message.startswith("the object does not hold what it is named after, and no task can start")

    truly = f"configuration/{hashlib.sha256(CONFIGURATION).hexdigest()}.yaml"
    account.client("s3").put_object(Bucket=BUCKET, Key=truly, Body=CONFIGURATION)
    gateway = with_parameters(_wanted("gateway")[0], ConfigurationKey=truly)
    StackRunner(foundation.client, call=account.call, poll_seconds=0).apply(gateway)
    assert _found(account, *templates) == []

    [service] = ecs_backends[ACCOUNT][REGION].services.values()
    assert service.task_definition is not None
    deployed = service.task_definition.rpartition("/")[2]
    service.task_definition = service.task_definition.rpartition("/")[0] + "/by-hand:7"
    assert _found(account, *templates) == [
        Difference("gateway", "Service", f"the service gateway runs by-hand:7; {deployed} was deployed")
    ]
    assert foundation.detected.count(f"{PREFIX}-gateway") == 4


def test_every_service_names_the_task_definition_of_its_stack() -> None:
    services = [(spec, logical) for spec in specs(everything_on()).values() for logical, _ in names_of(spec, *_SERVICE)]
    assert len(services) == 3
    for spec, logical in services:
        definition = spec.parsed["Resources"][logical]["Properties"]["TaskDefinition"]["Ref"]
        assert spec.parsed["Resources"][definition]["Type"] == "AWS::ECS::TaskDefinition"


def test_refusals_are_sentences(account: Account, foundation: DriftingCloudFormation) -> None:
    foundation.client.delete_stack(StackName=f"{PREFIX}-security")
    account._clients["cloudformation"] = foundation.client
    with pytest.raises(DeployError, match="The stacks: "):
        _found(account, "bootstrap")
