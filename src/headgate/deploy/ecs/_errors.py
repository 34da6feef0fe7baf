"""What stops a stack, in words for the one who deploys."""

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.deploy.engine import DeployError, ExitCode


@dataclass(frozen=True)
class Failure:
    """One resource that could not be created, changed or deleted, and why."""

    resource: str
    type: str
    status: str
    reason: str

    def __str__(self) -> str:
        return f"{self.resource} ({self.type}) {self.status}: {self.reason}"


class StackError(DeployError):
    """CloudFormation did not do what it was asked. `failures` holds the resources at fault, the first cause first."""

    def __init__(self, message: str, failures: Sequence[Failure] = ()) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join([message, *(f"  {failure}" for failure in self.failures)]))


class ConfirmationNeededError(StackError):
    """A stack is in a state that only a step with consequences leads out of.

    `stack` names it; running again with it among the confirmed ones takes the step.
    """

    exit_code = ExitCode.CONFIRMATION

    def __init__(self, stack: str, explanation: str, failures: Sequence[Failure] = ()) -> None:
        self.stack = stack
        super().__init__(f"{explanation} To do so, confirm {stack}.", failures)


class CredentialsError(StackError):
    """AWS does not accept the credentials, or no longer."""


class WrongAccountError(CredentialsError):
    """The credentials are of another account than the environment's."""
