"""CloudFormation's drift detection, which moto does not have, as a script; everything else goes to moto."""

import json
from dataclasses import dataclass, field
from typing import Any


def modified(logical: str, kind: str, path: str, before: str, after: str, change: str = "NOT_EQUAL") -> dict[str, Any]:
    """Return a resource with one changed property, as describe_stack_resource_drifts does."""
    difference = {"PropertyPath": path, "ExpectedValue": before, "ActualValue": after, "DifferenceType": change}
    return {
        "LogicalResourceId": logical,
        "PhysicalResourceId": f"{logical}-id",
        "ResourceType": kind,
        "StackResourceDriftStatus": "MODIFIED",
        "PropertyDifferences": [difference],
        "ExpectedProperties": json.dumps({}),
        "ActualProperties": json.dumps({}),
    }


def deleted(logical: str, kind: str) -> dict[str, Any]:
    """Return a resource that is gone, as describe_stack_resource_drifts does."""
    return {
        "LogicalResourceId": logical,
        "PhysicalResourceId": f"{logical}-id",
        "ResourceType": kind,
        "StackResourceDriftStatus": "DELETED",
    }


@dataclass
class DriftingCloudFormation:
    """boto3's client. `drifts` are what changed, by stack; `polls` is how often a detection is still in progress.

    `failures` are the reasons of detections that end as failed, by stack.
    """

    client: Any
    drifts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    polls: int = 0
    detected: list[str] = field(default_factory=list)
    page_size: int = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def detect_stack_drift(self, StackName: str) -> Any:  # noqa: N803
        """Begin to look."""
        self.detected.append(StackName)
        return {"StackDriftDetectionId": f"detection-of-{StackName}"}

    def describe_stack_drift_detection_status(self, StackDriftDetectionId: str) -> Any:  # noqa: N803
        """Say how far it is."""
        stack = StackDriftDetectionId.removeprefix("detection-of-")
        if self.polls:
            self.polls -= 1
            return {"DetectionStatus": "DETECTION_IN_PROGRESS"}
        if stack in self.failures:
            return {"DetectionStatus": "DETECTION_FAILED", "DetectionStatusReason": self.failures[stack]}
        return {"DetectionStatus": "DETECTION_COMPLETE"}

    def describe_stack_resource_drifts(
        self,
        StackName: str,  # noqa: N803
        StackResourceDriftStatusFilters: list[str],  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> Any:
        """Say what was found, page by page."""
        wanted = [
            one
            for one in self.drifts.get(StackName, [])
            if one["StackResourceDriftStatus"] in StackResourceDriftStatusFilters
        ]
        start = int(NextToken)
        page = {"StackResourceDrifts": wanted[start : start + self.page_size]}
        return page | ({"NextToken": str(start + 1)} if start + 1 < len(wanted) else {})
