"""Looking at a deployment on ECS: from the outside as its users do, and at what stands behind."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from headgate.deploy.ecs._account import Account
from headgate.deploy.ecs._verify_resources import SERVICES, Reading, resource_probes
from headgate.deploy.ecs._verify_secrets import secret_probes
from headgate.deploy.engine import Check, DeployError, Verdict
from headgate.deploy.secrets import Vault, master_key
from headgate.deploy.settings import Environment
from headgate.deploy.verification import (
    Front,
    Probe,
    Result,
    Web,
    configured_models,
    gateway_probes,
    page_probe,
    run_probes,
)

VERIFY_SECONDS = 90.0
"""How long looking at everything may take."""
INTERNAL_PATHS = ("/metrics", "/docs", "/redoc", "/openapi.json")
"""What operators read inside the VPC; the load balancer answers outsiders with 404."""
CERTIFICATE_DAYS = 30
"""ACM renews 60 days before the end, so that one with less has not been renewed:
https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html"""
_REDIRECTS = frozenset({301, 302, 307, 308})


def verify(
    environment: Environment,
    account: Account,
    outputs: Mapping[str, Mapping[str, str]],
    web: Web,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    seconds: float = VERIFY_SECONDS,
) -> tuple[Check, ...]:
    """Return how a deployment is; nothing is changed.

    `outputs` are those of the stacks that exist, by template. The master key is read into memory and sent to the
    gateway alone. What takes longer than `seconds` in all is unknown. Raises `ConfigurationError` when the gateway's
    configuration can not be read.
    """
    with contextlib.suppress(DeployError):
        # Making clients is not safe in several threads at once. Without credentials each probe says so itself.
        for service in SERVICES:
            account.client(service)
    reading = Reading(environment, account, outputs)

    def vault() -> Vault:
        return Vault(account.client("secretsmanager"), f"{environment.project}/{environment.name}")

    probes = [
        *resource_probes(reading),
        *secret_probes(environment, vault, now),
        *_outside(environment, account, outputs.get("alb", {}).get("Url"), vault, web, now),
        *_open_webui(environment, outputs.get("alb", {}).get("OpenWebUiUrl"), web),
    ]
    return run_probes(probes, seconds)


def _outside(
    environment: Environment,
    account: Account,
    url: str | None,
    vault: Callable[[], Vault],
    web: Web,
    now: Callable[[], datetime],
) -> Iterator[Probe]:
    """Yield what users see."""
    if url is None and environment.domain is not None:
        url = f"https://{environment.domain}"
    if url is None:
        yield Probe("address", lambda: _no_address(account))
        return
    advice = (
        f"`headgate deploy logs gateway --env {environment.name}` shows why; where only some networks may reach it, run"
        " this from one of them."
    )
    front = Front(web, url, lambda: master_key(vault()), advice)
    models = configured_models(environment.configuration, environment.image)
    yield from gateway_probes(front, models, INTERNAL_PATHS)
    if environment.domain is None:
        yield Probe("encryption", _plaintext)
    else:
        domain = environment.domain
        yield Probe("redirect to HTTPS", lambda: _redirected(web, domain))
        yield Probe("certificate", lambda: _certificate(web, domain, now()))


def _open_webui(environment: Environment, url: str | None, web: Web) -> Iterator[Probe]:
    if environment.open_webui and url is not None:
        advice = f"`headgate deploy logs webui --env {environment.name}` shows why."
        yield page_probe("open-webui", web, url, advice)


def _no_address(account: Account) -> Result:
    account.identity()
    return Verdict.UNKNOWN, "The gateway has no address yet: `headgate deploy up alb` makes the load balancer."


def _plaintext() -> Result:
    return Verdict.WARNING, (
        "the gateway is reached over plain HTTP, as allow_plaintext says: keys and prompts can be read on the way. Set"
        " `domain` to have a certificate made."
    )


def _redirected(web: Web, domain: str) -> Result:
    answer = web.ask("GET", f"http://{domain}/v1/models")
    place = answer.headers.get("location", "")
    if answer.status in _REDIRECTS and place.startswith(f"https://{domain}"):
        return Verdict.PASSED, f"http://{domain} leads to HTTPS"
    return Verdict.FAILED, (
        f"http://{domain} answers {answer.status} instead of leading to HTTPS, so that keys may cross the internet in"
        " the clear: `headgate deploy diff` shows how the listener was changed."
    )


def _certificate(web: Web, domain: str, now: datetime) -> Result:
    ends = web.ask("GET", f"https://{domain}/health/liveliness").certificate_ends
    if ends is None:
        return Verdict.UNKNOWN, f"https://{domain} showed no certificate."
    left = (ends - now).days
    if left >= CERTIFICATE_DAYS:
        return Verdict.PASSED, f"valid until {ends:%Y-%m-%d}, {left} days"
    return Verdict.WARNING, (
        f"it ends on {ends:%Y-%m-%d}, in {left} days, and was not renewed: the record that proves the domain has to"
        " stand in its zone. The certificate in ACM says what is missing."
    )
