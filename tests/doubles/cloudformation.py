"""CloudFormation as a script: each operation goes through the states that a test gives it, step by poll."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError


def client_error(code: str, message: str, operation: str = "Operation") -> ClientError:
    """Return the error that botocore raises for an answer of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class FakeStack:
    """A stack: `states` are what it will be at the next polls; the last one stays."""

    name: str
    states: list[str]
    protected: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    number: int = 1

    @property
    def identity(self) -> str:
        return f"arn:aws:cloudformation:us-east-1:123456789012:stack/{self.name}/{self.number}"

    def poll(self) -> str:
        """Return the state and step to the next one; a state that ends something leaves its event."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if (
            not self.events
            or self.events[-1]["ResourceStatus"] != state
            or self.events[-1]["LogicalResourceId"] != self.name
        ):
            self.happen(self.name, state, identity=self.identity)
        return state

    def happen(self, resource: str, status: str, reason: str = "", *, identity: str = "") -> None:
        """Add an event."""
        self.events.append(
            {
                "EventId": f"{self.identity}-{len(self.events)}",
                "StackId": self.identity,
                "StackName": self.name,
                "LogicalResourceId": resource,
                "PhysicalResourceId": identity or f"{resource}-id",
                "ResourceType": "AWS::CloudFormation::Stack" if identity else "AWS::Test::Thing",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
        )


class FakeCloudFormation:
    """boto3's client. `requests` are the calls that change something; `errors` are raised by the next calls, in order.

    `next_states` are what a stack goes through after execute_change_set, delete_stack or continue_update_rollback;
    `change_set` is what describe_change_set answers.
    """

    def __init__(self, *stacks: FakeStack) -> None:
        self.stacks = {stack.name: stack for stack in stacks}
        self.gone: dict[str, FakeStack] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[ClientError] = []
        self.next_states: dict[str, list[str]] = {
            "create": ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"],
            "update": ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"],
            "delete": ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"],
            "continue": ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"],
        }
        self.happenings: list[tuple[str, str, str]] = []
        self.change_set: dict[str, Any] = {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": {}}]}

    def names(self) -> list[str]:
        """Return which calls changed something, in order."""
        return [name for name, _ in self.requests]

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of the only call of that name."""
        [arguments] = [arguments for called, arguments in self.requests if called == name]
        return arguments

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        stack = self._stack(StackName)
        state = stack.poll()
        if state == "DELETE_COMPLETE" and self.stacks.get(stack.name) is stack:
            self.gone[stack.identity] = self.stacks.pop(stack.name)
            if stack.identity != StackName:
                self._stack(StackName)
        return {
            "Stacks": [
                {
                    "StackId": stack.identity,
                    "StackName": stack.name,
                    "StackStatus": state,
                    "EnableTerminationProtection": stack.protected,
                    "Outputs": [{"OutputKey": "Url", "OutputValue": "https://llm.example.com"}],
                }
            ]
        }

    def describe_stack_events(self, StackName: str) -> Any:  # noqa: N803
        return {"StackEvents": self._stack(StackName).events[::-1]}

    def list_stack_resources(self, StackName: str) -> Any:  # noqa: N803
        return {"StackResourceSummaries": self._stack(StackName).resources}

    def describe_change_set(self, **arguments: Any) -> Any:
        self._raise()
        return self.change_set

    def create_change_set(self, **arguments: Any) -> None:
        self._record("create_change_set", arguments)
        if arguments["ChangeSetType"] == "CREATE":
            number = len(self.gone) + 1
            self.stacks[arguments["StackName"]] = FakeStack(
                arguments["StackName"], ["REVIEW_IN_PROGRESS"], number=number
            )

    def execute_change_set(self, **arguments: Any) -> None:
        self._record("execute_change_set", arguments)
        stack = self.stacks[arguments["StackName"]]
        kind = "create" if stack.states == ["REVIEW_IN_PROGRESS"] else "update"
        # The old state is still read once: nothing begins at the moment at which it is asked for.
        stack.states = [stack.states[-1], *self.next_states[kind]]
        for happening in self.happenings:
            stack.happen(*happening)

    def delete_change_set(self, **arguments: Any) -> None:
        self._record("delete_change_set", arguments)

    def delete_stack(self, **arguments: Any) -> None:
        self._record("delete_stack", arguments)
        self._stack(arguments["StackName"]).states = list(self.next_states["delete"])

    def continue_update_rollback(self, **arguments: Any) -> None:
        self._record("continue_update_rollback", arguments)
        self._stack(arguments["StackName"]).states = list(self.next_states["continue"])

    def update_termination_protection(self, **arguments: Any) -> None:
        self._record("update_termination_protection", arguments)
        self._stack(arguments["StackName"]).protected = arguments["EnableTerminationProtection"]

    def _stack(self, name: str) -> FakeStack:
        self._raise()
        for stack in (*self.stacks.values(), *self.gone.values()):
            if stack.identity == name or (stack.name == name and self.stacks.get(name) is stack):
                return stack
        raise client_error("ValidationError", f"Stack with id {name} does not exist", "DescribeStacks")

    def _record(self, name: str, arguments: dict[str, Any]) -> None:
        self._raise()
        self.requests.append((name, arguments))

    def _raise(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def resource(name: str, status: str, reason: str = "") -> dict[str, str]:
    """Return a resource as list_stack_resources does."""
    return {
        "LogicalResourceId": name,
        "PhysicalResourceId": f"{name}-id",
        "ResourceType": "AWS::Test::Thing",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def statuses(events: Iterable[Any]) -> list[str]:
    """Return the statuses of reported events."""
    return [event.status for event in events]
