"""Open WebUI beside the gateway: a scoped key, data that outlives its task, reached through the load balancer alone."""

from typing import Any

from headgate.deploy.compose._images import IMAGES
from headgate.deploy.ecs import parse_template, template_text
from headgate.deploy.secrets import find

WEBUI = parse_template(template_text("webui"))
NETWORK = parse_template(template_text("network"))


def _resource(name: str, template: Any = WEBUI) -> Any:
    return template["Resources"][name]["Properties"]


def _imported(name: str) -> dict[str, Any]:
    return {"Fn::ImportValue": {"Fn::Sub": f"${{Project}}-${{Environment}}-{name}"}}


def _container() -> Any:
    [container] = _resource("TaskDefinition")["ContainerDefinitions"]
    return container


def test_it_has_a_key_of_its_own_and_never_the_master_key() -> None:
    given = {secret["Name"]: secret["ValueFrom"]["Fn::Sub"] for secret in _container()["Secrets"]}
    wanted = {name: _imported("OpenWebUiKeySecretArn") for name in find("open-webui-key").names}
    wanted |= {name: _imported("OpenWebUiAdminSecretArn") for name in find("open-webui-admin").names}
    assert given == {name: [f"${{Arn}}:{name}::", {"Arn": arn}] for name, arn in wanted.items()}
    assert "MasterKey" not in template_text("webui")
    assert "MASTER_KEY" not in template_text("webui")


def test_the_key_is_left_out_of_the_template_and_the_first_login_is_made() -> None:
    security = parse_template(template_text("security"))["Resources"]
    key, login = (security[name]["Properties"] for name in ("OpenWebUiKeySecret", "OpenWebUiAdminSecret"))
    assert key["GenerateSecretString"]["SecretStringTemplate"] == "{}"
    assert key["GenerateSecretString"]["GenerateStringKey"] == "WEBUI_SECRET_KEY"
    assert login["GenerateSecretString"]["GenerateStringKey"] == "WEBUI_ADMIN_PASSWORD"
    [statements] = [
        policy["PolicyDocument"]["Statement"] for policy in security["TaskExecutionRole"]["Properties"]["Policies"]
    ]
    [read] = [one["Resource"] for one in statements if one["Sid"] == "ReadSecrets"]
    for name in ("OpenWebUiKeySecret", "OpenWebUiAdminSecret"):
        assert {"Fn::If": ["HasOpenWebUi", {"Ref": name}, {"Ref": "AWS::NoValue"}]} in read


def test_nobody_can_sign_up_before_its_administrator() -> None:
    variables = {one["Name"]: one["Value"] for one in _container()["Environment"]}
    assert variables["ENABLE_SIGNUP"] == "False"
    assert variables["WEBUI_AUTH_COOKIE_SECURE"] == {"Fn::If": ["HasDomain", "True", "False"]}


def test_it_calls_the_gateway_inside_the_vpc() -> None:
    variables = {one["Name"]: one["Value"] for one in _container()["Environment"]}
    assert variables["OPENAI_API_BASE_URL"] == {"Fn::Sub": ["${Url}/v1", {"Url": _imported("PrivateUrl")}]}
    gateway = parse_template(template_text("gateway"))
    url = gateway["Outputs"]["PrivateUrl"]["Value"]["Fn::Sub"]
    name = _resource("DiscoveryService", gateway)["Name"]
    assert url == f"http://{name}.${{Project}}-${{Environment}}.internal:${{GatewayPort}}"
    [record] = _resource("DiscoveryService", gateway)["DnsConfig"]["DnsRecords"]
    assert int(variables["AIOHTTP_POOL_DNS_TTL"]) == record["TTL"]
    registered = [{"RegistryArn": {"Fn::GetAtt": ["DiscoveryService", "Arn"]}}]
    nothing = {"Ref": "AWS::NoValue"}
    assert _resource("Service", gateway)["ServiceRegistries"] == {"Fn::If": ["HasPrivateName", registered, nothing]}
    egress = {rule["Description"]: rule for rule in _resource("OpenWebUiSecurityGroup", NETWORK)["SecurityGroupEgress"]}
    assert egress["Gateway"]["DestinationSecurityGroupId"] == {"Ref": "TaskSecurityGroup"}
    assert egress["Data"]["DestinationSecurityGroupId"] == {"Ref": "FileSystemSecurityGroup"}


def test_data_is_encrypted_kept_and_backed_up_and_belongs_to_one_task() -> None:
    files = _resource("FileSystem")
    assert files["Encrypted"] is True
    assert files["KmsKeyId"] == _imported("KeyArn")
    assert files["BackupPolicy"] == {"Status": "ENABLED"}
    [statement] = files["FileSystemPolicy"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    [volume] = _resource("TaskDefinition")["Volumes"]
    assert volume["EFSVolumeConfiguration"]["TransitEncryption"] == "ENABLED"
    assert volume["EFSVolumeConfiguration"]["AuthorizationConfig"]["IAM"] == "ENABLED"
    [mount] = _container()["MountPoints"]
    variables = {one["Name"]: one["Value"] for one in _container()["Environment"]}
    assert mount["ContainerPath"] == variables["DATA_DIR"]
    service = _resource("Service")
    deployment = service["DeploymentConfiguration"]
    assert (service["DesiredCount"], deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (1, 0, 100)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    zones = {_resource(f"MountTarget{number}")["SubnetId"]["Fn::ImportValue"]["Fn::Sub"][-15:] for number in (1, 2)}
    assert zones == {"PrivateSubnet1Id"[-15:], "PrivateSubnet2Id"[-15:]}


def test_its_task_may_do_nothing_but_use_its_own_data() -> None:
    [policy] = _resource("TaskRole")["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    assert statement["Resource"] == {"Fn::GetAtt": ["FileSystem", "Arn"]}
    assert "elasticfilesystem:AccessPointArn" in statement["Condition"]["StringEquals"]


def test_it_is_reached_through_the_load_balancer_alone() -> None:
    network = _resource("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["SecurityGroups"] == [_imported("OpenWebUiSecurityGroupId")]
    rule = _resource("ListenerRule")
    alb = parse_template(template_text("alb"))["Resources"]
    ranks = {name: one["Properties"]["Priority"] for name, one in alb.items() if one["Type"].endswith("ListenerRule")}
    assert ranks["InternalRule"] < rule["Priority"] < min(ranks[name] for name in ("ApiRule", "HealthRule", "UiRule"))
    _, by_name, by_port = rule["Conditions"][0]["Fn::If"]
    assert by_name["HostHeaderConfig"] == {"Values": [{"Ref": "DomainName"}]}
    assert by_port["PathPatternConfig"] == {"Values": ["/*"]}
    rules = parse_template(template_text("alb"))["Rules"]["OpenWebUiEncryptedOrSaidOtherwise"]
    assert "AllowPlaintext" in str(rules["Assertions"][0]["Assert"])


def test_image_and_ports_are_those_of_the_other_parts() -> None:
    parameters = WEBUI["Parameters"]
    assert parameters["Image"]["Default"] == IMAGES["open_webui"]
    assert parameters["OpenWebUiPort"]["Default"] == NETWORK["Parameters"]["OpenWebUiPort"]["Default"] == 8080
    assert _resource("TargetGroup")["HealthCheckPath"] == "/health"
    # What the execution role may write to.
    assert _resource("LogGroup")["LogGroupName"] == {"Fn::Sub": "/ecs/${Environment}-${Project}-open-webui"}
