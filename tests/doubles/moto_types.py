"""CloudFormation in moto, made whole enough to prove a deployment.

moto drops resource types that it does not know and says CREATE_COMPLETE all the same. Types that its backends could
create are taught here; every other type of our templates stands in `WITHOUT_BACKEND`: it becomes a placeholder, so that
references and dependencies are still resolved, and nothing else about it is proven. Any type beyond both is an error.

moto runs change sets without exports, outputs and transforms; `installed` mends that as well.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.acm.models import acm_backends
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.ec2.models import ec2_backends
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ecs.models import Cluster, ecs_backends
from moto.efs.models import AccessPoint, FileSystem
from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup, elbv2_backends
from moto.iam.models import ManagedPolicy, iam_backends
from moto.logs.models import logs_backends
from moto.rds.models import DBInstance, DBParameterGroup, rds_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.secretsmanager.utils import random_password
from moto.servicediscovery.models import servicediscovery_backends

from tests.doubles.moto_properties import completed

WITHOUT_BACKEND = frozenset(
    {
        "AWS::Budgets::Budget",
        "AWS::CloudTrail::Trail",
        "AWS::ElastiCache::ParameterGroup",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::SubnetGroup",
        "AWS::ElasticLoadBalancingV2::ListenerCertificate",
        "AWS::KinesisFirehose::DeliveryStream",
        "AWS::Logs::SubscriptionFilter",
        # moto would enforce this one without its condition, and refuse whatever comes over plain HTTP as all here does.
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::WAFv2::WebACL",
        "AWS::WAFv2::WebACLAssociation",
    }
)
"""Types of which only references and dependencies are proven."""


ADMINISTRATOR = "rds!db-administrator"
"""Name of the secret that RDS would make for its administrator."""


class Taught(CloudFormationModel):
    """A resource whose physical id is all that moto's CloudFormation has to know."""

    def __init__(self, identity: str, attributes: Mapping[str, str] | None = None) -> None:
        self.identity = identity
        self.attributes = attributes or {}

    @property
    def physical_resource_id(self) -> str:
        return self.identity

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.attributes.get(attribute_name, f"{self.identity}.{attribute_name}")

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Any:
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Nothing of a placeholder is anywhere else."""


class _Placeholder(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        kind = cloudformation_json["Type"].replace("::", "-").lower()
        return cls(f"arn:aws:{kind}:{region_name}:{account_id}:{resource_name}")


class _Secret(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        value = None
        if generated := given.get("GenerateSecretString"):
            password = random_password(int(generated["PasswordLength"]), "", False, True, False, False, False, True)
            members = json.loads(generated["SecretStringTemplate"]) | {generated["GenerateStringKey"]: password}
            value = json.dumps(members)
        backend = secretsmanager_backends[account_id][region_name]
        created = backend.create_secret(
            given["Name"], value, None, None, None, given["KmsKeyId"], None, replica_regions=[], force_overwrite=False
        )
        return cls(json.loads(created)["ARN"])

    def delete(self, account_id: str, region_name: str) -> None:
        secretsmanager_backends[account_id][region_name].delete_secret(self.identity, None, True)


class _SecretTargetAttachment(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        database = rds_backends[account_id][region_name].describe_db_instances(given["TargetId"])[0]
        backend = secretsmanager_backends[account_id][region_name]
        value = json.loads(backend.get_secret_value(given["SecretId"], "", "")["SecretString"])
        value |= {"host": database.address, "port": database.port}
        backend.put_secret_value(given["SecretId"], json.dumps(value), "", "attached" + "0" * 24, ["AWSCURRENT"])
        return cls(given["SecretId"])


class _Certificate(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        backend = acm_backends[account_id][region_name]
        return cls(backend.request_certificate(given["DomainName"], resource_name, [], []))

    def delete(self, account_id: str, region_name: str) -> None:
        acm_backends[account_id][region_name].delete_certificate(self.identity)


class _Alarm(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        cloudwatch_backends[account_id][region_name].put_metric_alarm(
            name=given["AlarmName"],
            namespace=given.get("Namespace", ""),
            metric_name=given.get("MetricName", ""),
            comparison_operator=given["ComparisonOperator"],
            evaluation_periods=given["EvaluationPeriods"],
            period=given.get("Period", 0),
            threshold=given["Threshold"],
            description=given["AlarmDescription"],
            statistic=given.get("Statistic", ""),
            dimensions=given.get("Dimensions", []),
            alarm_actions=given["AlarmActions"],
        )
        return cls(given["AlarmName"])

    def delete(self, account_id: str, region_name: str) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([self.identity])


class _ScalableTarget(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        # Typed as text in moto, yet answered as it is.
        suspended_state: Any = {}
        applicationautoscaling_backends[account_id][region_name].register_scalable_target(
            given["ServiceNamespace"],
            given["ResourceId"],
            given["ScalableDimension"],
            given["MinCapacity"],
            given["MaxCapacity"],
            "",
            suspended_state,
        )
        return cls(f"{given['ResourceId']}|{given['ScalableDimension']}|{given['ServiceNamespace']}")

    def delete(self, account_id: str, region_name: str) -> None:
        resource, dimension, namespace = self.identity.split("|")
        applicationautoscaling_backends[account_id][region_name].deregister_scalable_target(
            namespace, resource, dimension
        )


class _ScalingPolicy(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        resource, dimension, namespace = given["ScalingTargetId"].split("|")
        policy = applicationautoscaling_backends[account_id][region_name].put_scaling_policy(
            given["PolicyName"],
            namespace,
            resource,
            dimension,
            given["TargetTrackingScalingPolicyConfiguration"],
            given["PolicyType"],
        )
        return cls(f"{policy.policy_name}|{given['ScalingTargetId']}")

    def delete(self, account_id: str, region_name: str) -> None:
        name, resource, dimension, namespace = self.identity.split("|")
        applicationautoscaling_backends[account_id][region_name].delete_scaling_policy(
            name, namespace, resource, dimension
        )


class _Namespace(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        backend = servicediscovery_backends[account_id][region_name]
        operation = backend.create_private_dns_namespace(
            given["Name"], resource_name, given["Description"], given["Vpc"], [], {}
        )
        return cls(backend.get_operation(operation).targets["NAMESPACE"])

    def delete(self, account_id: str, region_name: str) -> None:
        servicediscovery_backends[account_id][region_name].delete_namespace(self.identity)


class _DiscoveryService(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        backend = servicediscovery_backends[account_id][region_name]
        backend.get_namespace(given["NamespaceId"])
        service = backend.create_service(
            given["Name"],
            given["NamespaceId"],
            resource_name,
            given["Description"],
            given["DnsConfig"],
            {},
            given["HealthCheckCustomConfig"],
            [],
            "DNS",
        )
        return cls(service.id, {"Arn": service.arn})

    def delete(self, account_id: str, region_name: str) -> None:
        servicediscovery_backends[account_id][region_name].delete_service(self.identity)


class _MetricFilter(Taught):
    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        given = cloudformation_json["Properties"]
        # As the API names the members.
        transformations: Any = [
            {key[:1].lower() + key[1:]: value for key, value in one.items()} for one in given["MetricTransformations"]
        ]
        backend = logs_backends[account_id][region_name]
        backend.put_metric_filter(resource_name, given["FilterPattern"], given["LogGroupName"], transformations)
        return cls(resource_name, {"LogGroupName": given["LogGroupName"]})

    def delete(self, account_id: str, region_name: str) -> None:
        logs_backends[account_id][region_name].delete_metric_filter(self.identity, self.attributes["LogGroupName"])


TAUGHT: dict[str, Any] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": _ScalableTarget,
    "AWS::ApplicationAutoScaling::ScalingPolicy": _ScalingPolicy,
    "AWS::CertificateManager::Certificate": _Certificate,
    "AWS::CloudWatch::Alarm": _Alarm,
    "AWS::Logs::MetricFilter": _MetricFilter,
    "AWS::SecretsManager::Secret": _Secret,
    "AWS::SecretsManager::SecretTargetAttachment": _SecretTargetAttachment,
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _Namespace,
    "AWS::ServiceDiscovery::Service": _DiscoveryService,
    **dict.fromkeys(WITHOUT_BACKEND, _Placeholder),
}


def _create(self: CloudFormationBackend, stack: Stack, change_set: Any) -> None:
    """Create a stack as `create_stack` does, which knows exports; moto's change sets do not."""
    stack.template, stack.parameters, stack.tags = change_set.template, change_set.parameters, change_set.tags or {}
    stack._parse_template()
    _transform(stack)
    stack.cross_stack_resources = self.exports
    stack.resource_map = stack._create_resource_map()
    stack.output_map = stack._create_output_map()
    stack._add_stack_event("CREATE_IN_PROGRESS")
    stack.create_resources()
    for export in stack.exports:
        self.exports[export.name] = export


