"""What was changed behind the deployer's back: CloudFormation's own detection, and what that does not see."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from headgate.core.clock import Clock, monotonic
from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._bucket import Bucket
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.ecs._masking import shown
from headgate.deploy.ecs._names import names_of
from headgate.deploy.ecs._reader import StackReader
from headgate.deploy.ecs._stacks import StackSpec
from headgate.deploy.engine import DeployError, Difference

DRIFT_SECONDS = 900.0
"""How long detection may take; it asks for every resource, one after the other."""
_POLL_SECONDS = 5.0
_DETECTABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"}
)
"""States in which CloudFormation detects drift:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html"""
_OURS = ("Project", "Environment", "ManagedBy")

Stack = Mapping[str, Any]
"""A stack as CloudFormation describes it."""


def differences(
    account: Account, specs: Sequence[StackSpec], component_of: Callable[[str], str], *, clock: Clock = monotonic
) -> list[Difference]:
    """Return what is not as the last run left it; nothing is changed.

    `component_of` returns the component of a template. What the deployment file asks for anew is no difference: that
    is what a plan is for. Values that could be secret are hidden. Raises `DeployError`.
    """
    with explained("The stacks"):
        return list(_Detective(account, specs, component_of, clock).differences())


class _Detective:
    def __init__(
        self, account: Account, specs: Sequence[StackSpec], component_of: Callable[[str], str], clock: Clock
    ) -> None:
        self._account = account
        self._specs = specs
        self._component_of = component_of
        self._clock = clock
        self._client = account.client("cloudformation")
        self._reader = StackReader(self._client, account.call, lambda event: None, _POLL_SECONDS)

    def differences(self) -> Iterator[Difference]:
        found = {spec.template: self._reader.find(spec.name) for spec in self._specs}
        there = [(spec, stack) for spec in self._specs if (stack := found[spec.template]) is not None]
        detections = {
            spec.template: self._account.call(self._client.detect_stack_drift, StackName=spec.name)
            for spec, stack in there
            if stack["StackStatus"] in _DETECTABLE
        }
        until = self._clock() + DRIFT_SECONDS
        for spec in self._specs if there else ():
            stack = found[spec.template]
            if stack is None:
                yield self._difference(spec, spec.name, "the stack is gone, although others stand")
                continue
            yield from self._labels(spec, stack)
            if spec.template not in detections:
                yield self._difference(spec, spec.name, f"it is in {stack['StackStatus']}: nothing more can be told")
                continue
            yield from self._drifted(spec, detections[spec.template]["StackDriftDetectionId"], until)
            yield from self._services(spec)
            yield from self._configuration(spec, stack)
        yield from self._strangers()

    def _difference(self, spec: StackSpec, resource: str, message: str) -> Difference:
        return Difference(self._component_of(spec.template), resource, message)

    def _labels(self, spec: StackSpec, stack: Stack) -> Iterator[Difference]:
        """Look at what belongs to the stack itself."""
        tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
        for key, value in spec.tags.items():
            if tags.get(key) != value:
                now = "is gone" if key not in tags else f"is {tags[key]!r}"
                yield self._difference(spec, spec.name, f"the tag {key} {now}; it should be {value!r}")
        protected = bool(stack.get("EnableTerminationProtection"))
        if protected != spec.termination_protection:
            now = "on, although the environment is not protected" if protected else "off: the stack can be deleted"
            yield self._difference(spec, spec.name, f"termination protection is {now}")

    def _drifted(self, spec: StackSpec, detection: str, until: float) -> Iterator[Difference]:
        """Wait for CloudFormation's detection and tell what it found."""
        ask = self._client.describe_stack_drift_detection_status
        while (status := self._account.call(ask, StackDriftDetectionId=detection))["DetectionStatus"] == (
            "DETECTION_IN_PROGRESS"
        ):
            if self._clock() > until:
                raise DeployError(
                    f"CloudFormation did not look through {spec.name} within {DRIFT_SECONDS / 60:.0f} minutes."
                    " Run this again later."
                )
            self._account.call.wait(_POLL_SECONDS)
        if status["DetectionStatus"] == "DETECTION_FAILED":
            reason = status.get("DetectionStatusReason", "no reason given")
            yield self._difference(spec, spec.name, f"CloudFormation could not look at every resource: {reason}")
        for one in self._pages(spec.name):
            if one["StackResourceDriftStatus"] == "DELETED":
                gone = f"{one['ResourceType']} {one.get('PhysicalResourceId', '')}".rstrip()
                yield self._difference(spec, one["LogicalResourceId"], f"{gone} was deleted")
                continue
            for property_difference in one.get("PropertyDifferences", []):
                message = f"{one['ResourceType']} {_told(property_difference, one)}"
                yield self._difference(spec, one["LogicalResourceId"], message)

    def _pages(self, stack: str) -> Iterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {
            "StackName": stack,
            "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
        }
        while True:
            answer = self._account.call(self._client.describe_stack_resource_drifts, **arguments)
            yield from answer["StackResourceDrifts"]
            if not (token := answer.get("NextToken")):
                return
            arguments["NextToken"] = token

    def _services(self, spec: StackSpec) -> Iterator[Difference]:
        """Compare the tasks that services run with those of their stack."""
        cluster = f"{spec.parameters['Project']}-{spec.parameters['Environment']}"
        client = self._account.client("ecs")
        for logical, name in names_of(spec, "AWS::ECS::Service", "ServiceName"):
            definition = spec.parsed["Resources"][logical]["Properties"]["TaskDefinition"]["Ref"]
            wanted = self._account.call(
                self._client.describe_stack_resource, StackName=spec.name, LogicalResourceId=definition
            )["StackResourceDetail"].get("PhysicalResourceId", "")
            found = self._account.call(client.describe_services, cluster=cluster, services=[name])["services"]
            for service in found:
                if service["status"] == "ACTIVE" and service["taskDefinition"] != wanted:
                    now, then = (text.rpartition("/")[2] for text in (service["taskDefinition"], wanted))
                    yield self._difference(spec, logical, f"the service {name} runs {now}; {then} was deployed")

    def _configuration(self, spec: StackSpec, stack: Stack) -> Iterator[Difference]:
        """Check that the object with the gateway's configuration holds what it is named after."""
        deployed = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
        key = deployed.get("ConfigurationKey")
        if not key:
            return
        bucket = Bucket(self._account, f"{spec.parameters['Project']}-{spec.parameters['Environment']}").name
        client = self._account.client("s3")
        earlier = f"`aws s3api list-object-versions --bucket {bucket} --prefix {key}` shows its earlier versions"
        try:
            content = self._account.call(client.get_object, Bucket=bucket, Key=key)["Body"].read()
        except client.exceptions.ClientError as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
            yield self._difference(spec, key, f"the object is gone, and no task can start any more; {earlier}")
            return
        if hashlib.sha256(content).hexdigest() != PurePosixPath(key).stem:
            what = "the object does not hold what it is named after, and no task can start any more"
            yield self._difference(spec, key, f"{what}; {earlier}")

    def _strangers(self) -> Iterator[Difference]:
        """Look for stacks of this environment that should not be there."""
        wanted = {name: self._specs[0].tags[name] for name in _OURS} if self._specs else {}
        names = {spec.name for spec in self._specs}
        pages = self._client.get_paginator("describe_stacks").paginate()
        for stack in self._account.call(lambda: [one for page in pages for one in page["Stacks"]]):
            tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
            if stack["StackName"] not in names and wanted.items() <= tags.items():
                template = stack["StackName"].removeprefix(f"{wanted['Project']}-{wanted['Environment']}-")
                message = "this stack is of the environment, and nothing asks for it"
                yield Difference(self._component_of(template), stack["StackName"], message)


def _told(difference: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    path = difference["PropertyPath"]
    before = shown(difference.get("ExpectedValue", ""), path, resource.get("ExpectedProperties", ""))
    after = shown(difference.get("ActualValue", ""), path, resource.get("ActualProperties", ""))
    match difference["DifferenceType"]:
        case "ADD":
            return f"{path}: {after} was added"
        case "REMOVE":
            return f"{path}: {before} was removed"
        case _:
            return f"{path}: {after}; {before} was deployed"
