"""Stacks through change sets: planned, created, updated, deleted, and led out of every state that there is."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._calls import Caller, error_code, error_message
from headgate.deploy.ecs._changes import Plan, creation, from_change_set
from headgate.deploy.ecs._errors import ConfirmationNeededError, StackError
from headgate.deploy.ecs._reader import GONE, Event, StackReader, as_failure
from headgate.deploy.ecs._stacks import CAPABILITIES, StackSpec

_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
NEVER_FINISHED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
"""States of a stack that only its deletion leads out of."""
_SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_REFUSED = frozenset(
    {"ValidationError", "InsufficientCapabilitiesException", "LimitExceededException", "AlreadyExistsException"}
)


@dataclass(frozen=True)
class Outcome:
    """What became of a stack. `changed` is False where it already was as it should be."""

    stack: str
    status: str
    changed: bool
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Deletion:
    """What is left of a deleted stack: `kept` are the physical ids of resources that it had to leave, by logical id."""

    stack: str
    existed: bool
    kept: Mapping[str, str]


class StackRunner:
    """Runs stacks with boto3's CloudFormation client.

    `on_event` is called with each event of a stack while something waits for it. Waits poll every `poll_seconds`.
    Every method raises `CredentialsError` when AWS does not accept the credentials.
    """

    def __init__(
        self,
        client: Any,
        *,
        call: Caller | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
        poll_seconds: float = 5.0,
    ) -> None:
        self._client = client
        self._call = call or Caller()
        self._poll_seconds = poll_seconds
        self._reader = StackReader(client, self._call, on_event, poll_seconds)

    def state(self, stack: str) -> str | None:
        """Return CloudFormation's status of a stack, None when there is none of that name."""
        found = self._reader.find(stack)
        return None if found is None else str(found["StackStatus"])

    def outputs(self, stack: str) -> dict[str, str]:
        """Return a stack's outputs; empty when there is no such stack."""
        found = self._reader.find(stack) or {}
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def plan(self, spec: StackSpec) -> Plan:
        """Return what `apply` would do to a stack. Changes nothing: the change set that it asks for is deleted again.

        Raises `StackError` when CloudFormation refuses the template or a value.
        """
        state = self.state(spec.name)
        if state is None or state == "REVIEW_IN_PROGRESS" or state in NEVER_FINISHED:
            return creation(spec)
        name = self._change_set(spec, "UPDATE")
        changes = self._described(spec.name, name)
        self._call(self._client.delete_change_set, StackName=spec.name, ChangeSetName=name)
        return from_change_set(spec.name, state, changes or [])

    def apply(self, spec: StackSpec, confirmed: Iterable[str] = ()) -> Outcome:
        """Create or update a stack and wait for it.

        Raises `ConfirmationNeededError` when only a step with consequences leads on and the stack is not among
        `confirmed`, and `StackError` with what failed and why when CloudFormation gave up.
        """
        state = self._prepare(spec.name, spec.name in frozenset(confirmed))
        name = self._change_set(spec, "CREATE" if state is None else "UPDATE")
        changes = self._described(spec.name, name)
        if changes is None:
            self._call(self._client.delete_change_set, StackName=spec.name, ChangeSetName=name)
            self._protect(spec)
            return Outcome(spec.name, state or "", False, self.outputs(spec.name))
        seen = self._reader.event_ids(spec.name)
        self._execute(spec.name, name)
        status = self._reader.wait(spec.name, seen)
        if status not in _SUCCEEDED:
            causes = self._reader.failures(spec.name, seen)
            raise StackError(f"{spec.name} ended as {status}. The first causes:", causes)
        self._protect(spec)
        return Outcome(spec.name, status, True, self.outputs(spec.name))

    def delete(self, stack: str, *, unprotect: bool = False) -> Deletion:
        """Delete a stack and wait until it is gone; one that does not exist is no error.

        Raises `ConfirmationNeededError` for a protected stack unless `unprotect`, and `StackError` with what could not
        be deleted.
        """
        found = self._reader.find(stack)
        if found is None:
            return Deletion(stack, False, {})
        if found.get("EnableTerminationProtection"):
            if not unprotect:
                raise ConfirmationNeededError(stack, f"{stack} is protected against deletion.")
            self._set_protection(stack, False)
        identity = found["StackId"]
        seen = self._reader.event_ids(identity)
        self._request(self._client.delete_stack, stack, StackName=stack)
        # By its id, a deleted stack can still be read.
        status = self._reader.wait(identity, seen)
        listed = list(self._reader.resources(identity))
        if status != GONE:
            left = [one for one in listed if one["ResourceStatus"] not in (GONE, "DELETE_SKIPPED")]
            raise StackError(
                f"{stack} ended as {status}. This is left; remove what holds it and delete again:",
                [as_failure(one) for one in left],
            )
        skipped = [one for one in listed if one["ResourceStatus"] == "DELETE_SKIPPED"]
        return Deletion(stack, True, {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in skipped})

    def destroy(self, specs: Sequence[StackSpec], *, unprotect: bool = False) -> list[Deletion]:
        """Delete stacks in the reverse of their order, and look afterwards whether each is gone.

        Raises as `delete` does, at the first that fails, and `StackError` when one came back meanwhile.
        """
        deletions = [self.delete(spec.name, unprotect=unprotect) for spec in reversed(specs)]
        if left := [spec.name for spec in specs if self.state(spec.name) is not None]:
            raise StackError(f"Still there after their deletion: {', '.join(left)}. Somebody else creates them.")
        return deletions

    def _prepare(self, stack: str, confirmed: bool) -> str | None:
        """Lead a stack out of whatever state it is in; return the state to go on from, None to create it."""
        state = self.state(stack)
        if state is not None and state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
            # Begun by a run that was cut off, or by someone else: either way it ends before ours begins.
            self._reader.wait(stack, self._reader.event_ids(stack), for_end=False)
            state = self.state(stack)
        if state == "REVIEW_IN_PROGRESS":
            # Made of a change set that was never executed; it holds nothing.
            self.delete(stack)
            return None
        if state in NEVER_FINISHED:
            if not confirmed:
                raise ConfirmationNeededError(
                    stack,
                    f"{stack} is in {state}: it was never finished, or only half deleted, and can only be deleted and"
                    " created again. What it holds is lost.",
                    self._reader.failures(stack),
                )
            self.delete(stack, unprotect=True)
            return None
        if state == "UPDATE_ROLLBACK_FAILED":
            self._continue_rollback(stack, confirmed)
            state = self.state(stack)
        return state

    def _continue_rollback(self, stack: str, confirmed: bool) -> None:
        if not confirmed:
            raise ConfirmationNeededError(
                stack,
                f"{stack} is in UPDATE_ROLLBACK_FAILED: an update failed and so did the way back. Once the causes"
                " below are removed, the way back can be continued and the update be tried again.",
                self._reader.failures(stack),
            )
        seen = self._reader.event_ids(stack)
        self._request(self._client.continue_update_rollback, stack, StackName=stack)
        if (status := self._reader.wait(stack, seen)) != "UPDATE_ROLLBACK_COMPLETE":
            raise StackError(f"The way back of {stack} ended as {status}:", self._reader.failures(stack, seen))

    def _change_set(self, spec: StackSpec, kind: str) -> str:
        """Ask for a change set and return its name."""
        name = f"headgate-{uuid.uuid4().hex}"
        self._request(
            self._client.create_change_set,
            spec.name,
            StackName=spec.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=spec.body,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in spec.parameters.items()],
            Capabilities=list(CAPABILITIES),
            Tags=[{"Key": key, "Value": value} for key, value in spec.tags.items()],
        )
        return name

    def _described(self, stack: str, change_set: str) -> list[Mapping[str, Any]] | None:
        """Wait for a change set and return its changes, None when the stack is as it should be.

        Raises `StackError` when CloudFormation refuses it; the change set, and a stack of nothing else, are deleted.
        """
        answer = self._describe(stack, change_set)
        while answer["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            self._call.wait(self._poll_seconds)
            answer = self._describe(stack, change_set)
        if answer["Status"] == "FAILED":
            reason = answer.get("StatusReason", "no reason given")
            if any(text in reason for text in _NOTHING_TO_DO):
                return None
            self._call(self._client.delete_change_set, StackName=stack, ChangeSetName=change_set)
            if self.state(stack) == "REVIEW_IN_PROGRESS":
                self.delete(stack)
            raise StackError(f"CloudFormation refuses {stack}: {reason}")
        changes = list(answer.get("Changes", []))
        while token := answer.get("NextToken"):
            answer = self._describe(stack, change_set, NextToken=token)
            changes += answer.get("Changes", [])
        return changes

    def _describe(self, stack: str, change_set: str, **arguments: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._call(
            self._client.describe_change_set,
            StackName=stack,
            ChangeSetName=change_set,
            IncludePropertyValues=True,
            **arguments,
        )
        return answer

    def _execute(self, stack: str, change_set: str) -> None:
        from botocore.exceptions import ClientError

        try:
            self._request(self._client.execute_change_set, stack, StackName=stack, ChangeSetName=change_set)
        except ClientError as error:
            if error_code(error) not in ("InvalidChangeSetStatus", "ChangeSetNotFound"):
                raise
            raise StackError(
                f"Somebody else changed {stack} since these changes were worked out: look at the plan again."
            ) from error

    def _protect(self, spec: StackSpec) -> None:
        found = self._reader.find(spec.name) or {}
        if bool(found.get("EnableTerminationProtection")) != spec.termination_protection:
            self._set_protection(spec.name, spec.termination_protection)

    def _set_protection(self, stack: str, protected: bool) -> None:
        self._call(self._client.update_termination_protection, StackName=stack, EnableTerminationProtection=protected)

    def _request(self, method: Callable[..., Any], stack: str, **arguments: Any) -> None:
        from botocore.exceptions import ClientError

        try:
            self._call(method, **arguments)
        except ClientError as error:
            if error_code(error) in _REFUSED:
                raise StackError(f"CloudFormation refuses {stack}: {error_message(error)}") from error
            raise
