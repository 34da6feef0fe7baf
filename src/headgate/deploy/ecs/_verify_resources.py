"""What stands behind a deployment's address: stacks, services, database, Redis, alarms, key, buckets."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.deploy.ecs._account import Account, explained
from headgate.deploy.ecs._calls import error_code
from headgate.deploy.ecs._names import names_of, stacks_of
from headgate.deploy.ecs._runner import StackRunner
from headgate.deploy.ecs._service import Service
from headgate.deploy.engine import Verdict
from headgate.deploy.settings import Environment
from headgate.deploy.verification import Probe, Result

SERVICES = ("cloudformation", "cloudwatch", "ecs", "elasticache", "elbv2", "kms", "rds", "s3", "secretsmanager")
"""The services of AWS that are asked."""
_WELL = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_CHANGED = "`headgate deploy plan` and `headgate deploy diff` show where that was changed"
_SERVES = frozenset({"available", "backing-up", "storage-optimization"})
"""States in which a database answers:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html"""
_ALARMS_AT_ONCE = 100
"""The most alarms that CloudWatch describes in one call."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the probes read with: `outputs` are those of the stacks that exist, by template."""

    environment: Environment
    account: Account
    outputs: Mapping[str, Mapping[str, str]]

    def ask(self, service: str, method: str, /, **arguments: Any) -> Any:
        """Call AWS."""
        return self.account.call(getattr(self.account.client(service), method), **arguments)

    def output(self, template: str, name: str) -> str | None:
        """Return an output of a stack, None while there is none."""
        return self.outputs.get(template, {}).get(name)


def resource_probes(reading: Reading) -> Iterator[Probe]:
    """Yield a probe for each part of the deployment."""
    looks: dict[str, Callable[[Reading], Result]] = {"stacks": _stacks}
    for template, spec in stacks_of(reading.environment).items():
        for _, name in names_of(spec, "AWS::ECS::Service", "ServiceName"):
            looks[f"service {name}"] = functools.partial(_service, template=template, name=name)
    looks |= {"targets": _targets, "database": _database}
    if reading.environment.redis:
        looks["redis"] = _redis
    looks |= {"alarms": _alarms, "encryption key": _key, "buckets": _buckets}
    for name, look in looks.items():
        yield Probe(name, functools.partial(_explained, name, look, reading))


def _explained(name: str, look: Callable[[Reading], Result], reading: Reading) -> Result:
    with explained(name):
        return look(reading)


def _judged(problems: list[str], well: str) -> Result:
    return (Verdict.FAILED, "; ".join(problems)) if problems else (Verdict.PASSED, well)


def _missing(reading: Reading, template: str, what: str) -> Result:
    if template in reading.outputs:
        return Verdict.FAILED, f"{what} is gone, although its stack stands: somebody deleted it. {_CHANGED}"
    # Without credentials nothing is told of stacks, and nothing of what is missing.
    reading.account.identity()
    return Verdict.FAILED, f"there is no {what}: {_bringing_up(template)} makes it"


def _bringing_up(template: str) -> str:
    return f"`headgate deploy {template}`" if template == "bootstrap" else f"`headgate deploy up {template}`"


def _stacks(reading: Reading) -> Result:
    runner = StackRunner(reading.account.client("cloudformation"), call=reading.account.call)
    stacks = stacks_of(reading.environment)
    states = {template: runner.state(spec.name) for template, spec in stacks.items()}
    failed = [_stack_problem(stacks[name].name, name, state) for name, state in states.items() if _is_broken(state)]
    if failed:
        return Verdict.FAILED, "; ".join(failed)
    if unwell := [f"{stacks[name].name} is in {state}" for name, state in states.items() if state not in _WELL]:
        why = "an update goes on or was taken back; `headgate deploy plan` shows what is left to do"
        return Verdict.WARNING, f"{'; '.join(unwell)}: {why}"
    return Verdict.PASSED, f"{len(states)} complete"


def _is_broken(state: str | None) -> bool:
    # After a rollback of an update the stack is whole, as it was before.
    return state is None or state.endswith("_FAILED") or state in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")


