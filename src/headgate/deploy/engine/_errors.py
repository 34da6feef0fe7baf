"""What goes wrong in a deployment, and the exit code of each."""

from collections.abc import Sequence
from enum import IntEnum

from headgate.core.errors import HeadgateError


class ExitCode(IntEnum):
    """What `headgate deploy` ends with; scripts may rely on the numbers."""

    DONE = 0
    """Done, and confirmed by reading everything again."""
    FAILED = 1
    """Something went wrong; the same command continues."""
    USAGE = 2
    """The command line, the deployment file, or a verb that the platform does not have."""
    CONFIRMATION = 3
    """A yes is missing; nothing was changed."""
    LOCKED = 4
    """Somebody else is at work; nothing was changed."""
    BLOCKED = 5
    """Some steps must not or can not be done; the others were done."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C; the same command continues."""


class DeployError(HeadgateError):
    """A deployment that can not go on: what happened and what to do, without any secret."""

    exit_code = ExitCode.FAILED


class UsageError(DeployError):
    """What was asked for lies outside of what the deployment file allows; nothing was changed."""

    exit_code = ExitCode.USAGE


class ConfirmationNeededError(DeployError):
    """What was asked for needs a yes that nobody gave; nothing was changed.

    `options` are the command-line options that say yes.
    """

    exit_code = ExitCode.CONFIRMATION

    def __init__(self, message: str, options: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


class LockedError(DeployError):
    """Somebody else holds the lock."""

    exit_code = ExitCode.LOCKED


class StoreConflictError(DeployError):
    """A value of the state store is not the one that was to be replaced."""
