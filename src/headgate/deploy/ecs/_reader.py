"""Reading stacks: their state, their events, what failed, and waiting for them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._calls import Caller, error_code, error_message
from headgate.deploy.ecs._errors import Failure

_CANCELLED = ("Resource creation cancelled", "Resource update cancelled")
GONE = "DELETE_COMPLETE"
"""The status of a stack that is no more."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource of a stack."""

    stack: str
    resource: str
    type: str
    status: str
    reason: str


class StackReader:
    """Reads stacks with boto3's CloudFormation client; a stack is named by its name or its id."""

    def __init__(self, client: Any, call: Caller, on_event: Callable[[Event], None], poll_seconds: float) -> None:
        self._client = client
        self._call = call
        self._on_event = on_event
        self._poll_seconds = poll_seconds

    def find(self, stack: str) -> Mapping[str, Any] | None:
        """Return a stack as CloudFormation describes it, None when there is none."""
        from botocore.exceptions import ClientError

        try:
            [found] = self._call(self._client.describe_stacks, StackName=stack)["Stacks"]
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        return None if found["StackStatus"] == GONE else found

    def wait(self, stack: str, seen: frozenset[str], *, for_end: bool = True) -> str:
        """Wait until nothing is in progress, reporting events on the way; return the status, `GONE` for no stack.

        The events in `seen` are old. What was asked for may not have begun, so with `for_end` the wait is over only
        when a new event tells the end of the whole stack.
        """
        ended = not for_end
        while True:
            found = self.find(stack)
            for event in reversed(list(self.events(stack, seen))):
                seen |= {event["EventId"]}
                ended = ended or _is_end(event)
                self._on_event(_event(event))
            status = GONE if found is None else str(found["StackStatus"])
            if status == GONE or (ended and not status.endswith("_IN_PROGRESS")):
                return status
            self._call.wait(self._poll_seconds)

    def failures(self, stack: str, seen: frozenset[str] = frozenset()) -> list[Failure]:
        """Return what failed since the events in `seen`, oldest first, without what was only called off for it."""
        failed = [
            as_failure(event)
            for event in self.events(stack, seen)
            if event.get("ResourceStatus", "").endswith("_FAILED")
            and not event.get("ResourceStatusReason", "").startswith(_CANCELLED)
        ]
        return failed[::-1]

    def event_ids(self, stack: str) -> frozenset[str]:
        """Return the ids of all events of a stack so far."""
        return frozenset(event["EventId"] for event in self.events(stack))

    def events(self, stack: str, seen: frozenset[str] = frozenset()) -> Iterator[Mapping[str, Any]]:
        """Yield events that are not in `seen`, newest first; none for a stack that does not exist."""
        for event in self._pages("describe_stack_events", "StackEvents", stack):
            if event["EventId"] in seen:
                return
            yield event

    def resources(self, stack: str) -> Iterator[Mapping[str, Any]]:
        """Yield the resources of a stack; none for a stack that does not exist."""
        return self._pages("list_stack_resources", "StackResourceSummaries", stack)

    def _pages(self, method: str, member: str, stack: str) -> Iterator[Mapping[str, Any]]:
        from botocore.exceptions import ClientError

        arguments = {"StackName": stack}
        while True:
            try:
                answer = self._call(getattr(self._client, method), **arguments)
            except ClientError as error:
                if _is_missing(error):
                    return
                raise
            yield from answer[member]
            if not (token := answer.get("NextToken")):
                return
            arguments["NextToken"] = token


def as_failure(one: Mapping[str, Any]) -> Failure:
    """Return an event or a resource, as CloudFormation describes them, as a failure."""
    return Failure(
        one["LogicalResourceId"],
        one.get("ResourceType", ""),
        one.get("ResourceStatus", ""),
        one.get("ResourceStatusReason", "no reason given"),
    )


def _event(event: Mapping[str, Any]) -> Event:
    return Event(
        event["StackName"],
        event["LogicalResourceId"],
        event.get("ResourceType", ""),
        event.get("ResourceStatus", ""),
        event.get("ResourceStatusReason", ""),
    )


def _is_end(event: Mapping[str, Any]) -> bool:
    """Tell whether an event is of the stack itself and says that something ended."""
    return event.get("PhysicalResourceId") == event["StackId"] and not event["ResourceStatus"].endswith("_IN_PROGRESS")


def _is_missing(error: Any) -> bool:
    return error_code(error) == "ValidationError" and "does not exist" in error_message(error)