def _stack_problem(name: str, template: str, state: str | None) -> str:
    how = "does not exist" if state is None else f"is in {state}"
    return f"{name} {how}: {_bringing_up(template)} leads out of it"


def _service(reading: Reading, template: str, name: str) -> Result:
    environment = reading.environment
    state = Service(reading.account, environment.prefix, name).state()
    if state is None:
        return _missing(reading, template, f"service {name}")
    fewest = environment.min_tasks if template == "gateway" else 1
    if state.desired < fewest:
        return Verdict.FAILED, f"{state}, and {fewest} should: `headgate deploy scale {environment.tasks}`"
    if state.steady:
        return Verdict.PASSED, str(state)
    if state.rollout == "IN_PROGRESS" and state.running >= state.desired:
        return Verdict.WARNING, f"{state}: other tasks are taking over; run this again when they have"
    return Verdict.FAILED, f"{state}: `headgate deploy logs {template} --env {environment.name}` shows why"


def _targets(reading: Reading) -> Result:
    group = reading.output("alb", "TargetGroupArn")
    if group is None:
        return _missing(reading, "alb", "target group")
    answer = reading.ask("elbv2", "describe_target_health", TargetGroupArn=group)
    states = [found["TargetHealth"] for found in answer["TargetHealthDescriptions"]]
    healthy = sum(state["State"] == "healthy" for state in states)
    bad = [state for state in states if state["State"] not in ("healthy", "draining")]
    said = f"{healthy} healthy" + "".join(
        f"; {one['State']}: {one.get('Description', 'no reason given')}" for one in bad
    )
    if healthy < reading.environment.min_tasks:
        logs = f"`headgate deploy logs gateway --env {reading.environment.name}` shows why"
        return Verdict.FAILED, f"{said}; the load balancer needs {reading.environment.min_tasks}: {logs}"
    return (Verdict.WARNING, said) if bad else (Verdict.PASSED, said)


def _database(reading: Reading) -> Result:
    environment = reading.environment
    [(_, identifier)] = names_of(stacks_of(environment)["database"], "AWS::RDS::DBInstance", "DBInstanceIdentifier")
    client = reading.account.client("rds")
    try:
        [found] = reading.ask("rds", "describe_db_instances", DBInstanceIdentifier=identifier)["DBInstances"]
    except client.exceptions.DBInstanceNotFoundFault:
        return _missing(reading, "database", identifier)
    problems = []
    if found["DBInstanceStatus"] not in _SERVES:
        problems.append(f"it is {found['DBInstanceStatus']}: wait; the events of {identifier} in RDS say why")
    if not found.get("StorageEncrypted"):
        problems.append("its storage is not encrypted: restore it from an encrypted copy of a snapshot")
    if found.get("PubliclyAccessible"):
        problems.append(f"it is reachable from the internet: {_CHANGED}")
    if bool(found.get("MultiAZ")) != environment.multi_az:
        zones = "one zone, and multi_az is on" if environment.multi_az else "two zones, and multi_az is off"
        problems.append(f"it runs in {zones}: {_CHANGED}")
    if environment.deletion_protection and not found.get("DeletionProtection"):
        problems.append(f"nothing keeps it from being deleted: {_CHANGED}")
    if any(group.get("ParameterApplyStatus") == "pending-reboot" for group in found.get("DBParameterGroups", [])):
        problems.append(
            f"parameters wait for a restart: `aws rds reboot-db-instance --db-instance-identifier {identifier}`"
        )
    return _judged(problems, f"available, encrypted, private, {'two zones' if environment.multi_az else 'one zone'}")


