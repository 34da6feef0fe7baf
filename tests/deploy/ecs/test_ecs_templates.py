"""What must hold of every template, whatever the environment."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_file

from headgate.deploy import ecs, rotation
from headgate.deploy.ecs import TEMPLATES, parse_template, template_text
from headgate.deploy.ecs._templates import loader_on
from headgate.deploy.rotation import PASSWORD_LENGTH, Kind
from headgate.deploy.rotation._overdue import report
from headgate.deploy.secrets import CATALOGUE
from headgate.telemetry import Counters, OverheadReport
from headgate.telemetry._logging import JsonFormatter

FOLDER = Path(ecs.__file__).parent / "templates"
PARSED = {name: parse_template(template_text(name)) for name in TEMPLATES}
INTERNET = ("0.0.0.0/0", "::/0")


def _of_type(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and properties of every resource of a type."""
    for template, parsed in PARSED.items():
        for name, resource in parsed["Resources"].items():
            if resource["Type"] == kind:
                yield f"{template}.{name}", resource.get("Properties", {})


def _one(kind: str) -> Mapping[str, Any]:
    [(_, properties)] = _of_type(kind)
    return properties


def _resource(template: str, name: str) -> Any:
    return PARSED[template]["Resources"][name]["Properties"]


def _default(template: str, parameter: str) -> Any:
    return PARSED[template]["Parameters"][parameter]["Default"]


def _walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk(item)


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    for one in _walk(value):
        if isinstance(one, dict) and "Effect" in one:
            yield one


def _name(variable: Any) -> Any:
    """Return the name of a variable that may stand under a condition."""
    return variable["Name"] if "Name" in variable else variable["Fn::If"][1]["Name"]


def _port(value: Any) -> Any:
    return value["Ref"] if isinstance(value, dict) else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_every_template_is_listed() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing(name: str) -> None:
    assert [str(finding) for finding in lint_file(FOLDER / f"{name}.yaml")] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_cloudformation_takes_the_text_itself(name: str) -> None:
    # More has to come from a bucket; aliases are refused.
    assert len(template_text(name).encode()) <= 51_200
    assert re.search(r"[:\s-] [&*][A-Za-z]", template_text(name)) is None


@pytest.mark.parametrize("name", TEMPLATES)
def test_both_parsers_of_yaml_read_the_same(name: str) -> None:
    text = template_text(name)
    assert yaml.load(text, Loader=loader_on(yaml.SafeLoader)) == PARSED[name]  # noqa: S506 - a SafeLoader


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_parameter_is_described_and_used(name: str) -> None:
    parameters = PARSED[name]["Parameters"]
    assert [key for key, parameter in parameters.items() if not parameter.get("Description")] == []
    rest = json.dumps({key: value for key, value in PARSED[name].items() if key != "Parameters"})
    assert [key for key in parameters if f'"{key}"' not in rest and f"${{{key}}}" not in rest] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_exports_are_named_by_project_and_environment(name: str) -> None:
    for key, output in PARSED[name].get("Outputs", {}).items():
        if "Export" in output:
            assert output["Export"]["Name"] == {"Fn::Sub": f"${{Project}}-${{Environment}}-{key}"}


def test_no_secret_has_a_value_in_a_template() -> None:
    secrets = dict(_of_type("AWS::SecretsManager::Secret"))
    assert len(secrets) == 8
    assert [name for name, secret in secrets.items() if "SecretString" in secret] == []
    for secret in secrets.values():
        given = json.dumps(secret.get("GenerateSecretString", {}).get("SecretStringTemplate", ""))
        assert "assword" not in given
        assert "KmsKeyId" in secret
    database = _one("AWS::RDS::DBInstance")
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database
    assert _one("AWS::ElastiCache::ReplicationGroup")["AuthToken"]["Fn::Sub"].startswith("{{resolve:secretsmanager:")
    parameters = {key for parsed in PARSED.values() for key in parsed["Parameters"]}
    assert [key for key in parameters if re.search("Secret|Token|Password(?!Length)", key)] == []
    containers = [one for _, task in _of_type("AWS::ECS::TaskDefinition") for one in task["ContainerDefinitions"]]
    variables = {one["Name"] for container in containers for one in container["Environment"] if "Name" in one}
    assert (
        variables & {"LITELLM_MASTER_KEY", "DATABASE_URL", "OPENAI_API_KEY", "UI_PASSWORD", "REDIS_PASSWORD"} == set()
    )
    assert variables & {"HEADGATE_MASTER_KEY", "WEBUI_SECRET_KEY", "WEBUI_ADMIN_PASSWORD"} == set()


