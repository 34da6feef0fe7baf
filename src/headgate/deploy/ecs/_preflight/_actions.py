"""What the deployer must be allowed to do: by type of resource, and for itself.

The lists follow the permissions that CloudFormation's handlers of each type declare, for creating it, reading it, and
taking it away again when a creation is rolled back:
https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/resource-types.html
"""

from collections.abc import Mapping


def _of(**services: str) -> frozenset[str]:
    """Return actions as policies name them, of services with their actions in one text."""
    return frozenset(
        f"{service.replace('_', '-')}:{action}" for service, actions in services.items() for action in actions.split()
    )


_PASSES = "PassRole"
_LINKED = "CreateServiceLinkedRole"

BY_TYPE: Mapping[str, frozenset[str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": _of(
        application_autoscaling="RegisterScalableTarget DeregisterScalableTarget DescribeScalableTargets", iam=_LINKED
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": _of(
        application_autoscaling="PutScalingPolicy DeleteScalingPolicy DescribeScalingPolicies"
    ),
    "AWS::Budgets::Budget": _of(budgets="ModifyBudget ViewBudget"),
    "AWS::CertificateManager::Certificate": _of(
        acm="RequestCertificate DescribeCertificate DeleteCertificate AddTagsToCertificate",
        route53="ChangeResourceRecordSets GetChange",
    ),
    "AWS::CloudTrail::Trail": _of(
        cloudtrail="CreateTrail StartLogging DeleteTrail DescribeTrails GetTrailStatus AddTags", iam=_LINKED
    ),
    "AWS::CloudWatch::Alarm": _of(cloudwatch="PutMetricAlarm DescribeAlarms DeleteAlarms TagResource"),
    "AWS::CloudWatch::Dashboard": _of(cloudwatch="PutDashboard GetDashboard DeleteDashboards"),
    "AWS::EC2::EIP": _of(ec2="AllocateAddress ReleaseAddress DescribeAddresses CreateTags"),
    "AWS::EC2::FlowLog": _of(ec2="CreateFlowLogs DeleteFlowLogs DescribeFlowLogs CreateTags", iam=_PASSES),
    "AWS::EC2::InternetGateway": _of(
        ec2="CreateInternetGateway DeleteInternetGateway DescribeInternetGateways CreateTags"
    ),
    "AWS::EC2::NatGateway": _of(ec2="CreateNatGateway DeleteNatGateway DescribeNatGateways CreateTags"),
    "AWS::EC2::Route": _of(ec2="CreateRoute DeleteRoute DescribeRouteTables"),
    "AWS::EC2::RouteTable": _of(ec2="CreateRouteTable DeleteRouteTable DescribeRouteTables CreateTags"),
    "AWS::EC2::SecurityGroup": _of(
        ec2="CreateSecurityGroup DeleteSecurityGroup DescribeSecurityGroups CreateTags AuthorizeSecurityGroupIngress"
        " AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress"
    ),
    "AWS::EC2::SecurityGroupIngress": _of(
        ec2="AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress DescribeSecurityGroupRules"
    ),
    "AWS::EC2::Subnet": _of(ec2="CreateSubnet DeleteSubnet DescribeSubnets CreateTags"),
    "AWS::EC2::SubnetRouteTableAssociation": _of(ec2="AssociateRouteTable DisassociateRouteTable DescribeRouteTables"),
    "AWS::EC2::VPC": _of(ec2="CreateVpc DeleteVpc DescribeVpcs ModifyVpcAttribute DescribeVpcAttribute CreateTags"),
    "AWS::EC2::VPCEndpoint": _of(
        ec2="CreateVpcEndpoint DeleteVpcEndpoints DescribeVpcEndpoints CreateTags", route53="AssociateVPCWithHostedZone"
    ),
    "AWS::EC2::VPCGatewayAttachment": _of(
        ec2="AttachInternetGateway DetachInternetGateway DescribeInternetGateways DescribeVpcs"
    ),
    "AWS::ECR::Repository": _of(
        ecr="CreateRepository DeleteRepository DescribeRepositories PutLifecyclePolicy TagResource"
    ),
    "AWS::ECS::Cluster": _of(ecs="CreateCluster DeleteCluster DescribeClusters TagResource", iam=_LINKED),
    "AWS::ECS::Service": _of(ecs="CreateService UpdateService DeleteService DescribeServices TagResource", iam=_LINKED),
    "AWS::ECS::TaskDefinition": _of(
        ecs="RegisterTaskDefinition DeregisterTaskDefinition DescribeTaskDefinition TagResource", iam=_PASSES
    ),
    "AWS::EFS::AccessPoint": _of(
        elasticfilesystem="CreateAccessPoint DeleteAccessPoint DescribeAccessPoints TagResource"
    ),
    "AWS::EFS::FileSystem": _of(
        elasticfilesystem="CreateFileSystem DeleteFileSystem DescribeFileSystems TagResource PutLifecycleConfiguration"
        " PutBackupPolicy PutFileSystemPolicy",
        kms="CreateGrant DescribeKey GenerateDataKeyWithoutPlaintext",
        iam=_LINKED,
    ),
    "AWS::EFS::MountTarget": _of(
        elasticfilesystem="CreateMountTarget DeleteMountTarget DescribeMountTargets",
        ec2="CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces DescribeSubnets",
    ),
    "AWS::ElastiCache::ParameterGroup": _of(
        elasticache="CreateCacheParameterGroup DeleteCacheParameterGroup DescribeCacheParameterGroups"
        " ModifyCacheParameterGroup AddTagsToResource"
    ),
    "AWS::ElastiCache::ReplicationGroup": _of(
        elasticache="CreateReplicationGroup DeleteReplicationGroup DescribeReplicationGroups DescribeCacheClusters"
        " AddTagsToResource",
        iam=_LINKED,
    ),
    "AWS::ElastiCache::SubnetGroup": _of(
        elasticache="CreateCacheSubnetGroup DeleteCacheSubnetGroup DescribeCacheSubnetGroups AddTagsToResource"
    ),
    "AWS::ElasticLoadBalancingV2::Listener": _of(
        elasticloadbalancing="CreateListener DeleteListener DescribeListeners AddTags"
    ),
    "AWS::ElasticLoadBalancingV2::ListenerCertificate": _of(
        elasticloadbalancing="AddListenerCertificates RemoveListenerCertificates DescribeListenerCertificates"
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": _of(
        elasticloadbalancing="CreateRule DeleteRule DescribeRules AddTags"
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _of(
        elasticloadbalancing="CreateLoadBalancer DeleteLoadBalancer DescribeLoadBalancers AddTags"
        " ModifyLoadBalancerAttributes",
        iam=_LINKED,
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": _of(
        elasticloadbalancing="CreateTargetGroup DeleteTargetGroup DescribeTargetGroups ModifyTargetGroupAttributes"
        " AddTags"
    ),
    "AWS::Events::Rule": _of(events="PutRule PutTargets RemoveTargets DeleteRule DescribeRule TagResource"),
    "AWS::IAM::ManagedPolicy": _of(
        iam="CreatePolicy DeletePolicy GetPolicy AttachRolePolicy DetachRolePolicy ListPolicyVersions"
    ),
    "AWS::IAM::Role": _of(
        iam="CreateRole DeleteRole GetRole PutRolePolicy DeleteRolePolicy AttachRolePolicy DetachRolePolicy TagRole"
    ),
    "AWS::KMS::Alias": _of(kms="CreateAlias DeleteAlias"),
    "AWS::KMS::Key": _of(
        kms="CreateKey DescribeKey EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion TagResource CreateGrant"
    ),
    "AWS::KinesisFirehose::DeliveryStream": _of(
        firehose="CreateDeliveryStream DeleteDeliveryStream DescribeDeliveryStream TagDeliveryStream", iam=_PASSES
    ),
    "AWS::Lambda::Function": _of(
        **{
            "lambda": "CreateFunction DeleteFunction GetFunction TagResource",
            "iam": _PASSES,
            "ec2": "DescribeSecurityGroups DescribeSubnets DescribeVpcs",
        }
    ),
    "AWS::Lambda::Permission": _of(**{"lambda": "AddPermission RemovePermission GetPolicy"}),
    "AWS::Logs::LogGroup": _of(logs="CreateLogGroup DeleteLogGroup DescribeLogGroups PutRetentionPolicy TagResource"),
    "AWS::Logs::MetricFilter": _of(logs="PutMetricFilter DeleteMetricFilter DescribeMetricFilters"),
    "AWS::Logs::SubscriptionFilter": _of(
        logs="PutSubscriptionFilter DeleteSubscriptionFilter DescribeSubscriptionFilters", iam=_PASSES
    ),
    "AWS::RDS::DBInstance": _of(
        rds="CreateDBInstance DeleteDBInstance DescribeDBInstances AddTagsToResource CreateDBSnapshot",
        iam=_LINKED,
        secretsmanager="CreateSecret TagResource",
        kms="CreateGrant DescribeKey",
    ),
    "AWS::RDS::DBParameterGroup": _of(
        rds="CreateDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups ModifyDBParameterGroup"
        " DescribeDBParameters AddTagsToResource"
    ),
    "AWS::RDS::DBSubnetGroup": _of(
        rds="CreateDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups AddTagsToResource"
    ),
    "AWS::Route53::RecordSet": _of(route53="ChangeResourceRecordSets GetChange GetHostedZone ListResourceRecordSets"),
    "AWS::S3::Bucket": _of(
        s3="CreateBucket DeleteBucket PutBucketVersioning PutEncryptionConfiguration PutBucketPublicAccessBlock"
        " PutBucketOwnershipControls PutLifecycleConfiguration PutBucketTagging"
    ),
    "AWS::S3::BucketPolicy": _of(s3="PutBucketPolicy DeleteBucketPolicy GetBucketPolicy"),
    "AWS::SNS::Subscription": _of(sns="Subscribe Unsubscribe GetSubscriptionAttributes"),
    "AWS::SNS::Topic": _of(sns="CreateTopic DeleteTopic GetTopicAttributes SetTopicAttributes TagResource"),
    "AWS::SNS::TopicPolicy": _of(sns="SetTopicAttributes GetTopicAttributes"),
    "AWS::SecretsManager::RotationSchedule": _of(
        **{"secretsmanager": "RotateSecret CancelRotateSecret DescribeSecret", "lambda": "InvokeFunction"}
    ),
    "AWS::SecretsManager::Secret": _of(
        secretsmanager="CreateSecret DeleteSecret DescribeSecret GetRandomPassword TagResource",
        kms="GenerateDataKey Decrypt",
    ),
    "AWS::SecretsManager::SecretTargetAttachment": _of(
        secretsmanager="GetSecretValue PutSecretValue", rds="DescribeDBInstances"
    ),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _of(
        servicediscovery="CreatePrivateDnsNamespace DeleteNamespace GetNamespace GetOperation TagResource",
        route53="CreateHostedZone DeleteHostedZone GetHostedZone ListHostedZonesByName",
        ec2="DescribeVpcs DescribeRegions",
    ),
    "AWS::ServiceDiscovery::Service": _of(
        servicediscovery="CreateService DeleteService GetService TagResource",
        route53="ChangeResourceRecordSets GetHostedZone",
    ),
    "AWS::WAFv2::WebACL": _of(wafv2="CreateWebACL DeleteWebACL GetWebACL TagResource"),
    "AWS::WAFv2::WebACLAssociation": _of(
        wafv2="AssociateWebACL DisassociateWebACL GetWebACLForResource GetWebACL", elasticloadbalancing="SetWebACL"
    ),
}

OF_THE_DEPLOYER = _of(
    cloudformation="CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet DescribeStacks"
    " DescribeStackEvents DescribeStackResource ListStackResources GetTemplate DeleteStack ContinueUpdateRollback"
    " UpdateTerminationProtection",
    s3="GetObject PutObject DeleteObject",
    secretsmanager="DescribeSecret GetSecretValue PutSecretValue RotateSecret",
    ecs="DescribeServices UpdateService ListTasks DescribeTasks",
)
"""What the deployer calls itself, whatever it creates: stacks, its bucket, values of secrets, the service."""