def _update(self: CloudFormationBackend, stack: Stack, change_set: Any) -> None:
    stack.resource_map.cross_stack_resources = self.exports
    stack._add_stack_event("UPDATE_IN_PROGRESS")
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    _transform(stack)
    stack.resource_map.update(stack.template_dict, stack.parameters)
    _roll_services(stack)
    stack.output_map = stack._create_output_map()
    stack._add_stack_event("UPDATE_COMPLETE")
    stack.status = "UPDATE_COMPLETE"


def _roll_services(stack: Stack) -> None:
    """Hand services the task definitions that took the place of theirs; moto compares references by their text."""
    for name, resource in stack.template_dict["Resources"].items():
        if resource["Type"] == "AWS::ECS::Service":
            service: Any = stack.resource_map[name]
            definition: Any = stack.resource_map[resource["Properties"]["TaskDefinition"]["Ref"]]
            wanted = definition.physical_resource_id
            if service.task_definition != wanted:
                change = {"cluster": service.cluster_name, "service": service.name, "task_definition": wanted}
                ecs_backends[stack.account_id][stack.region_name].update_service(change)


def _transform(stack: Stack) -> None:
    """Do what AWS::LanguageExtensions does for our templates: deletion policies that follow a parameter."""
    for resource in stack.template_dict["Resources"].values():
        policy = resource.get("DeletionPolicy")
        if isinstance(policy, dict):
            policy = stack.parameters[policy["Ref"]]
        if policy == "RetainExceptOnCreate":
            policy = "Retain"
        if policy is not None:
            resource["DeletionPolicy"] = policy