def test_the_lengths_of_secrets() -> None:
    assert _default("security", "MasterKeyLength") == 48
    assert _default("security", "UiPasswordLength") == 24
    assert _default("database", "RotationDays") == 30


def test_functions_are_those_of_the_rotation_package() -> None:
    handlers = {properties["Handler"].rpartition(".")[2] for _, properties in _of_type("AWS::Lambda::Function")}
    assert handlers == {kind.handler.rpartition(".")[2] for kind in Kind} | {rotation.overdue_handler.__name__}
    assert {properties["Handler"].rpartition(".")[0] for _, properties in _of_type("AWS::Lambda::Function")} == {
        rotation.__name__
    }
    assert _default("security", "DatabasePasswordLength") == PASSWORD_LENGTH


def test_secrets_are_named_and_filled_as_the_catalogue_says() -> None:
    catalogue = {entry.name: set(entry.names) for entry in CATALOGUE}
    made = {
        secret["Name"]["Fn::Sub"].rpartition("/")[2]: secret for _, secret in _of_type("AWS::SecretsManager::Secret")
    }
    assert set(made) == set(catalogue)
    for name, secret in made.items():
        if generated := secret.get("GenerateSecretString"):
            assert generated["GenerateStringKey"] in catalogue[name]


def test_every_egress_is_inline_and_only_443_leaves_for_anywhere() -> None:
    assert list(_of_type("AWS::EC2::SecurityGroupEgress")) == []
    groups = dict(_of_type("AWS::EC2::SecurityGroup"))
    assert len(groups) == 9
    for name, group in groups.items():
        assert group["SecurityGroupEgress"], f"{name} would get a rule that allows everything"
        for entry in group["SecurityGroupEgress"]:
            rule = entry["Fn::If"][1] if "Fn::If" in entry else entry
            assert rule.get("CidrIp") not in INTERNET or (rule["FromPort"], rule["ToPort"]) == (443, 443)
    for closed in ("Database", "Redis", "FileSystem", "Endpoint"):
        [rule] = groups[f"network.{closed}SecurityGroup"]["SecurityGroupEgress"]
        assert rule["CidrIp"] == "127.0.0.1/32"


def test_only_the_load_balancer_is_reached_from_outside() -> None:
    ranges = {
        name: [rule["CidrIp"] for rule in group.get("SecurityGroupIngress", [])]
        for name, group in _of_type("AWS::EC2::SecurityGroup")
    }
    open_ones = {name for name, sources in ranges.items() if {"Ref": "ClientCidr"} in sources}
    assert open_ones == {"network.LoadBalancerSecurityGroup"}
    inbound = dict(_of_type("AWS::EC2::SecurityGroupIngress"))
    plaintext = inbound.pop("network.LoadBalancerIngressForOpenWebUi")
    assert (plaintext["GroupId"], plaintext["CidrIp"]) == ({"Ref": "LoadBalancerSecurityGroup"}, {"Ref": "ClientCidr"})
    assert PARSED["network"]["Resources"]["LoadBalancerIngressForOpenWebUi"]["Condition"] == "HasOpenWebUiListener"
    assert [name for name, rule in inbound.items() if "SourceSecurityGroupId" not in rule] == []
    rules = {
        (rule["GroupId"]["Ref"], _port(rule["FromPort"]), rule["SourceSecurityGroupId"]["Ref"])
        for rule in inbound.values()
    }
    assert rules == {
        ("TaskSecurityGroup", "GatewayPort", "LoadBalancerSecurityGroup"),
        ("DatabaseSecurityGroup", "DatabasePort", "TaskSecurityGroup"),
        ("DatabaseSecurityGroup", "DatabasePort", "RotationSecurityGroup"),
        ("RedisSecurityGroup", "RedisPort", "TaskSecurityGroup"),
        ("MockSecurityGroup", "MockPort", "TaskSecurityGroup"),
        ("OpenWebUiSecurityGroup", "OpenWebUiPort", "LoadBalancerSecurityGroup"),
        ("TaskSecurityGroup", "GatewayPort", "OpenWebUiSecurityGroup"),
        ("FileSystemSecurityGroup", 2049, "OpenWebUiSecurityGroup"),
    }


