"""What must hold of every template, whatever the environment."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_file

from headgate.deploy import ecs, rotation
from headgate.deploy.ecs import TEMPLATES, template_text
from headgate.deploy.ecs._templates import loader_on
from headgate.deploy.rotation import PASSWORD_LENGTH, Kind
from headgate.deploy.secrets import CATALOGUE
from tests.deploy.ecs.templates import PARSED, default, of_type, only, resource, statements, variable_name

FOLDER = Path(ecs.__file__).parent / "templates"
INTERNET = ("0.0.0.0/0", "::/0")


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
    secrets = dict(of_type("AWS::SecretsManager::Secret"))
    assert len(secrets) == 8
    assert [name for name, secret in secrets.items() if "SecretString" in secret] == []
    for secret in secrets.values():
        given = json.dumps(secret.get("GenerateSecretString", {}).get("SecretStringTemplate", ""))
        assert "assword" not in given
        assert "KmsKeyId" in secret
    database = only("AWS::RDS::DBInstance")
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database
    assert only("AWS::ElastiCache::ReplicationGroup")["AuthToken"]["Fn::Sub"].startswith("{{resolve:secretsmanager:")
    parameters = {key for parsed in PARSED.values() for key in parsed["Parameters"]}
    assert [key for key in parameters if re.search("Secret|Token|Password(?!Length)", key)] == []
    containers = [one for _, task in of_type("AWS::ECS::TaskDefinition") for one in task["ContainerDefinitions"]]
    variables = {one["Name"] for container in containers for one in container["Environment"] if "Name" in one}
    assert (
        variables & {"LITELLM_MASTER_KEY", "DATABASE_URL", "OPENAI_API_KEY", "UI_PASSWORD", "REDIS_PASSWORD"} == set()
    )
    assert variables & {"HEADGATE_MASTER_KEY", "WEBUI_SECRET_KEY", "WEBUI_ADMIN_PASSWORD"} == set()


def test_the_lengths_of_secrets() -> None:
    assert default("security", "MasterKeyLength") == 48
    assert default("security", "UiPasswordLength") == 24
    assert default("database", "RotationDays") == 30


def test_functions_are_those_of_the_rotation_package() -> None:
    handlers = {properties["Handler"].rpartition(".")[2] for _, properties in of_type("AWS::Lambda::Function")}
    assert handlers == {kind.handler.rpartition(".")[2] for kind in Kind} | {rotation.overdue_handler.__name__}
    assert {properties["Handler"].rpartition(".")[0] for _, properties in of_type("AWS::Lambda::Function")} == {
        rotation.__name__
    }
    assert default("security", "DatabasePasswordLength") == PASSWORD_LENGTH
    group = {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-RotationSecurityGroupId"}}
    for name in ("MasterKeyRotationFunction", "DatabaseRotationFunction"):
        assert resource("database", name)["VpcConfig"]["SecurityGroupIds"] == [group]


def test_secrets_are_named_and_filled_as_the_catalogue_says() -> None:
    catalogue = {entry.name: set(entry.names) for entry in CATALOGUE}
    made = {
        secret["Name"]["Fn::Sub"].rpartition("/")[2]: secret for _, secret in of_type("AWS::SecretsManager::Secret")
    }
    assert set(made) == set(catalogue)
    for name, secret in made.items():
        if generated := secret.get("GenerateSecretString"):
            assert generated["GenerateStringKey"] in catalogue[name]


def test_every_egress_is_inline_and_only_443_leaves_for_anywhere() -> None:
    assert list(of_type("AWS::EC2::SecurityGroupEgress")) == []
    groups = dict(of_type("AWS::EC2::SecurityGroup"))
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
        for name, group in of_type("AWS::EC2::SecurityGroup")
    }
    open_ones = {name for name, sources in ranges.items() if {"Ref": "ClientCidr"} in sources}
    assert open_ones == {"network.LoadBalancerSecurityGroup"}
    inbound = dict(of_type("AWS::EC2::SecurityGroupIngress"))
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
    services = {one["ServiceName"]["Fn::Sub"].split("}.")[1] for _, one in of_type("AWS::EC2::VPCEndpoint")}
    wanted = "s3 ecr.api ecr.dkr secretsmanager logs kms sts bedrock-runtime ssmmessages monitoring ecs"
    assert services == set(wanted.split())
    assert [name for name, one in of_type("AWS::EC2::VPCEndpoint") if "PolicyDocument" not in one] == []
    assert [one["TrafficType"] for _, one in of_type("AWS::EC2::FlowLog")] == ["ALL"]


def test_addresses_are_those_of_the_guides() -> None:
    names = ("VpcCidr", "PublicSubnet1Cidr", "PublicSubnet2Cidr", "PrivateSubnet1Cidr", "PrivateSubnet2Cidr")
    assert [default("network", name) for name in names] == [
        "10.0.0.0/16",
        "10.0.1.0/24",
        "10.0.2.0/24",
        "10.0.11.0/24",
        "10.0.12.0/24",
    ]
    zones = {name: subnet["AvailabilityZone"]["Fn::Select"][0] for name, subnet in of_type("AWS::EC2::Subnet")}
    assert zones == {f"network.{kind}Subnet{number}": number - 1 for kind in ("Public", "Private") for number in (1, 2)}


def test_roles_may_do_nothing_wider_than_needed() -> None:
    without_resource = {"ecr:GetAuthorizationToken"} | {
        f"ssmmessages:{verb}{channel}Channel" for verb in ("Create", "Open") for channel in ("Control", "Data")
    }
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, policy in of_type(kind):
            for statement in statements({key: policy[key] for key in ("Policies", "PolicyDocument") if key in policy}):
                actions = _listed(statement["Action"])
                assert [action for action in actions if "*" in action] == [], name
                if "*" in _listed(statement["Resource"]):
                    assert set(actions) <= without_resource, name
    [bedrock] = statements(resource("security", "BedrockPolicy"))
    assert bedrock["Resource"] == {"Ref": "BedrockModelArns"}
    assert all(action.startswith("bedrock:InvokeModel") for action in bedrock["Action"])


def test_services_can_not_be_made_deputies_of_other_accounts() -> None:
    for name, role in of_type("AWS::IAM::Role"):
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        # Lambda does not say for whom it assumes a role.
        if statement["Principal"]["Service"] != "lambda.amazonaws.com":
            assert statement["Condition"], name
    for name, permission in of_type("AWS::Lambda::Permission"):
        # A schedule is named itself, which says the account as well.
        named = (
            permission["SourceArn"]
            if permission["Principal"] == "events.amazonaws.com"
            else permission["SourceAccount"]
        )
        assert named in ({"Ref": "AWS::AccountId"}, {"Fn::GetAtt": ["RotationCheckRule", "Arn"]}), name


def test_what_holds_data_is_encrypted_private_and_kept() -> None:
    for name, bucket in of_type("AWS::S3::Bucket"):
        assert all(bucket["PublicAccessBlockConfiguration"].values()), name
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["BucketEncryption"]
    for name, policy in of_type("AWS::S3::BucketPolicy"):
        first = policy["PolicyDocument"]["Statement"][0]
        assert (first["Effect"], first["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}}), name
    for name, group in of_type("AWS::Logs::LogGroup"):
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
        for name, found in parsed["Resources"].items():
            if name == "SaltKeySecret":
                assert found["DeletionPolicy"] == "RetainExceptOnCreate"
            elif found["Type"] in keeps:
                assert found["DeletionPolicy"] == {"Ref": "DataPolicy"}, name
                assert found["UpdateReplacePolicy"] == "Retain"
    database = PARSED["database"]["Resources"]["Database"]
    assert (database["DeletionPolicy"], database["UpdateReplacePolicy"]) == ({"Ref": "DatabasePolicy"}, "Snapshot")
    assert PARSED["security"]["Resources"]["Key"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert only("AWS::KMS::Key")["EnableKeyRotation"] is True


def test_images_are_scanned_immutable_and_never_latest() -> None:
    repository = only("AWS::ECR::Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    pattern = PARSED["gateway"]["Parameters"]["Image"]["AllowedPattern"]
    assert PARSED["mock"]["Parameters"]["Image"]["AllowedPattern"] == pattern
    assert PARSED["webui"]["Parameters"]["Image"]["AllowedPattern"] == pattern
    accepted = ("a.example/headgate:0.1.0", f"headgate@sha256:{'a' * 64}", "headgate:latest-1")
    refused = ("headgate", "headgate:latest", "a.example:5000/headgate", f"headgate@sha256:{'a' * 63}")
    assert [image for image in (*accepted, *refused) if re.fullmatch(pattern, image)] == list(accepted)


def test_the_database_is_as_documented() -> None:
    database = only("AWS::RDS::DBInstance")
    assert only("AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
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
    assert {name: default("database", name) for name in expected} == expected
    assert database["AutoMinorVersionUpgrade"] is True
    assert database["MaxAllocatedStorage"] == {"Ref": "MaxAllocatedStorage"}
    assert database["DBInstanceClass"] == {"Ref": "InstanceClass"}
    redis = only("AWS::ElastiCache::ReplicationGroup")
    assert redis["TransitEncryptionEnabled"] is redis["AtRestEncryptionEnabled"] is True
    assert only("AWS::ElastiCache::ParameterGroup")["Properties"] == {"maxmemory-policy": "noeviction"}


def test_the_load_balancer_is_as_documented() -> None:
    group = {name: default("alb", name) for name in ("HealthCheckPath", "HealthyThreshold", "UnhealthyThreshold")}
    assert group == {"HealthCheckPath": "/health/liveliness", "HealthyThreshold": 2, "UnhealthyThreshold": 5}
    assert (default("alb", "HealthCheckIntervalSeconds"), default("alb", "HealthCheckTimeoutSeconds")) == (30, 15)
    rules = {
        rule["Priority"]: rule["Conditions"][0]["PathPatternConfig"]["Values"]
        for name, rule in of_type("AWS::ElasticLoadBalancingV2::ListenerRule")
        if name.startswith("alb.")
    }
    assert rules[10] == ["/v1/*"]
    assert rules[20] == ["/health", "/health/*"]
    assert rules[30] == ["/ui", "/ui/*"]
    assert rules[100] == ["/*"]
    assert {"/metrics", "/docs"} <= set(rules[5])
    redirect, plain = resource("alb", "HttpListener")["DefaultActions"][0]["Fn::If"][1:]
    assert redirect["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    assert plain["Type"] == "fixed-response"
    attributes = {one["Key"]: one["Value"] for one in resource("alb", "LoadBalancer")["LoadBalancerAttributes"]}
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"


def test_a_task_or_a_zone_may_fail() -> None:
    public, private = (
        [{"Fn::ImportValue": {"Fn::Sub": f"${{Project}}-${{Environment}}-{kind}Subnet{number}Id"}} for number in (1, 2)]
        for kind in ("Public", "Private")
    )
    assert resource("alb", "LoadBalancer")["Subnets"] == public
    service = resource("gateway", "Service")
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"] == private
    assert resource("database", "SubnetGroup")["SubnetIds"] == private
    # Nobody gets a task that fails its checks, and ECS replaces it.
    group = resource("alb", "TargetGroup")
    assert group["UnhealthyThresholdCount"] == {"Ref": "UnhealthyThreshold"}
    assert service["LoadBalancers"][0]["ContainerName"] == "proxy"
    standby = {"Fn::If": ["HasStandby", True, False]}
    assert resource("database", "Database")["MultiAZ"] == resource("redis", "RedisGroup")["MultiAZEnabled"] == standby


def test_a_load_balancer_in_plaintext_has_to_be_asked_for() -> None:
    [assertion] = PARSED["alb"]["Rules"]["EncryptedOrSaidOtherwise"]["Assertions"]
    assert "AllowPlaintext" in json.dumps(assertion["Assert"])
    assert default("alb", "AllowPlaintext") == "false"


def test_timeouts_fit_into_each_other() -> None:
    assert default("alb", "IdleTimeoutSeconds") >= 600
    assert default("gateway", "KeepaliveTimeoutSeconds") > default("alb", "IdleTimeoutSeconds")
    assert default("gateway", "ShutdownTimeoutSeconds") < default("gateway", "StopTimeoutSeconds") == 120
    assert default("gateway", "StopTimeoutSeconds") <= default("alb", "DeregistrationDelaySeconds")


def test_rules_on_bodies_only_count_on_paths_that_take_prompts() -> None:
    rules = {rule["Name"]: rule for rule in only("AWS::WAFv2::WebACL")["Rules"]}
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
    service, task = resource("gateway", "Service"), resource("gateway", "TaskDefinition")
    assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert "DesiredCount" not in service
    assert only("AWS::ECS::Cluster")["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert list(of_type("AWS::ECS::ClusterCapacityProviderAssociations")) == []
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
    assert {name: default("gateway", name) for name in expected} == expected
    assert "DEBUG" not in PARSED["gateway"]["Parameters"]["LogLevel"]["AllowedValues"]
    metrics = {
        policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]
        for _, policy in of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    }
    assert metrics == {
        "ECSServiceAverageCPUUtilization",
        "ECSServiceAverageMemoryUtilization",
        "ALBRequestCountPerTarget",
    }
    for container in task["ContainerDefinitions"]:
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert container["Image"] == {"Ref": "Image"}
    names = [variable_name(one) for one in task["ContainerDefinitions"][1]["Secrets"]]
    assert {"LITELLM_MASTER_KEY", "UI_USERNAME", "UI_PASSWORD", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"} <= set(names)
    assert {"DATABASE_URL", "LITELLM_SALT_KEY"} <= set(names)


def test_the_gateway_gets_the_window_of_its_master_key_and_litellm_the_one_key_that_it_knows() -> None:
    secrets = {
        variable_name(one): one for one in resource("gateway", "TaskDefinition")["ContainerDefinitions"][1]["Secrets"]
    }
    arn = {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-MasterKeySecretArn"}}
    condition, given, otherwise = secrets["HEADGATE_MASTER_KEY"]["Fn::If"]
    assert (condition, given["ValueFrom"], otherwise) == ("WholeMasterKey", arn, {"Ref": "AWS::NoValue"})
    condition, whole, member = secrets["LITELLM_MASTER_KEY"]["ValueFrom"]["Fn::If"]
    assert (condition, whole) == ("WholeMasterKey", arn)
    assert member == {"Fn::Sub": ["${Arn}:LITELLM_MASTER_KEY::", {"Arn": arn}]}
    assert PARSED["gateway"]["Conditions"]["WholeMasterKey"] == {"Fn::Equals": [{"Ref": "MasterKeyForm"}, "whole"]}


def test_who_logs_in_by_iam_is_made_by_the_rotation_and_allowed_to_tasks() -> None:
    variables = resource("database", "DatabaseRotationFunction")["Environment"]["Variables"]
    user = {"Fn::Sub": "${DatabaseName}_iam"}
    assert variables["IAM_USER"] == {"Fn::If": ["HasIamAuthentication", user, {"Ref": "AWS::NoValue"}]}
    assert PARSED["database"]["Outputs"]["IamUser"]["Value"] == user
    policy = resource("database", "IamAuthenticationPolicy")
    [statement] = statements(policy)
    assert statement["Action"] == "rds-db:connect"
    assert statement["Resource"]["Fn::Sub"].endswith(":dbuser:${Database.DbiResourceId}/${DatabaseName}_iam")
    assert resource("database", "Database")["EnableIAMDatabaseAuthentication"]["Fn::If"][0] == "HasIamAuthentication"
    container = resource("gateway", "TaskDefinition")["ContainerDefinitions"][1]
    assert {"Fn::If": ["ByIam", "--iam_token_db_auth", {"Ref": "AWS::NoValue"}]} in container["Command"]
    given = {variable_name(one) for one in container["Environment"]}
    assert {"DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_USER"} <= given


def test_the_mock_is_reached_by_its_private_name_and_by_nobody_but_the_gateway() -> None:
    service = resource("mock", "Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["SecurityGroups"] == [
        {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-MockSecurityGroupId"}}
    ]
    assert "LoadBalancers" not in service
    assert service["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
    assert service["Cluster"] == {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-ClusterName"}}
    assert service["ServiceRegistries"] == [{"RegistryArn": {"Fn::GetAtt": ["DiscoveryService", "Arn"]}}]
    assert resource("network", "Namespace")["Name"] == {"Fn::Sub": "${Project}-${Environment}.internal"}
    namespace = {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-NamespaceId"}}
    assert resource("mock", "DiscoveryService")["NamespaceId"] == namespace
    name = resource("mock", "DiscoveryService")["Name"]
    url = PARSED["mock"]["Outputs"]["MockUrl"]["Value"]["Fn::Sub"]
    assert url == f"http://{name}.${{Project}}-${{Environment}}.internal:${{MockPort}}/v1"
    assert default("mock", "MockPort") == default("network", "MockPort")
    rules = [one for one in resource("network", "TaskSecurityGroup")["SecurityGroupEgress"] if "MockPort" in str(one)]
    assert [rule["DestinationSecurityGroupId"] for rule in rules] == [{"Ref": "MockSecurityGroup"}]


def test_the_mock_has_no_right_and_no_secret() -> None:
    task = resource("mock", "TaskDefinition")
    assert "TaskRoleArn" not in task
    [container] = task["ContainerDefinitions"]
    assert "Secrets" not in container
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    # What the execution role may write to.
    assert resource("mock", "LogGroup")["LogGroupName"] == {"Fn::Sub": "/ecs/${Environment}-${Project}-mock"}
