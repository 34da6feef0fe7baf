"""What a component wrote last, and why it failed. Secrets are hidden, whatever wrote them."""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._names import names_of, stacks_of
from headgate.deploy.ecs._reader import StackReader, as_failure
from headgate.deploy.ecs._secret_values import SecretValues, secret_values
from headgate.deploy.ecs._tasks import stopped_tasks
from headgate.deploy.engine import DeployError, UsageError
from headgate.deploy.settings import Environment

_STREAMS = 20
"""How many of a group's streams are read, those written last: each task and each instance of a function has one."""
_STREAMS_LISTED = 50
"""The most streams that CloudWatch lists in one call."""
_MOST_LINES = 10_000
"""The most lines that CloudWatch returns in one call."""
_NOT_OF_PROGRAMS = frozenset({"FlowLogGroup"})
"""Log groups that no program writes, by logical id."""
_FAILURES, _TASKS, _EVENTS, _LAST_LINES = 5, 5, 5, 20
"""How much of each a report on a failure holds."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})


class _Line(NamedTuple):
    """`at` is in milliseconds since 1970."""

    at: int
    source: str
    message: str

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at / 1000, UTC)
        text = _CONTROL.sub("?", self.message.rstrip()).replace("\n", "\n    ")
        return f"{moment:%Y-%m-%dT%H:%M:%S}Z {self.source} {text}"


def logs(account: Account, environment: Environment, component: str, lines: int) -> str:
    """Return the last lines of a component's log groups, the newest last, with secrets hidden.

    Raises `UsageError` for a component that writes none, and `DeployError` when logs or secrets can not be read: what
    can not be hidden is not shown.
    """
    groups = _groups(environment)
    if component not in groups:
        raise UsageError(f"{component[:60]} writes no log; there are {', '.join(groups)}.")
    hidden = secret_values(account, environment)
    with explained(f"The logs of {component}"):
        found = _lines(account, groups[component], lines)
    return "".join(f"{hidden.hide(line)}\n" for line in found)


def failure_report(account: Account, environment: Environment, component: str) -> str:
    """Return what is known of a component that failed: its stack's failures, stopped tasks, events and last lines.

    Never raises `DeployError`: what can not be read says so. Empty where nothing is known. Without the secrets, which
    are to be hidden, the log is left out.
    """
    hidden: SecretValues | None = None
    with contextlib.suppress(DeployError):
        hidden = secret_values(account, environment)
    parts: dict[str, Callable[[], list[str]]] = {
        "What failed in the stack": lambda: list(_stack_failures(account, environment, component)),
        "Tasks that stopped": lambda: list(_stopped(account, environment, component)),
        "Last events of the service": lambda: list(_service_events(account, environment, component)),
    }
    groups = _groups(environment).get(component, [])
    if groups and hidden is not None:
        parts["Last lines of the log"] = lambda: _lines(account, groups, _LAST_LINES)
    report = []
    for title, read in parts.items():
        try:
            with explained(title):
                found = read()
        except DeployError as error:
            found = [f"can not be read: {error}"]
        if found:
            report += [f"{title}:", *(f"  {line}" for line in found)]
    if groups and hidden is None:
        report.append("The log is not shown: the secrets can not be read, which would have to be hidden in it.")
    text = "".join(f"{line}\n" for line in report)
    return text if hidden is None else hidden.hide(text)


def _groups(environment: Environment) -> dict[str, list[str]]:
    """Return the names of the log groups by component."""
    found: dict[str, list[str]] = {}
    for template, spec in stacks_of(environment).items():
        for logical, name in names_of(spec, "AWS::Logs::LogGroup", "LogGroupName"):
            if logical not in _NOT_OF_PROGRAMS:
                found.setdefault(template, []).append(name)
    return found


def _lines(account: Account, groups: list[str], lines: int) -> list[str]:
    """Return the last lines of groups together; those of one moment stay in the order of their stream."""
    found = [line for group in groups for line in _last_lines(account, group, lines)]
    return [str(line) for line in sorted(found, key=lambda line: line.at)[-lines:]]


def _last_lines(account: Account, group: str, lines: int) -> Iterator[_Line]:
    client = account.client("logs")
    try:
        listed = account.call(
            client.describe_log_streams,
            logGroupName=group,
            orderBy="LastEventTime",
            descending=True,
            limit=_STREAMS_LISTED,
        )["logStreams"]
    except client.exceptions.ResourceNotFoundException:
        return
    for stream in sorted(listed, key=_age, reverse=True)[:_STREAMS]:
        name = stream["logStreamName"]
        answer = account.call(
            client.get_log_events,
            logGroupName=group,
            logStreamName=name,
            limit=min(lines, _MOST_LINES),
            startFromHead=False,
        )
        for event in answer["events"]:
            yield _Line(event["timestamp"], _source(group, name), event["message"])


def _age(stream: dict[str, Any]) -> int:
    """Return when something last happened to a stream: what it says of its last event may be an hour old."""
    return max(int(stream.get(name, 0)) for name in ("lastEventTimestamp", "lastIngestionTime", "creationTime"))


def _source(group: str, stream: str) -> str:
    """Name a task by its container and the beginning of its id, anything else by its group."""
    if group.startswith("/ecs/") and stream.count("/") == 2:
        container, _, task = stream.split("/")
        return f"{container}/{task[:8]}"
    return group.rpartition("/")[2]


def _stack_failures(account: Account, environment: Environment, component: str) -> Iterator[str]:
    """Yield what failed in the last operation on the component's stack, the first cause first."""
    spec = stacks_of(environment).get(component)
    if spec is None:
        return
    reader = StackReader(account.client("cloudformation"), account.call, lambda event: None, 0)
    failed: list[str] = []
    for event in reader.events(spec.name):
        status = event.get("ResourceStatus", "")
        if event.get("PhysicalResourceId") == event["StackId"] and status in _BEGINNINGS:
            break
        cancelled = "cancelled" in event.get("ResourceStatusReason", "")
        if status.endswith("_FAILED") and not cancelled:
            failed.append(str(as_failure(event)))
    yield from failed[::-1][:_FAILURES]


def _services(environment: Environment, component: str) -> list[str]:
    spec = stacks_of(environment).get(component)
    return [] if spec is None else [name for _, name in names_of(spec, "AWS::ECS::Service", "ServiceName")]


def _stopped(account: Account, environment: Environment, component: str) -> Iterator[str]:
    client = account.client("ecs")
    for name in _services(environment, component):
        try:
            found = stopped_tasks(client, environment.prefix, name, account.call)
        except (client.exceptions.ClusterNotFoundException, client.exceptions.ServiceNotFoundException):
            continue
        for one in found[:_TASKS]:
            yield f"{one.task}: {'; '.join([one.reason, *one.containers])}"


def _service_events(account: Account, environment: Environment, component: str) -> Iterator[str]:
    client = account.client("ecs")
    for name in _services(environment, component):
        try:
            found = account.call(client.describe_services, cluster=environment.prefix, services=[name])["services"]
        except client.exceptions.ClusterNotFoundException:
            continue
        for event in found[0].get("events", [])[:_EVENTS] if found else ():
            yield f"{event['createdAt']:%H:%M:%S} {event['message']}"
