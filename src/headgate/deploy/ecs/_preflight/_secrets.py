"""Whether secrets that the run only reads are there and hold something. Their values go no further than this module."""

from functools import partial

from headgate.deploy.ecs._preflight._questions import AnswerError
from headgate.deploy.ecs._preflight._subject import Result, Subject, gravest
from headgate.deploy.engine import Verdict
from headgate.deploy.rotation import decode
from headgate.deploy.secrets import Entry, find

_MADE_BY_SECURITY = ("master-key", "salt-key", "ui-password", "database")
_LATER = frozenset({"host", "port", "DATABASE_URL"})
"""What the database adds to its secret."""
_FOR_TASKS = ("gateway", "database", "redis")


def secrets_apply(subject: Subject) -> bool:
    """Tell whether the run reads secrets that it does not create."""
    return subject.touches(*_FOR_TASKS) and bool(_read_only(subject))


def secrets(subject: Subject) -> Result:
    """Look at each secret that an earlier run made: is it there, does it hold what tasks are started with."""
    entries = _read_only(subject)
    names = {entry.name: f"{_folder(subject)}/{entry.name}" for entry in entries}
    results = subject.questions.together([partial(_looked_at, subject, entry) for entry in entries])
    if all(verdict is Verdict.PASSED for verdict, _ in results):
        return Verdict.PASSED, f"{', '.join(names.values())} hold what tasks need"
    return gravest(results)


def provider_keys(subject: Subject) -> Result:
    """Look for what gives a task each variable that the gateway's configuration reads."""
    configuration = subject.configuration
    own = subject.document.get("environment_variables")
    wanted = set() if configuration is None else configuration.variables - set(own if isinstance(own, dict) else ())
    given, keys = subject.task_variables()
    if unknown := sorted(wanted - given):
        return Verdict.FAILED, (
            f"nothing gives tasks {', '.join(unknown)}, which the gateway's configuration reads. Of keys, tasks get"
            f" {', '.join(sorted(keys))}: use these names, set the variable under `environment_variables`, or leave"
            " out what reads it."
        )
    keyed = sorted(wanted & keys)
    if not keyed:
        return Verdict.PASSED, "the configuration reads no provider's key"
    name, command = f"{_folder(subject)}/api-keys", f"`headgate secrets set api-keys --env {subject.environment.name}`"
    if subject.makes("security"):
        return Verdict.WARNING, (
            f"{', '.join(keyed)} will be missing: this run creates {name} without a value, and the gateway does not"
            f" start before it has one. `up security` first, then {command}, then the rest."
        )
    held = _held(subject, "api-keys")
    if missing := [one for one in keyed if held is None or one not in held]:
        return Verdict.FAILED, f"{name} does not hold {', '.join(missing)}, which the configuration reads: {command}."
    return Verdict.PASSED, f"{name} holds {', '.join(keyed)}"


def _read_only(subject: Subject) -> list[Entry]:
    names = [] if subject.makes("security") else list(_MADE_BY_SECURITY)
    if subject.environment.redis and not subject.makes("redis"):
        names.append("redis")
    return [find(name) for name in names]


def _looked_at(subject: Subject, entry: Entry) -> Result:
    name = f"{_folder(subject)}/{entry.name}"
    try:
        held = _held(subject, entry.name)
    except AnswerError as error:
        if error.code != "InvalidRequestException":
            return Verdict.UNKNOWN, str(error)
        return Verdict.FAILED, (
            f"{name} is marked for deletion: `aws secretsmanager restore-secret --secret-id {name}` brings it back."
        )
    component = "redis" if entry.name == "redis" else "security"
    if held is None:
        return Verdict.FAILED, f"{name} is missing or empty: `headgate deploy up {component}` makes it."
    missing = [one for one in entry.names if one not in held]
    if lacking := [one for one in missing if entry.name != "database" or one not in _LATER]:
        return Verdict.FAILED, f"{name} lacks {', '.join(lacking)}: `headgate secrets set {entry.name}`."
    if missing and not subject.makes("database"):
        return Verdict.WARNING, f"{name} has no {', '.join(missing)} yet: `headgate deploy up database` completes it."
    return Verdict.PASSED, ""


def _held(subject: Subject, name: str) -> frozenset[str] | None:
    """Return which members of a secret have a value; None without a secret, or without anything in it."""
    secret = f"{_folder(subject)}/{name}"

    def read() -> frozenset[str] | None:
        try:
            answer = subject.questions.afresh("secretsmanager", "get_secret_value", SecretId=secret)
        except AnswerError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        return frozenset(member for member, text in decode(answer.get("SecretString", ""), secret).items() if text)

    return subject.questions.once(("secret", secret), read)


def _folder(subject: Subject) -> str:
    return f"{subject.environment.project}/{subject.environment.name}"