def test_every_service_that_tasks_and_functions_call_has_an_endpoint() -> None:
    services = {one["ServiceName"]["Fn::Sub"].split("}.")[1] for _, one in _of_type("AWS::EC2::VPCEndpoint")}
    wanted = "s3 ecr.api ecr.dkr secretsmanager logs kms sts bedrock-runtime ssmmessages monitoring ecs"
    assert services == set(wanted.split())
    assert [name for name, one in _of_type("AWS::EC2::VPCEndpoint") if "PolicyDocument" not in one] == []
    assert [one["TrafficType"] for _, one in _of_type("AWS::EC2::FlowLog")] == ["ALL"]


def test_addresses_are_those_of_the_guides() -> None:
    names = ("VpcCidr", "PublicSubnet1Cidr", "PublicSubnet2Cidr", "PrivateSubnet1Cidr", "PrivateSubnet2Cidr")
    assert [_default("network", name) for name in names] == [
        "10.0.0.0/16",
        "10.0.1.0/24",
        "10.0.2.0/24",
        "10.0.11.0/24",
        "10.0.12.0/24",
    ]
    zones = {name: subnet["AvailabilityZone"]["Fn::Select"][0] for name, subnet in _of_type("AWS::EC2::Subnet")}
    assert zones == {f"network.{kind}Subnet{number}": number - 1 for kind in ("Public", "Private") for number in (1, 2)}


def test_roles_may_do_nothing_wider_than_needed() -> None:
    without_resource = {"ecr:GetAuthorizationToken"} | {
        f"ssmmessages:{verb}{channel}Channel" for verb in ("Create", "Open") for channel in ("Control", "Data")
    }
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, policy in _of_type(kind):
            for statement in _statements({key: policy[key] for key in ("Policies", "PolicyDocument") if key in policy}):
                actions = _listed(statement["Action"])
                assert [action for action in actions if "*" in action] == [], name
                if "*" in _listed(statement["Resource"]):
                    assert set(actions) <= without_resource, name
    [bedrock] = _statements(_resource("security", "BedrockPolicy"))
    assert bedrock["Resource"] == {"Ref": "BedrockModelArns"}
    assert all(action.startswith("bedrock:InvokeModel") for action in bedrock["Action"])


def test_services_can_not_be_made_deputies_of_other_accounts() -> None:
    for name, role in _of_type("AWS::IAM::Role"):
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        # Lambda does not say for whom it assumes a role.
        if statement["Principal"]["Service"] != "lambda.amazonaws.com":
            assert statement["Condition"], name
    for name, permission in _of_type("AWS::Lambda::Permission"):
        # A schedule is named itself, which says the account as well.
        named = (
            permission["SourceArn"]
            if permission["Principal"] == "events.amazonaws.com"
            else permission["SourceAccount"]
        )
        assert named in ({"Ref": "AWS::AccountId"}, {"Fn::GetAtt": ["RotationCheckRule", "Arn"]}), name