def _redis(reading: Reading) -> Result:
    spec = stacks_of(reading.environment)["redis"]
    [(_, identifier)] = names_of(spec, "AWS::ElastiCache::ReplicationGroup", "ReplicationGroupId")
    client = reading.account.client("elasticache")
    try:
        answer = reading.ask("elasticache", "describe_replication_groups", ReplicationGroupId=identifier)
    except client.exceptions.ReplicationGroupNotFoundFault:
        return _missing(reading, "redis", identifier)
    [found] = answer["ReplicationGroups"]
    problems = []
    if found["Status"] != "available":
        problems.append(f"it is {found['Status']}: wait; the events of {identifier} in ElastiCache say why")
    for member, what in (
        ("TransitEncryptionEnabled", "TLS is off"),
        ("AuthTokenEnabled", "it takes no password"),
        ("AtRestEncryptionEnabled", "its storage is not encrypted"),
    ):
        if not found.get(member):
            problems.append(f"{what}: {_CHANGED}")
    return _judged(problems, "available, with TLS and a password, encrypted")


def _alarms(reading: Reading) -> Result:
    wanted = [
        name
        for spec in stacks_of(reading.environment).values()
        for _, name in names_of(spec, "AWS::CloudWatch::Alarm", "AlarmName")
    ]
    found: dict[str, Any] = {}
    for start in range(0, len(wanted), _ALARMS_AT_ONCE):
        asked = wanted[start : start + _ALARMS_AT_ONCE]
        answer = reading.ask("cloudwatch", "describe_alarms", AlarmNames=asked)
        found |= {alarm["AlarmName"]: alarm for alarm in answer["MetricAlarms"]}
    problems = [
        f"{name}: {alarm.get('AlarmDescription', 'no description')}"
        for name, alarm in found.items()
        if alarm["StateValue"] == "ALARM"
    ]
    if gone := [name for name in wanted if name not in found]:
        problems.append(f"not there, so that nobody is told: {', '.join(gone)}; {_CHANGED}")
    if silent := [name for name, alarm in found.items() if not alarm.get("ActionsEnabled", True)]:
        problems.append(f"switched off: {', '.join(silent)}; `aws cloudwatch enable-alarm-actions` switches them on")
    waiting = sum(alarm["StateValue"] == "INSUFFICIENT_DATA" for alarm in found.values())
    return _judged(problems, f"none of {len(found)} rings" + (f", {waiting} have no data yet" if waiting else ""))


def _key(reading: Reading) -> Result:
    key = reading.output("security", "KeyArn")
    if key is None:
        return _missing(reading, "security", "key")
    state = reading.ask("kms", "describe_key", KeyId=key)["KeyMetadata"]["KeyState"]
    if state == "PendingDeletion":
        return Verdict.FAILED, (
            "it is about to be deleted, and secrets and backups with it, which nobody could read any more:"
            f" `aws kms cancel-key-deletion --key-id {key}`, then `aws kms enable-key --key-id {key}`"
        )
    if state != "Enabled":
        how = f"it is {state}, so that nobody can read secrets and backups: `aws kms enable-key --key-id {key}`"
        return Verdict.FAILED, how
    if not reading.ask("kms", "get_key_rotation_status", KeyId=key)["KeyRotationEnabled"]:
        return Verdict.FAILED, f"its yearly rotation is off: `aws kms enable-key-rotation --key-id {key}`"
    return Verdict.PASSED, "enabled, rotated by AWS"


def _buckets(reading: Reading) -> Result:
    state, logs = reading.output("bootstrap", "BucketName"), reading.output("security", "LogBucketName")
    if state is None:
        return _missing(reading, "bootstrap", "bucket")
    if logs is None:
        return _missing(reading, "security", "bucket for logs")
    problems = [f"{name} may be made public: {_CHANGED}" for name in (state, logs) if not _is_private(reading, name)]
    if reading.ask("s3", "get_bucket_versioning", Bucket=state).get("Status") != "Enabled":
        problems.append(f"{state} keeps no earlier versions: {_CHANGED}")
    return _judged(problems, "private, versioned")


def _is_private(reading: Reading, bucket: str) -> bool:
    client = reading.account.client("s3")
    try:
        answer = reading.ask("s3", "get_public_access_block", Bucket=bucket)
    except client.exceptions.ClientError as error:
        if error_code(error) == "NoSuchPublicAccessBlockConfiguration":
            return False
        raise
    return all(answer["PublicAccessBlockConfiguration"].values())
