"""Looking at the stack on this machine: its containers, its ports, and the gateway as users see it."""

import functools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from headgate.deploy.compose._components import container_problem
from headgate.deploy.compose._docker import Container, Docker
from headgate.deploy.compose._ports import misplaced
from headgate.deploy.compose._render import PORTS, services
from headgate.deploy.compose._secret_files import SecretFiles
from headgate.deploy.engine import Check, Verdict
from headgate.deploy.settings import Environment
from headgate.deploy.verification import (
    Front,
    Probe,
    Result,
    Web,
    WebError,
    configured_models,
    gateway_probes,
    page_probe,
    run_probes,
)

VERIFY_SECONDS = 60.0
"""How long looking at everything may take."""
HIDDEN_PATHS = ("/metrics",)
"""What nginx answers with 404."""
_ADVICE = "`headgate deploy status` shows which container is not well, `headgate deploy logs gateway` why."
_LONGEST_REASON = 120


@dataclass(frozen=True, slots=True)
class _Reading:
    environment: Environment
    docker: Docker
    secrets: SecretFiles
    web: Web
    lock: threading.Lock

    def containers(self) -> list[Container]:
        """Ask Docker once for all probes, which its answer's freshness covers."""
        with self.lock:
            return self.docker.containers()


def verify(
    environment: Environment, docker: Docker, secrets: SecretFiles, web: Web, *, seconds: float = VERIFY_SECONDS
) -> tuple[Check, ...]:
    """Return how the stack is; nothing is changed.

    The master key is read into memory and sent to the gateway alone. What takes longer than `seconds` in all is
    unknown. Raises `ConfigurationError` when the gateway's configuration can not be read.
    """
    reading = _Reading(environment, docker, secrets, web, threading.Lock())
    looks: dict[str, Callable[[_Reading], Result]] = {
        "containers": _containers,
        "ports": _ports,
        "secrets": _secrets,
        "prometheus": _targets,
    }
    front = Front(web, address(environment), secrets.master_key, _ADVICE)
    models = configured_models(environment.configuration, environment.image)
    probes = [Probe(name, functools.partial(look, reading)) for name, look in looks.items()]
    probes += gateway_probes(front, models, HIDDEN_PATHS)
    if environment.open_webui:
        advice = "`headgate deploy logs open-webui` shows why."
        probes.append(page_probe("open-webui", web, f"http://127.0.0.1:{PORTS['open_webui']}", advice))
    if not IPv4Address(environment.listen_address).is_loopback:
        probes.append(Probe("encryption", functools.partial(_plaintext, reading)))
    return run_probes(probes, seconds)


def address(environment: Environment) -> str:
    """Return the URL, without a path, at which this machine reaches the gateway."""
    listening = environment.listen_address
    host = "127.0.0.1" if IPv4Address(listening).is_unspecified else listening
    return f"http://{host}:{environment.listen_port}"


def _containers(reading: _Reading) -> Result:
    found = {container.service: container for container in reading.containers()}
    wanted = [name for names in services(reading.environment).values() for name in names]
    problems = [problem for name in wanted if (problem := container_problem(found.get(name), name))]
    if problems:
        return Verdict.FAILED, f"{'; '.join(problems)}: `headgate deploy up` starts what is missing, or says why not"
    return Verdict.PASSED, f"{len(wanted)} run and are healthy"


def _ports(reading: _Reading) -> Result:
    """Compare where containers can be reached with where they should be."""
    problems = [f"{name} {sentence}" for name, sentence in misplaced(reading.environment, reading.containers())]
    if problems:
        return Verdict.FAILED, f"{'; '.join(problems)}. `headgate deploy diff` shows what was changed by hand"
    listening = f"{reading.environment.listen_address}:{reading.environment.listen_port}"
    return Verdict.PASSED, f"the gateway at {listening}, everything else on loopback or not at all"


def _secrets(reading: _Reading) -> Result:
    files = reading.secrets
    if missing := files.missing():
        names = ", ".join(secret.file for secret in missing)
        return Verdict.FAILED, f"missing or empty in {files.directory}: {names}. `headgate deploy plan` says what to do"
    if exposed := files.exposed():
        return Verdict.FAILED, f"others may read {', '.join(exposed)}: `chmod 600 {files.directory}/*`"
    if not files.is_current():
        return Verdict.WARNING, "a secret was changed and has not reached the services: `headgate deploy up` gives it"
    return Verdict.PASSED, f"in {files.directory}, readable by their owner only"


def _targets(reading: _Reading) -> Result:
    """Ask Prometheus whom it reaches; the gateway works without it, so that nothing here is a failure."""
    url = f"http://127.0.0.1:{PORTS['prometheus']}/api/v1/targets?state=active"
    try:
        targets = json.loads(reading.web.ask("GET", url).body)["data"]["activeTargets"]
        down = [one for one in targets if one["health"] != "up"]
        named = [f"{one['scrapeUrl']} ({one.get('lastError') or one['health']})"[:_LONGEST_REASON] for one in down]
    except WebError as error:
        return Verdict.WARNING, f"{error} `headgate deploy up prometheus` starts Prometheus."
    except (ValueError, TypeError, KeyError):
        return Verdict.WARNING, f"{url} answers something that is not of Prometheus: something else has its port"
    if named:
        return Verdict.WARNING, f"no metrics come from {'; '.join(named)}"
    return Verdict.PASSED, f"metrics come from {len(targets)} targets"


def _plaintext(reading: _Reading) -> Result:
    place = address(reading.environment)
    return Verdict.WARNING, (
        f"others than this machine reach {place} without TLS: keys and prompts can be read on the way. Put a proxy with"
        " a certificate before it (docs/operations.md), or set `listen_address: 127.0.0.1`."
    )
