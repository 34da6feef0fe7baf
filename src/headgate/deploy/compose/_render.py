"""The files of the stack as text; a pure function of the environment."""

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from headgate.core.errors import ConfigurationError
from headgate.deploy.compose._images import IMAGES, gateway_image
from headgate.deploy.settings import Environment

COMPOSE_FILE = "compose.yaml"
PORTS: Mapping[str, int] = {
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "jaeger": 16686,
    "open_webui": 8080,
}
"""Ports of this machine, on loopback only."""
MOUNT_POINTS = ("prometheus/rules", "grafana/dashboards")
"""Directories for rules and dashboards; what is in them is left alone."""

_GATEWAY_CONFIGURATION = "gateway/config.yaml"
_FILES = {
    "nginx/nginx.conf": ("nginx", "nginx.conf"),
    "redis/redis.conf": ("redis", "redis.conf"),
    "redis/start.sh": ("redis", "start.sh"),
    "redis/sentinel.sh": ("redis", "sentinel.sh"),
    "prometheus/prometheus.yml": ("prometheus", "prometheus.yml"),
    "alertmanager/alertmanager.yml": ("alertmanager", "alertmanager.yml"),
    "grafana/provisioning/datasources/headgate.yaml": ("grafana", "datasources.yaml"),
    "grafana/provisioning/dashboards/headgate.yaml": ("grafana", "dashboards.yaml"),
    "jaeger/jaeger.yaml": ("jaeger", "jaeger.yaml"),
}
"""Each file, the component that reads it, and its template."""


def services(environment: Environment) -> Mapping[str, tuple[str, ...]]:
    """Return the services of each component, in the order in which the components are created."""
    found = {
        "postgres": ("postgres",),
        "redis": ("redis-primary", "redis-replica", "sentinel-1", "sentinel-2", "sentinel-3"),
        "jaeger": ("jaeger",),
        "gateway": tuple(f"gateway-{number}" for number in range(1, environment.tasks + 1)),
        "nginx": ("nginx",),
        "alertmanager": ("alertmanager",),
        "prometheus": ("prometheus",),
        "grafana": ("grafana",),
    }
    return {**found, "open-webui": ("open-webui",)} if environment.open_webui else found


def volumes(environment: Environment) -> Mapping[str, tuple[str, ...]]:
    """Return the volumes of each component that keeps something; Compose puts the project's name before them."""
    found = services(environment)
    kept = {
        "postgres": ("postgres",),
        "redis": found["redis"],
        "gateway": found["gateway"],
        "alertmanager": ("alertmanager",),
        "prometheus": ("prometheus",),
        "grafana": ("grafana",),
        "open-webui": ("open-webui",),
    }
    return {component: names for component, names in kept.items() if component in found}


def render(environment: Environment, secret_versions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the text of every file by its path.

    Each service carries a digest of what it is made of, so that a plan sees what changed; `secret_versions` adds, by
    component, what changes with its secrets. Raises `ConfigurationError` when the gateway's configuration can not be
    read or Jinja is not installed.
    """
    configuration = _configuration(environment)
    context: dict[str, Any] = {
        "environment": environment,
        "images": {**IMAGES, "gateway": gateway_image(environment.image)},
        "ports": PORTS,
        "configured": configuration is not None,
        "volumes": sorted(volume for names in volumes(environment).values() for volume in names),
    }
    rendered = {path: _template(name, context) for path, (_, name) in _FILES.items()}
    if configuration is not None:
        rendered[_GATEWAY_CONFIGURATION] = configuration
    compose = _template(COMPOSE_FILE, context)
    versions = secret_versions or {}
    parsed = _services_of(compose)
    for component, names in services(environment).items():
        # Only the component's own services, so that a change elsewhere leaves it alone.
        own = json.dumps({name: parsed[name] for name in names}, sort_keys=True)
        digest = _digest([own, versions.get(component, ""), *_read_by(component, rendered)])
        compose = compose.replace(f'"@{component}@"', f'"{digest}"')
    return {COMPOSE_FILE: compose, **rendered}


def digests(compose: str) -> dict[str, str]:
    """Return the digest of each service in a rendered compose file."""
    return {name: str(service["labels"]["headgate.digest"]) for name, service in _services_of(compose).items()}


def _services_of(compose: str) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = yaml.load(compose, Loader=loader)["services"]  # noqa: S506 - both loaders are safe
    return found


def _read_by(component: str, rendered: Mapping[str, str]) -> list[str]:
    own = [rendered[path] for path, (reader, _) in _FILES.items() if reader == component]
    return [*own, rendered.get(_GATEWAY_CONFIGURATION, "")] if component == "gateway" else own


def _digest(parts: list[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()[:16]


def _configuration(environment: Environment) -> str | None:
    if environment.configuration is None:
        return None
    try:
        return environment.configuration.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{environment.configuration} can not be read as text."]) from error


def _template(name: str, context: Mapping[str, Any]) -> str:
    try:
        from jinja2 import Environment as Templates
        from jinja2 import StrictUndefined
    except ImportError as error:
        raise ConfigurationError(["Deploying needs Jinja: pip install 'headgate[deploy]'."]) from error
    text = files("headgate.deploy.compose").joinpath("templates", f"{name}.j2").read_text()
    # What is written is configuration for programs, not HTML, and every value in it was checked against a pattern.
    templates = Templates(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return templates.from_string(text).render(context)