def test_what_holds_data_is_encrypted_private_and_kept() -> None:
    for name, bucket in _of_type("AWS::S3::Bucket"):
        assert all(bucket["PublicAccessBlockConfiguration"].values()), name
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["BucketEncryption"]
    for name, policy in _of_type("AWS::S3::BucketPolicy"):
        first = policy["PolicyDocument"]["Statement"][0]
        assert (first["Effect"], first["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}}), name
    for name, group in _of_type("AWS::Logs::LogGroup"):
        assert group["KmsKeyId"], name
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    keeps = (
        "AWS::EFS::FileSystem",
        "AWS::S3::Bucket",
        "AWS::ECR::Repository",
        "AWS::SecretsManager::Secret",
        "AWS::Logs::LogGroup",
    )
    for parsed in PARSED.values():
        for name, resource in parsed["Resources"].items():
            if name == "SaltKeySecret":
                assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
            elif resource["Type"] in keeps:
                assert resource["DeletionPolicy"] == {"Ref": "DataPolicy"}, name
                assert resource["UpdateReplacePolicy"] == "Retain"
    database = PARSED["database"]["Resources"]["Database"]
    assert (database["DeletionPolicy"], database["UpdateReplacePolicy"]) == ({"Ref": "DatabasePolicy"}, "Snapshot")
    assert PARSED["security"]["Resources"]["Key"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert _one("AWS::KMS::Key")["EnableKeyRotation"] is True


def test_images_are_scanned_immutable_and_never_latest() -> None:
    repository = _one("AWS::ECR::Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    pattern = PARSED["gateway"]["Parameters"]["Image"]["AllowedPattern"]
    assert PARSED["mock"]["Parameters"]["Image"]["AllowedPattern"] == pattern
    assert PARSED["webui"]["Parameters"]["Image"]["AllowedPattern"] == pattern
    accepted = ("a.example/headgate:0.1.0", f"headgate@sha256:{'a' * 64}", "headgate:latest-1")
    refused = ("headgate", "headgate:latest", "a.example:5000/headgate", f"headgate@sha256:{'a' * 63}")
    assert [image for image in (*accepted, *refused) if re.fullmatch(pattern, image)] == list(accepted)


def test_the_database_is_as_documented() -> None:
    database = _one("AWS::RDS::DBInstance")
    assert _one("AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    assert (database["StorageType"], database["StorageEncrypted"], database["PubliclyAccessible"]) == (
        "gp3",
        True,
        False,
    )
    expected = {
        "InstanceClass": "db.t3.micro",
        "AllocatedStorage": 20,
        "MaxAllocatedStorage": 100,
        "BackupRetentionDays": 7,
        "BackupWindow": "03:00-04:00",
        "MaintenanceWindow": "sun:04:00-sun:05:00",
        "SharedBuffers": 1024 * 1024 // 8,
        "EffectiveCacheSize": 3 * 1024 * 1024 // 8,
        "MaintenanceWorkMem": 256 * 1024,
        "WorkMem": 5 * 1024,
    }
    assert {name: _default("database", name) for name in expected} == expected
    redis = _one("AWS::ElastiCache::ReplicationGroup")
    assert redis["TransitEncryptionEnabled"] is redis["AtRestEncryptionEnabled"] is True
    assert _one("AWS::ElastiCache::ParameterGroup")["Properties"] == {"maxmemory-policy": "noeviction"}


def test_the_load_balancer_is_as_documented() -> None:
    group = {name: _default("alb", name) for name in ("HealthCheckPath", "HealthyThreshold", "UnhealthyThreshold")}
    assert group == {"HealthCheckPath": "/health/liveliness", "HealthyThreshold": 2, "UnhealthyThreshold": 5}
    assert (_default("alb", "HealthCheckIntervalSeconds"), _default("alb", "HealthCheckTimeoutSeconds")) == (30, 15)
    rules = {
        rule["Priority"]: rule["Conditions"][0]["PathPatternConfig"]["Values"]
        for name, rule in _of_type("AWS::ElasticLoadBalancingV2::ListenerRule")
        if name.startswith("alb.")
    }
    assert rules[10] == ["/v1/*"]
    assert rules[20] == ["/health", "/health/*"]
    assert rules[30] == ["/ui", "/ui/*"]
    assert rules[100] == ["/*"]
    assert {"/metrics", "/docs"} <= set(rules[5])
    redirect, plain = _resource("alb", "HttpListener")["DefaultActions"][0]["Fn::If"][1:]
    assert redirect["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    assert plain["Type"] == "fixed-response"
    attributes = {one["Key"]: one["Value"] for one in _resource("alb", "LoadBalancer")["LoadBalancerAttributes"]}
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"


def test_a_load_balancer_in_plaintext_has_to_be_asked_for() -> None:
    [assertion] = PARSED["alb"]["Rules"]["EncryptedOrSaidOtherwise"]["Assertions"]
    assert "AllowPlaintext" in json.dumps(assertion["Assert"])
    assert _default("alb", "AllowPlaintext") == "false"


def test_timeouts_fit_into_each_other() -> None:
    assert _default("alb", "IdleTimeoutSeconds") >= 600
    assert _default("gateway", "KeepaliveTimeoutSeconds") > _default("alb", "IdleTimeoutSeconds")
    assert _default("gateway", "ShutdownTimeoutSeconds") < _default("gateway", "StopTimeoutSeconds") == 120
    assert _default("gateway", "StopTimeoutSeconds") <= _default("alb", "DeregistrationDelaySeconds")


def test_rules_on_bodies_only_count_on_paths_that_take_prompts() -> None:
    rules = {rule["Name"]: rule for rule in _one("AWS::WAFv2::WebACL")["Rules"]}
    counted = [
        override["Name"]
        for rule in rules.values()
        for override in rule["Statement"].get("ManagedRuleGroupStatement", {}).get("RuleActionOverrides", [])
    ]
    assert len(counted) == 9
    labels, elsewhere = rules["bodies-outside-of-the-api"]["Statement"]["AndStatement"]["Statements"]
    keys = [one["LabelMatchStatement"]["Key"].rpartition(":")[2].lower() for one in labels["OrStatement"]["Statements"]]
    assert sorted(keys) == sorted(name.lower() for name in counted)
    pattern = elsewhere["NotStatement"]["Statement"]["RegexMatchStatement"]["RegexString"]
    assert re.search(pattern, "/v1/chat/completions")
    assert re.search(pattern, "/chat/completions")
    assert re.search(pattern, "/api/chat/completions")
    assert not re.search(pattern, "/ui/login")
    assert "RateBasedStatement" in rules["rate"]["Statement"]


def test_the_service_is_as_documented() -> None:
    service, task = _resource("gateway", "Service"), _resource("gateway", "TaskDefinition")
    assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert "DesiredCount" not in service
    assert _one("AWS::ECS::Cluster")["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert list(_of_type("AWS::ECS::ClusterCapacityProviderAssociations")) == []
    expected = {
        "TaskCpu": 512,
        "TaskMemory": 1024,
        "GatewayPort": 4000,
        "LogLevel": "INFO",
        "MinTasks": 1,
        "MaxTasks": 4,
        "CpuTargetPercent": 70,
        "MemoryTargetPercent": 80,
        "ScaleInCooldownSeconds": 300,
        "ScaleOutCooldownSeconds": 60,
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
        "HealthCheckGracePeriodSeconds": 600,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 10,
        "HealthCheckRetries": 5,
        "HealthCheckStartPeriodSeconds": 180,
        "LogRetentionDays": 14,
    }
    assert {name: _default("gateway", name) for name in expected} == expected
    assert "DEBUG" not in PARSED["gateway"]["Parameters"]["LogLevel"]["AllowedValues"]
    metrics = {
        policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]
        for _, policy in _of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    }
    assert metrics == {
        "ECSServiceAverageCPUUtilization",
        "ECSServiceAverageMemoryUtilization",
        "ALBRequestCountPerTarget",
    }
    for container in task["ContainerDefinitions"]:
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert container["Image"] == {"Ref": "Image"}
    names = [_name(one) for one in task["ContainerDefinitions"][1]["Secrets"]]
    assert {"LITELLM_MASTER_KEY", "UI_USERNAME", "UI_PASSWORD", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"} <= set(names)
    assert {"DATABASE_URL", "LITELLM_SALT_KEY"} <= set(names)


def test_the_gateway_gets_the_window_of_its_master_key_and_litellm_the_one_key_that_it_knows() -> None:
    secrets = {_name(one): one for one in _resource("gateway", "TaskDefinition")["ContainerDefinitions"][1]["Secrets"]}
    arn = {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-MasterKeySecretArn"}}
    condition, given, otherwise = secrets["HEADGATE_MASTER_KEY"]["Fn::If"]
    assert (condition, given["ValueFrom"], otherwise) == ("WholeMasterKey", arn, {"Ref": "AWS::NoValue"})
    condition, whole, member = secrets["LITELLM_MASTER_KEY"]["ValueFrom"]["Fn::If"]
    assert (condition, whole) == ("WholeMasterKey", arn)
    assert member == {"Fn::Sub": ["${Arn}:LITELLM_MASTER_KEY::", {"Arn": arn}]}
    assert PARSED["gateway"]["Conditions"]["WholeMasterKey"] == {"Fn::Equals": [{"Ref": "MasterKeyForm"}, "whole"]}


def test_who_logs_in_by_iam_is_made_by_the_rotation_and_allowed_to_tasks() -> None:
    variables = _resource("database", "DatabaseRotationFunction")["Environment"]["Variables"]
    user = {"Fn::Sub": "${DatabaseName}_iam"}
    assert variables["IAM_USER"] == {"Fn::If": ["HasIamAuthentication", user, {"Ref": "AWS::NoValue"}]}
    assert PARSED["database"]["Outputs"]["IamUser"]["Value"] == user
    policy = _resource("database", "IamAuthenticationPolicy")
    [statement] = _statements(policy)
    assert statement["Action"] == "rds-db:connect"
    assert statement["Resource"]["Fn::Sub"].endswith(":dbuser:${Database.DbiResourceId}/${DatabaseName}_iam")
    assert _resource("database", "Database")["EnableIAMDatabaseAuthentication"]["Fn::If"][0] == "HasIamAuthentication"
    container = _resource("gateway", "TaskDefinition")["ContainerDefinitions"][1]
    assert {"Fn::If": ["ByIam", "--iam_token_db_auth", {"Ref": "AWS::NoValue"}]} in container["Command"]
    given = {_name(one) for one in container["Environment"]}
    assert {"DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_USER"} <= given


def test_the_mock_is_reached_by_its_private_name_and_by_nobody_but_the_gateway() -> None:
    service = _resource("mock", "Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["SecurityGroups"] == [
        {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-MockSecurityGroupId"}}
    ]
    assert "LoadBalancers" not in service
    assert service["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
    assert service["Cluster"] == {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-ClusterName"}}
    assert service["ServiceRegistries"] == [{"RegistryArn": {"Fn::GetAtt": ["DiscoveryService", "Arn"]}}]
    assert _resource("network", "Namespace")["Name"] == {"Fn::Sub": "${Project}-${Environment}.internal"}
    namespace = {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-NamespaceId"}}
    assert _resource("mock", "DiscoveryService")["NamespaceId"] == namespace
    name = _resource("mock", "DiscoveryService")["Name"]
    url = PARSED["mock"]["Outputs"]["MockUrl"]["Value"]["Fn::Sub"]
    assert url == f"http://{name}.${{Project}}-${{Environment}}.internal:${{MockPort}}/v1"
    assert _default("mock", "MockPort") == _default("network", "MockPort")
    rules = [one for one in _resource("network", "TaskSecurityGroup")["SecurityGroupEgress"] if "MockPort" in str(one)]
    assert [rule["DestinationSecurityGroupId"] for rule in rules] == [{"Ref": "MockSecurityGroup"}]


def test_the_mock_has_no_right_and_no_secret() -> None:
    task = _resource("mock", "TaskDefinition")
    assert "TaskRoleArn" not in task
    [container] = task["ContainerDefinitions"]
    assert "Secrets" not in container
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    # What the execution role may write to.
    assert _resource("mock", "LogGroup")["LogGroupName"] == {"Fn::Sub": "/ecs/${Environment}-${Project}-mock"}


ALARMS = [
    # template, alarm, metric, threshold, comparison, periods, seconds
    ("database", "CpuAlarm", "CPUUtilization", 80, ">", 3, 300),
    ("database", "FreeStorageAlarm", "FreeStorageSpace", 5 * 1024**3, "<", 3, 300),
    ("database", "ConnectionAlarm", "DatabaseConnections", 80, ">", 3, 300),
    ("gateway", "CpuAlarm", "CPUUtilization", 85, ">", 3, 300),
    ("gateway", "MemoryAlarm", "MemoryUtilization", 90, ">", 3, 300),
    ("gateway", "OverheadAlarm", "OverheadP95", 29, ">", 3, 300),
    ("alb", "UnhealthyHostAlarm", "UnHealthyHostCount", 1, ">=", 3, 60),
    ("alb", "TargetErrorAlarm", "HTTPCode_Target_5XX_Count", 10, ">", 2, 300),
    ("alb", "HealthyHostAlarm", "HealthyHostCount", 2, "<", 3, 60),
    ("alb", "LatencyAlarm", "TargetResponseTime", 0.5, ">", 3, 300),
    ("alb", "ErrorRateAlarm", None, 1, ">", 2, None),
    ("webui", "UnhealthyHostAlarm", "UnHealthyHostCount", 1, ">=", 3, 60),
]
COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
}


@pytest.mark.parametrize(("template", "name", "metric", "threshold", "comparison", "periods", "seconds"), ALARMS)
def test_alarms_are_as_documented(
    template: str, name: str, metric: str | None, threshold: float, comparison: str, periods: int, seconds: int | None
) -> None:
    alarm = _resource(template, name)
    assert alarm.get("MetricName") == metric
    assert _default(template, alarm["Threshold"]["Ref"]) == threshold
    assert alarm["ComparisonOperator"] == COMPARISONS[comparison]
    assert (alarm["EvaluationPeriods"], alarm.get("Period")) == (periods, seconds)


def test_every_alarm_reaches_the_topic() -> None:
    topic = [{"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-AlarmTopicArn"}}]
    alarms = dict(_of_type("AWS::CloudWatch::Alarm"))
    assert len(alarms) == len(ALARMS) + 4
    assert [name for name, alarm in alarms.items() if alarm["AlarmActions"] != topic] == []
    assert [name for name, alarm in alarms.items() if not alarm["AlarmDescription"]] == []
    [target] = _resource("gateway", "TaskStoppedRule")["Targets"]
    assert [target["Arn"]] == topic


def test_a_rotation_that_does_not_happen_is_told_and_so_is_that_nobody_looks() -> None:
    function, rule = _resource("database", "RotationCheckFunction"), _resource("database", "RotationCheckRule")
    assert "VpcConfig" not in function
    [_, secrets] = function["Environment"]["Variables"]["SECRETS"]["Fn::Join"]
    rotated = [one["SecretId"] for _, one in _of_type("AWS::SecretsManager::RotationSchedule")]
    assert secrets == rotated
    assert (rule["ScheduleExpression"], rule["Targets"][0]["Arn"]) == (
        "rate(12 hours)",
        {"Fn::GetAtt": ["RotationCheckFunction", "Arn"]},
    )
    [transformation] = _resource("database", "OverdueRotationMetric")["MetricTransformations"]
    line = json.loads(report(["headgate/prod/database"]))
    assert line[transformation["MetricValue"].removeprefix("$.")] == 1
    alarm = _resource("database", "OverdueRotationAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )
    assert (alarm["Threshold"], alarm["Period"], alarm["Statistic"]) == (1, 86400, "Maximum")
    assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
    [reads, writes] = _statements(_resource("database", "RotationCheckRole")["Policies"])
    assert reads["Action"] == "secretsmanager:DescribeSecret"
    assert all(action.startswith("logs:") for action in writes["Action"])


def test_the_gateways_overhead_is_read_from_its_log() -> None:
    [transformation] = _resource("gateway", "OverheadFilter")["MetricTransformations"]
    alarm = _resource("gateway", "OverheadAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )
    counters = Counters()
    told = OverheadReport(counters)
    counters.observe(0.002)
    record = logging.makeLogRecord({"msg": "overhead", "fields": told.fields()})
    line = json.loads(JsonFormatter().format(record))
    field = transformation["MetricValue"].removeprefix("$.")
    assert line[field] > 0
    assert _resource("gateway", "OverheadFilter")["FilterPattern"] == f"{{ $.{field} >= 0 }}"
    variables = _resource("gateway", "TaskDefinition")["ContainerDefinitions"][1]["Environment"]
    assert {"Name": "JSON_LOGS", "Value": "true"} in variables
    namespaces = {
        one["MetricTransformations"][0]["MetricNamespace"]["Fn::Sub"] for _, one in _of_type("AWS::Logs::MetricFilter")
    }
    body, _ = _one("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    shown = {metric[0] for widget in json.loads(body)["widgets"] for metric in widget["properties"]["metrics"]}
    assert namespaces == {one for one in shown if one.startswith("Headgate/")}


def test_the_dashboard_is_json_over_metrics_that_alarms_use_too() -> None:
    body, names = _one("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    dashboard = json.loads(body)
    assert {"LoadBalancer", "TargetGroup", "Cluster", "Service", "Database"} == set(names)
    shown = {metric[1] for widget in dashboard["widgets"] for metric in widget["properties"]["metrics"]}
    assert {metric for _, _, metric, *_ in ALARMS if metric} <= shown
    places = [(widget["x"], widget["y"]) for widget in dashboard["widgets"]]
    assert len(set(places)) == len(places)
