"""All stacks, with the real runner, from an empty account to all of them and back to nothing."""

import io
import json
import sys
import zipfile
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from headgate.deploy.ecs import Account, Event, StackError, StackRunner, StackSpec, exports, resources, stack_specs
from headgate.deploy.ecs._names import taken_names
from headgate.deploy.secrets import CATALOGUE
from tests.deploy.ecs.environments import ACCOUNT, INPUTS, environment, everything_on, with_parameters
from tests.doubles.moto_types import WITHOUT_BACKEND

BUCKET = f"headgate-prod-{ACCOUNT}-us-east-1"


def _specs(account: Account) -> list[StackSpec]:
    zone = account.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"]
    wanted = everything_on().model_copy(update={"hosted_zone_id": zone.rpartition("/")[2]})
    return list(stack_specs(wanted, INPUTS))


def _produce_package(account: Account, bucket: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("empty.py", "")
    account.client("s3").put_object(Bucket=bucket, Key=INPUTS.rotation_package, Body=archive.getvalue())


def _create_all(account: Account, runner: StackRunner, specs: list[StackSpec], bucket: str = BUCKET) -> None:
    for spec in specs:
        assert runner.apply(spec).changed
        if spec.template == "bootstrap":
            _produce_package(account, bucket)


def test_from_nothing_to_all_stacks_and_back(account: Account) -> None:
    events: list[Event] = []
    cloudformation = account.client("cloudformation")
    runner = StackRunner(cloudformation, on_event=events.append, poll_seconds=0)
    specs = _specs(account)

    _create_all(account, runner, specs)

    for spec in specs:
        assert runner.state(spec.name) == "CREATE_COMPLETE"
        listed = cloudformation.list_stack_resources(StackName=spec.name)["StackResourceSummaries"]
        assert {one["LogicalResourceId"] for one in listed} == set(resources(spec)), spec.name
        assert {one["ResourceStatus"] for one in listed} == {"CREATE_COMPLETE"}
    exported = {one["Name"]: one["Value"] for one in cloudformation.list_exports()["Exports"]}
    assert set(exported) == set().union(*(exports(spec) for spec in specs))
    assert [name for name, value in exported.items() if not value or "${" in value or "{" in value] == []
    assert {event.status for event in events} >= {"CREATE_IN_PROGRESS", "CREATE_COMPLETE"}

    # The same again changes nothing; another image is an update of the one stack that has it.
    assert [runner.apply(spec).changed for spec in specs] == [False] * len(specs)
    gateway = next(spec for spec in specs if spec.template == "gateway")
    definitions = account.client("ecs").list_task_definitions()["taskDefinitionArns"]
    newer = with_parameters(gateway, Image=INPUTS.image.replace("0" * 64, "1" * 64))
    assert runner.apply(newer).status == "UPDATE_COMPLETE"
    assert account.client("ecs").list_task_definitions()["taskDefinitionArns"] != definitions

    deletions = runner.destroy(specs, unprotect=True)
    assert [one.stack for one in deletions] == [spec.name for spec in reversed(specs)]
    assert cloudformation.list_exports()["Exports"] == []
    _assert_only_data_is_left(account)
    # Whoever creates it anew is told what is in the way.
    taken = Counter(
        sentence.split(" makes the ")[1].rpartition(", and")[0].rpartition(" ")[0]
        for sentence in taken_names(account, specs)
    )
    log_groups = sum(one["Type"] == "AWS::Logs::LogGroup" for spec in specs for one in resources(spec).values())
    # The salt key is taken over.
    assert taken == {"bucket": 2, "image repository": 1, "secret": len(CATALOGUE) - 1, "log group": log_groups}


def test_the_other_side_of_the_switches_is_created_as_well(account: Account) -> None:
    cloudformation = account.client("cloudformation")
    runner = StackRunner(cloudformation, poll_seconds=0)
    wanted = environment("dev", image="litellm", open_webui=True, nat=True, database_iam=True)
    specs = list(stack_specs(wanted, INPUTS))
    _create_all(account, runner, specs, f"headgate-dev-{ACCOUNT}-us-east-1")
    for spec in specs:
        listed = cloudformation.list_stack_resources(StackName=spec.name)["StackResourceSummaries"]
        assert {one["LogicalResourceId"] for one in listed} == set(resources(spec)), spec.name
    made = {name for spec in specs for name in resources(spec)}
    assert {"OpenWebUiListener", "LoadBalancerIngressForOpenWebUi", "IamAuthenticationPolicy"} <= made
    balancers = account.client("elbv2")
    [balancer] = balancers.describe_load_balancers()["LoadBalancers"]
    found = balancers.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert {(one["Protocol"], one["Port"]) for one in found} == {("HTTP", 80), ("HTTP", 8080)}


def _assert_only_data_is_left(account: Account) -> None:
    ec2 = account.client("ec2")
    assert ec2.describe_vpcs(Filters=[{"Name": "isDefault", "Values": ["false"]}])["Vpcs"] == []
    clusters = account.client("ecs").describe_clusters(clusters=["headgate-prod"])["clusters"]
    assert [cluster["status"] for cluster in clusters] == ["INACTIVE"]
    assert account.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert account.client("rds").describe_db_instances()["DBInstances"] == []
    assert account.client("iam").list_roles()["Roles"] == []
    assert account.client("lambda").list_functions()["Functions"] == []
    assert account.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert account.client("servicediscovery").list_namespaces()["Namespaces"] == []
    # Data of a protected environment outlives it.
    buckets = {bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]}
    assert buckets == {BUCKET, f"headgate-prod-logs-{ACCOUNT}-us-east-1"}
    secrets = {secret["Name"] for secret in account.client("secretsmanager").list_secrets()["SecretList"]}
    assert secrets == {f"headgate/prod/{entry.name}" for entry in CATALOGUE}
    assert len(account.client("efs").describe_file_systems()["FileSystems"]) == 1
    assert len(account.client("kms").list_keys()["Keys"]) == 1


