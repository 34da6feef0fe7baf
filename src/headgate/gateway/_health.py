"""Health: is the process alive, should it get traffic, and do the deployments answer."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from headgate.core.errors import UpstreamError
from headgate.gateway._gateway import Gateway
from headgate.gateway._headers import COMPATIBLE_WITH
from headgate.gateway._probes import Outcome, is_probed_in_background, probe_all
from headgate.gateway._target import Target
from headgate.routing import Deployment


def routes(gateway: Gateway, root: str) -> list[BaseRoute]:
    """Return the health routes of a gateway."""

    async def alive(_: Request) -> Response:
        return JSONResponse("I'm alive!")

    async def ready(_: Request) -> Response:
        body: dict[str, Any] = {
            "status": "healthy",
            "db": "Not connected",
            "cache": None,
            "litellm_version": COMPATIBLE_WITH,
        }
        if gateway.draining:
            return JSONResponse({**body, "status": "shutting down"}, 503)
        return JSONResponse(body)

    async def backlog(request: Request) -> Response:
        gateway.runtime.authenticator.authenticate(request.headers.raw)
        return JSONResponse({"in_flight_requests": gateway.counters.in_flight})

    async def health(request: Request) -> Response:
        runtime = gateway.runtime
        runtime.authenticator.authenticate(request.headers.raw)
        model, identifier = request.query_params.get("model"), request.query_params.get("model_id")
        chosen = [
            deployment
            for deployment in runtime.deployments
            if model in (None, deployment.group, deployment.provider.parameters["model"])
            and identifier in (None, deployment.id)
        ]
        general = runtime.configuration.general
        if general.background_health_checks:
            outcomes = {deployment.id: _last(gateway, deployment) for deployment in chosen}
        else:
            outcomes = await probe_all(gateway.upstreams, chosen)
        return JSONResponse(_report(chosen, outcomes, general.health_check_details))

    return [
        Route(f"{root}/health", health),
        Route(f"{root}/health/liveliness", alive),
        Route(f"{root}/health/liveness", alive),
        Route(f"{root}/health/readiness", ready),
        Route(f"{root}/health/backlog", backlog),
    ]


def _last(gateway: Gateway, deployment: Deployment[Target]) -> Outcome:
    """Return what the background found last of a deployment."""
    if not is_probed_in_background(deployment):
        return Outcome(skipped="model_info.disable_background_health_check is set.")
    return gateway.probes.outcomes.get(deployment.id, Outcome(skipped="No health check has ended yet."))


def _report(deployments: list[Deployment[Target]], outcomes: dict[str, Outcome], details: bool) -> dict[str, Any]:
    """Return the body of `/health`. Without `details` it holds neither addresses nor what upstreams said."""
    healthy: list[dict[str, Any]] = []
    unhealthy: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    for deployment in deployments:
        outcome, target = outcomes[deployment.id], deployment.provider
        shown: dict[str, Any] = {"model": target.parameters["model"], "model_id": deployment.id}
        if details:
            shown["api_base"] = target.provider.api_base
        if outcome.checked_at is not None:
            shown["checked_at"] = outcome.checked_at.isoformat(timespec="seconds")
        if outcome.skipped is not None:
            skipped.append({**shown, "skipped": outcome.skipped})
        elif outcome.error is not None:
            if details:
                shown["error"] = outcome.error.message
            if isinstance(outcome.error, UpstreamError):
                shown["error_category"] = outcome.error.category.value
            unhealthy.append(shown)
        else:
            healthy.append(shown)
    return {
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
        "skipped_endpoints": skipped,
        "healthy_count": len(healthy),
        "unhealthy_count": len(unhealthy),
        "skipped_count": len(skipped),
    }
