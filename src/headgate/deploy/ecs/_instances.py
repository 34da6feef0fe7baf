"""Database instances of one environment in RDS: the one that serves, and those that a restore makes or puts aside."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from headgate.deploy.ecs._account import Account
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.ecs._pages import listed
from headgate.deploy.engine import Clock, DeployError, Progress
from headgate.deploy.settings import Environment

Instance = Mapping[str, Any]
"""An instance as RDS describes it."""

_READY = frozenset({"available", "storage-optimization"})
"""States in which an instance serves and can be changed."""
_POLL_SECONDS = 15.0
_LONGEST_SECONDS = 4 * 3600.0
"""Time that one step of RDS may take; a large snapshot takes an hour and more."""
_STOPPED = frozenset({"failed", "inaccessible-encryption-credentials", "restore-error", "stopped", "storage-full"})
"""States that an instance does not leave by itself, beside every `incompatible-...`:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html"""


class Instances:
    """Finds instances and waits for them. Every method raises botocore's errors, credentials excepted."""

    def __init__(self, account: Account, environment: Environment, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self.environment = environment
        self.identifier = database_identifier(environment)
        self.successor = f"{self.identifier}-restored"
        """The instance that a restore makes, until it takes the identifier over."""

    def aside(self, moment: float) -> str:
        """Return the identifier under which an instance is kept that served until `moment`, in seconds since 1970."""
        return f"{self.identifier}-until-{datetime.fromtimestamp(moment, UTC):%Y%m%d%H%M%S}"

    def find(self, identifier: str) -> Instance | None:
        """Return an instance, None when there is none of that identifier."""
        from botocore.exceptions import ClientError

        client = self._account.client("rds")
        try:
            [found] = self._account.call(client.describe_db_instances, DBInstanceIdentifier=identifier)["DBInstances"]
        except ClientError as error:
            if error_code(error) in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
                return None
            raise
        return dict(found)

    def all(self) -> list[Instance]:
        """Return every instance of the environment, whatever a restore made of its identifier."""
        found = listed(self._account, "rds", "describe_db_instances", "DBInstances")
        return [one for one in found if self.is_ours(one)]

    def owns(self, identifier: str) -> bool:
        """Tell whether an identifier is that of an instance of the environment, now or at some time."""
        pattern = rf"{re.escape(self.identifier)}(-restored|-until-\d{{14}})?"
        return re.fullmatch(pattern, identifier) is not None

    def is_ours(self, described: Instance) -> bool:
        """Tell whether an instance, a snapshot or a retained backup is of this environment and no other's.

        Names may coincide: environment `a-b` of project `c` and environment `a` of project `b-c`.
        """
        if not self.owns(described["DBInstanceIdentifier"]):
            return False
        tags = tags_of(described)
        wanted = {"Project": self.environment.project, "Environment": self.environment.name}
        return all(tags.get(key, value) == value for key, value in wanted.items())

    def modify(self, identifier: str, **changes: Any) -> None:
        """Change an instance at once."""
        client = self._account.client("rds")
        self._account.call(client.modify_db_instance, DBInstanceIdentifier=identifier, ApplyImmediately=True, **changes)

    def wait(self, progress: Progress, lacking: Callable[[], str | None]) -> None:
        """Wait until `lacking` returns None; what it returns instead is told when it changes. Raises `DeployError`."""
        until, told = self._clock() + _LONGEST_SECONDS, ""
        while (said := lacking()) is not None:
            if said != told:
                progress(said)
                told = said
            if self._clock() > until:
                raise DeployError(f"After {_LONGEST_SECONDS / 3600:.0f} hours still: {said}. Run the command again.")
            self._account.call.wait(_POLL_SECONDS)

    def wait_until_ready(self, identifier: str, progress: Progress) -> Instance:
        """Wait until an instance is there and ready, and return it. Raises `DeployError` when it never will be."""
        found: list[Instance] = []

        def lacking() -> str | None:
            found[:] = [one for one in [self.find(identifier)] if one is not None]
            if not found:
                return f"{identifier} is not there yet"
            return None if is_ready(found[0]) else f"{identifier} is {found[0]['DBInstanceStatus']}"

        self.wait(progress, lacking)
        return found[0]


def is_ready(instance: Instance) -> bool:
    """Tell whether an instance serves and can be changed. Raises `DeployError` when it will not by itself."""
    state = instance["DBInstanceStatus"]
    if state in _STOPPED or state.startswith("incompatible-"):
        raise DeployError(_dead(instance["DBInstanceIdentifier"], state))
    return state in _READY


def database_identifier(environment: Environment) -> str:
    """Return the identifier of an environment's database, as the database template makes it."""
    return f"{environment.name}-{environment.project}-db"


def tags_of(described: Instance) -> dict[str, str]:
    """Return the tags of something that RDS describes."""
    return {tag["Key"]: tag["Value"] for tag in described.get("TagList") or []}


def _dead(identifier: str, state: str) -> str:
    if state == "stopped":
        way = f"start it with `aws rds start-db-instance --db-instance-identifier {identifier}`"
    elif state == "storage-full":
        way = "give it more storage"
    else:
        delete = f"aws rds delete-db-instance --db-instance-identifier {identifier} --skip-final-snapshot"
        way = f"when it can not be repaired, delete it with `{delete}`; a restore then puts another in its place"
    return f"The database {identifier} is {state}: {way}, and run the command again."
