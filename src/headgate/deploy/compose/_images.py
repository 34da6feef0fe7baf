"""The images of the stack, each pinned to a release. Renew them here; nothing else names one."""

from collections.abc import Mapping

import headgate

IMAGES: Mapping[str, str] = {
    "nginx": "nginx:1.30.6-alpine",
    "postgres": "postgres:18.4-alpine",
    "redis": "redis:8.10.2-alpine",
    "prometheus": "prom/prometheus:v3.14.0",
    "alertmanager": "prom/alertmanager:v0.34.0",
    "grafana": "grafana/grafana:13.2.0",
    "jaeger": "jaegertracing/jaeger:2.19.0",
    "open_webui": "ghcr.io/open-webui/open-webui:0.11.0",
}
"""Current releases as of November 2026."""

LITELLM = "ghcr.io/berriai/litellm-database:main-v1.80.5-stable"
"""The release of LiteLLM that Headgate is compatible with, in the build that speaks PostgreSQL."""


def gateway_image(image: str) -> str:
    """Return the reference that `headgate`, `litellm` or a reference stands for.

    Headgate's own is built where it runs: `docker build --tag headgate:VERSION .`
    """
    return {"headgate": f"headgate:{headgate.__version__}", "litellm": LITELLM}.get(image, image)


def is_built_here(image: str) -> bool:
    """Tell whether no registry has an image, so that it must be there before anything starts."""
    return image == "headgate"