def test_secrets_are_generated_and_nobody_gives_them(account: Account) -> None:
    runner = StackRunner(account.client("cloudformation"), poll_seconds=0)
    for spec in _specs(account)[:2]:
        runner.apply(spec)
    secrets = account.client("secretsmanager")

    def value(name: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(secrets.get_secret_value(SecretId=f"headgate/prod/{name}")["SecretString"])
        return found

    assert len(value("master-key")["LITELLM_MASTER_KEY"]) == 48
    assert value("ui-password")["UI_USERNAME"] == "admin"
    assert len(value("ui-password")["UI_PASSWORD"]) == 24
    assert value("database").items() >= {"username": "headgate_a", "dbname": "headgate"}.items()
    with pytest.raises(ClientError, match="can't find the specified secret value"):
        value("api-keys")


@pytest.mark.parametrize(
    "template", ["security", "network", "alb", "database", "redis", "gateway", "webui", "mock", "monitoring"]
)
def test_no_stack_can_be_created_before_what_it_needs(account: Account, template: str) -> None:
    runner = StackRunner(account.client("cloudformation"), poll_seconds=0)
    spec = next(spec for spec in _specs(account) if spec.template == template)
    with pytest.raises(StackError, match=f"refuses {spec.name}: No export named headgate-prod-"):
        runner.apply(spec)


def test_types_that_are_only_placeholders_are_counted(account: Account) -> None:
    declared = {one["Type"]: 0 for spec in _specs(account) for one in resources(spec).values()}
    of_ours = sorted(set(declared) & WITHOUT_BACKEND)
    sys.stdout.write(f"\n{len(of_ours)} of {len(declared)} types are placeholders in moto: {', '.join(of_ours)}\n")
    assert set(of_ours) == WITHOUT_BACKEND
    assert (len(of_ours), len(declared)) == (14, 62)
