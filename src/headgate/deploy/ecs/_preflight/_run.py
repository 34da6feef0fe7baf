"""The checks, and how they are run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from headgate.core.errors import ConfigurationError
from headgate.deploy.ecs._account import Account
from headgate.deploy.ecs._preflight import _caller, _capacity, _quotas, _stores
from headgate.deploy.ecs._preflight._domain import domain
from headgate.deploy.ecs._preflight._image import image, is_webui_in_ecr, webui_image
from headgate.deploy.ecs._preflight._models import models, models_apply
from headgate.deploy.ecs._preflight._permissions import permissions
from headgate.deploy.ecs._preflight._questions import Questions
from headgate.deploy.ecs._preflight._secrets import provider_keys, secrets, secrets_apply
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.ecs._preflight._taken import names, names_apply
from headgate.deploy.engine import Check, DeployError, Verdict
from headgate.deploy.rotation import RotationError
from headgate.deploy.settings import Environment
from headgate.deploy.verification import Probe, run_probes

LIMIT_SECONDS = 20.0
"""How long all checks may take; what is not told by then is unknown."""
_NOBODY = "It was not looked at, because nobody is signed in whose answers would count."


@dataclass(frozen=True, slots=True)
class _Row:
    """A check: its name, what looks, and whether there is anything to look at."""

    name: str
    look: Callable[[Subject], Result]
    applies: Callable[[Subject], bool] = lambda subject: True


def _is_made(component: str) -> Callable[[Subject], bool]:
    return lambda subject: subject.makes(component)


def _is_touched(*components: str) -> Callable[[Subject], bool]:
    return lambda subject: subject.touches(*components)


_TABLE = (
    _Row("credentials", _caller.credentials),
    _Row("clock", _caller.clock),
    _Row("region", _caller.region),
    _Row("permissions", permissions),
    _Row("names", names, names_apply),
    _Row("endpoint services", _caller.endpoint_services, _is_made("network")),
    _Row("VPC quota", _quotas.vpc_quota, _is_made("network")),
    _Row("endpoint quota", _quotas.endpoint_quota, _is_made("network")),
    _Row(
        "address quota",
        _quotas.address_quota,
        lambda subject: subject.makes("network") and subject.environment.nat,
    ),
    _Row("load balancer quota", _quotas.load_balancer_quota, _is_made("alb")),
    _Row("database quota", _quotas.database_quota, _is_made("database")),
    _Row("Fargate quota", _quotas.fargate_quota, _is_touched("gateway", "mock", "webui")),
    _Row("secrets", secrets, secrets_apply),
    _Row("configuration", _capacity.configuration, lambda subject: subject.environment.configuration is not None),
    _Row(
        "provider keys",
        provider_keys,
        lambda subject: subject.environment.configuration is not None and subject.touches("gateway"),
    ),
    _Row(
        "way out",
        _capacity.way_out,
        lambda subject: subject.environment.configuration is not None and not subject.environment.nat,
    ),
    _Row("models", models, lambda subject: subject.touches("gateway", "security") and models_apply(subject)),
    _Row("image", image, _is_touched("gateway", "mock")),
    _Row("Open WebUI image", webui_image, lambda subject: is_webui_in_ecr(subject) and subject.touches("webui")),
    _Row("database version", _stores.database_version, _is_made("database")),
    _Row("database class", _stores.database_class, _is_touched("database")),
    _Row("Redis", _stores.redis, lambda subject: subject.environment.redis and subject.touches("redis")),
    _Row("domain", domain, lambda subject: subject.environment.domain is not None and subject.touches("alb")),
    _Row("connections", _capacity.connections),
    _Row("alarms", _capacity.alarms, _capacity.is_protected),
)

CHECKS = tuple(row.name for row in _TABLE)
"""The names of all checks, in the order in which they are told."""


def preflight(
    environment: Environment,
    account: Account,
    *,
    made_here: frozenset[str] = frozenset(),
    acts_on: frozenset[str] | None = None,
    clock: Callable[[], float] = time.time,
    seconds: float = LIMIT_SECONDS,
) -> tuple[Check, ...]:
    """Tell whether a run could succeed. Only reads; no value of a secret leaves it, and it raises nothing.

    `made_here` are the components that the run creates: what they make needs not exist yet. `acts_on` are those that
    it creates or changes, None for any: what only the others need is not looked at. Checks of what the environment does
    not have are left out. What AWS does not tell is `UNKNOWN`, with the action that was refused; without credentials
    of the right account everything is, at once. `clock` returns seconds since 1970.
    """
    subject = Subject(environment, account, made_here, acts_on, clock, Questions(account))
    # Once, before the threads: looking for credentials in vain takes seconds.
    told = Check(_TABLE[0].name, *_looked(_TABLE[0], subject))
    applying = [row for row in _TABLE[1:] if _applies(row, subject)]
    if told.verdict is not Verdict.PASSED:
        return told, *(Check(row.name, Verdict.UNKNOWN, _NOBODY) for row in applying)
    probes = [Probe(row.name, partial(_looked, row, subject)) for row in applying]
    return told, *run_probes(probes, seconds)


def _applies(row: _Row, subject: Subject) -> bool:
    try:
        return row.applies(subject)
    except ConfigurationError:
        # Its own check tells.
        return False


def _looked(row: _Row, subject: Subject) -> Result:
    try:
        return row.look(subject)
    except ConfigurationError as error:
        return Verdict.FAILED, " ".join(error.problems)
    except RotationError as error:
        return Verdict.FAILED, str(error)
    except DeployError as error:
        return Verdict.UNKNOWN, str(error)