def _delete_resources(self: Any) -> None:
    """Delete in the reverse order of creation, as CloudFormation does; moto tries in any order and depends on luck."""
    for name in reversed([name for name in self._parsed_resources if name in self._resource_json_map]):
        resource, template = self._parsed_resources.pop(name), self._resource_json_map[name]
        if template.get("DeletionPolicy") != "Retain":
            self._delete_resource(resource, template)


def _stack_resources(self: Stack) -> list[Any]:
    """Leave out resources whose condition does not hold; moto lists them without a name."""
    return [] if self.status == "DELETE_COMPLETE" else [one for one in self.resource_map.values() if one]


def _execute_change_set(self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = self.describe_change_set(change_set_name)
    assert change_set is not None
    stack = self.stacks[change_set.stack_id]
    (_create if change_set.change_set_type == "CREATE" else _update)(self, stack, change_set)
    change_set.execution_status = "EXECUTE_COMPLETE"


def _update_termination_protection(self: Any) -> Any:
    from moto.core.responses import ActionResult

    [stack] = self.cloudformation_backend.describe_stacks(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


def _class_of(kind: str) -> type[CloudFormationModel]:
    known: dict[str, type[CloudFormationModel]] = parsing.get_model_map() | TAUGHT
    if kind not in known:
        raise AssertionError(f"moto would silently drop {kind}: teach it here, or add it to WITHOUT_BACKEND")
    return known[kind]


def _exports(self: Any) -> list[Any]:
    """Leave out exports whose condition does not hold, which moto tries to resolve."""
    holds = self._resource_map.lazy_condition_map
    return [
        parsing.Export(
            self._stack_id,
            parsing.clean_json(output["Export"]["Name"], self._resource_map),
            parsing.clean_json(output["Value"], self._resource_map),
        )
        for output in (self._output_json_map or {}).values()
        if "Export" in output and ("Condition" not in output or holds[output["Condition"]])
    ]


@contextmanager
def installed() -> Iterator[None]:
    """Teach moto, in this process, for a while."""
    from moto.cloudformation.responses import CloudFormationResponse

    def database_attribute(self: Any, attribute_name: str) -> Any:
        return {
            "Endpoint.Address": self.address,
            "Endpoint.Port": str(self.port),
            "DbiResourceId": self.dbi_resource_id,
            "MasterUserSecret.SecretArn": f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{ADMINISTRATOR}",
        }[attribute_name]

    def load_balancer_attribute(self: Any, attribute_name: str) -> Any:
        return {
            "CanonicalHostedZoneID": "Z35SXDOTRQ7X7K",
            "DNSName": self.dns_name,
            "LoadBalancerFullName": self.arn.partition("loadbalancer/")[2],
        }[attribute_name]

    def target_group_attribute(self: Any, attribute_name: str) -> Any:
        return {"TargetGroupFullName": self.arn.rpartition(":")[2]}[attribute_name]

    def access_point_attribute(self: Any, attribute_name: str) -> Any:
        return {"Arn": self.access_point_arn}[attribute_name]

    def file_system_attribute(self: Any, attribute_name: str) -> Any:
        return {"Arn": self.file_system_arn}[attribute_name]

    # Without these, moto leaves what they delete behind, and then refuses to delete the VPC or the role.
    def delete_endpoint(self: Any, account_id: str, region_name: str) -> None:
        ec2_backends[account_id][region_name].delete_vpc_endpoints([self.id])

    def delete_nat_gateway(self: Any, account_id: str, region_name: str) -> None:
        ec2_backends[account_id][region_name].delete_nat_gateway(self.id)

    def delete_route_table(self: Any, account_id: str, region_name: str) -> None:
        ec2_backends[account_id][region_name].delete_route_table(self.id)

    def delete_policy(self: Any, account_id: str, region_name: str) -> None:
        backend = iam_backends[account_id]["aws"]
        for role in backend.roles.values():
            if self.arn in role.managed_policies:
                backend.detach_role_policy(self.arn, role.name)
        backend.delete_policy(self.arn)

    def delete_target_group(self: Any, account_id: str, region_name: str) -> None:
        elbv2_backends[account_id][region_name].target_groups.pop(self.arn, None)

    def delete_cluster(self: Any, account_id: str, region_name: str) -> None:
        ecs_backends[account_id][region_name].delete_cluster(self.name)

    delete_stack = Stack.delete

    def delete(self: Stack) -> None:
        delete_stack(self)
        # Reading its outputs would create the resources anew.
        self.output_map._output_json_map = {}

    patches = (
        patch.object(parsing, "resource_class_from_type", _class_of),
        patch.object(parsing.ResourceMap, "delete", _delete_resources),
        patch.object(parsing.OutputMap, "exports", property(_exports)),
        patch.object(Stack, "stack_resources", property(_stack_resources)),
        patch.object(Stack, "delete", delete),
        patch.object(CloudFormationBackend, "execute_change_set", _execute_change_set),
        patch.object(
            CloudFormationResponse, "update_termination_protection", _update_termination_protection, create=True
        ),
        patch.multiple(
            DBInstance, get_cfn_attribute=database_attribute, has_cfn_attr=classmethod(lambda cls, attr: True)
        ),
        # Without an id moto would hand the group itself to the database, which takes a name.
        patch.object(DBParameterGroup, "physical_resource_id", property(lambda self: self.name), create=True),
        patch.object(VPCEndPoint, "delete", delete_endpoint, create=True),
        patch.object(NatGateway, "delete", delete_nat_gateway, create=True),
        patch.object(RouteTable, "delete", delete_route_table, create=True),
        patch.object(Cluster, "delete", delete_cluster, create=True),
        patch.object(ManagedPolicy, "delete", delete_policy, create=True),
        patch.object(FakeLoadBalancer, "get_cfn_attribute", load_balancer_attribute),
        patch.object(FakeTargetGroup, "get_cfn_attribute", target_group_attribute, create=True),
        patch.object(FakeTargetGroup, "delete", delete_target_group, create=True),
        patch.multiple(
            AccessPoint,
            create=True,
            get_cfn_attribute=access_point_attribute,
            has_cfn_attr=classmethod(lambda cls, attr: True),
            physical_resource_id=property(lambda self: self.access_point_id),
        ),
        patch.multiple(
            FileSystem,
            create=True,
            get_cfn_attribute=file_system_attribute,
            has_cfn_attr=classmethod(lambda cls, attr: True),
        ),
        # It takes windows that touch for windows that overlap.
        patch("moto.rds.models.valid_preferred_maintenance_window", return_value=None),
        completed(),
    )
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield
