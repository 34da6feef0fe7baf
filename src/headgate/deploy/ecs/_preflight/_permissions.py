"""Whether the deployer may do what it is about to do, simulated by IAM."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from headgate.deploy.ecs._account import Identity
from headgate.deploy.ecs._preflight._actions import BY_TYPE, OF_THE_DEPLOYER
from headgate.deploy.ecs._preflight._examples import example_arns
from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import DeployError, Verdict

_ACTIONS_AT_ONCE = 100
_ALLOWED = "allowed"


@dataclass(frozen=True)
class Denial:
    """An action that is not allowed. It is `certain` unless a policy looks at something that only a real call has."""

    action: str
    certain: bool


def permissions(subject: Subject) -> Result:
    """Simulate every action that what the run creates, and the deployer itself, needs.

    Actions that are not allowed on everything are simulated again on resources as this environment will have them.
    """
    identity = subject.identity()
    actions = needed(subject)
    try:
        principal = _principal(subject, identity)
        suspects = [one.action for one in _simulated(subject, principal, actions)]
        by_service = [list(group) for _, group in groupby(sorted(suspects), key=_service)]
        denials = subject.questions.together(
            [partial(_simulated_on, subject, principal, group) for group in by_service]
        )
    except AnswerError as error:
        if error.code == "NoSuchEntity":
            raise DeployError(
                f"IAM does not find {identity.arn}, so that its permissions can not be simulated."
            ) from error
        raise
    found = [one for denied in denials for one in denied]
    if certain := [one.action for one in found if one.certain]:
        return Verdict.FAILED, f"{principal} may not do {_listed(certain)}. Have these actions allowed."
    if found:
        return Verdict.WARNING, (
            f"{principal} may do {_listed(one.action for one in found)} under conditions that a simulation does not"
            " know. If a stack fails for lack of permission, look there."
        )
    return Verdict.PASSED, f"{principal} may do all {len(actions)} actions"


def needed(subject: Subject) -> list[str]:
    """Return the actions that the run needs, sorted. Raises `KeyError` for a type that nobody listed."""
    kinds = {resource["Type"] for resource in subject.created()}
    return sorted(OF_THE_DEPLOYER.union(*(BY_TYPE[kind] for kind in kinds)))


def _principal(subject: Subject, identity: Identity) -> str:
    """Return the ARN whose policies decide. Raises `DeployError` for who has none that could be simulated."""
    kind, _, name = identity.arn.split(":", 5)[5].partition("/")
    in_account = f"arn:{identity.partition}:iam::{identity.account}"
    if kind == "root":
        raise DeployError("The root user may do everything, and IAM does not simulate it. Sign in as a role instead.")
    if kind == "user":
        return f"{in_account}:user/{name}"
    if kind != "assumed-role":
        raise DeployError(f"IAM does not simulate {identity.arn}. Sign in as a role or a user to have it looked at.")
    role = name.partition("/")[0]
    try:
        # The session's ARN leaves out the role's path.
        found: str = subject.questions.ask("iam", "get_role", RoleName=role)["Role"]["Arn"]
    except AnswerError:
        return f"{in_account}:role/{role}"
    return found


def _simulated(subject: Subject, principal: str, actions: list[str]) -> list[Denial]:
    """Return which actions are not allowed on everything."""
    chunks = [actions[start : start + _ACTIONS_AT_ONCE] for start in range(0, len(actions), _ACTIONS_AT_ONCE)]
    answers = subject.questions.together([partial(_evaluations, subject, principal, chunk) for chunk in chunks])
    return [
        Denial(one["EvalActionName"], certain=not one.get("MissingContextValues"))
        for answer in answers
        for one in answer
        if one["EvalDecision"] != _ALLOWED
    ]


def _simulated_on(subject: Subject, principal: str, actions: list[str]) -> list[Denial]:
    """Return which actions of one service are allowed on nothing that the environment will have."""
    arns = example_arns(_service(actions[0]), subject.environment, subject.identity())
    found = []
    for one in _evaluations(subject, principal, actions, ResourceArns=arns):
        each = one.get("ResourceSpecificResults") or [{**one, "EvalResourceDecision": one["EvalDecision"]}]
        if not any(result["EvalResourceDecision"] == _ALLOWED for result in each):
            certain = not any(result.get("MissingContextValues") for result in [one, *each])
            found.append(Denial(one["EvalActionName"], certain))
    return found


def _evaluations(subject: Subject, principal: str, actions: list[str], **more: Any) -> list[Mapping[str, Any]]:
    region = {
        "ContextKeyName": "aws:RequestedRegion",
        "ContextKeyValues": [subject.environment.region],
        "ContextKeyType": "string",
    }
    return subject.questions.listed(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=principal,
        ActionNames=actions,
        ContextEntries=[region],
        **more,
    )


def _service(action: str) -> str:
    return action.partition(":")[0]


def _listed(actions: Iterable[str]) -> str:
    """Return actions by service, such as `ec2: CreateVpc, DeleteVpc; iam: PassRole`."""
    groups = groupby(sorted(actions), key=_service)
    return "; ".join(f"{service}: {', '.join(one.partition(':')[2] for one in group)}" for service, group in groups)
