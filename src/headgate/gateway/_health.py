"""Health: is the process alive, should it get traffic, and do the deployments answer."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from headgate.core.errors import GatewayError, UpstreamError
from headgate.core.json import decode_object
from headgate.core.provider import Call, Operation
from headgate.gateway._gateway import Gateway
from headgate.gateway._headers import COMPATIBLE_WITH
from headgate.gateway._runtime import Target
from headgate.routing import Deployment
from headgate.transport.connection import Timeouts

PROBE_SECONDS = 60.0
_PROBES_AT_ONCE = 16
_TIMEOUTS = Timeouts(first_byte=PROBE_SECONDS, total=PROBE_SECONDS)

# The cheapest request of each mode, as LiteLLM probes; other modes are not probed because each probe costs money.
_PROBES: dict[str, tuple[Operation, dict[str, Any]]] = {
    "chat": (Operation.CHAT, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 16}),
    "completion": (Operation.COMPLETION, {"prompt": "hi", "max_tokens": 16}),
    "embedding": (Operation.EMBEDDING, {"input": ["hi"]}),
    "responses": (Operation.RESPONSES, {"input": "hi", "max_output_tokens": 16}),
    "rerank": (Operation.RERANK, {"query": "hi", "documents": ["hi"]}),
    "moderation": (Operation.MODERATION, {"input": "hi"}),
}


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
        gateway.runtime.authenticator.authenticate(request.headers.raw)
        model, identifier = request.query_params.get("model"), request.query_params.get("model_id")
        chosen = [
            deployment
            for deployment in gateway.runtime.deployments
            if model in (None, deployment.group) and identifier in (None, deployment.id)
        ]
        slots = asyncio.Semaphore(_PROBES_AT_ONCE)
        results = await asyncio.gather(*[_probe(gateway, deployment, slots) for deployment in chosen])
        healthy = [result for result in results if "error" not in result]
        unhealthy = [result for result in results if "error" in result]
        return JSONResponse(
            {
                "healthy_endpoints": healthy,
                "unhealthy_endpoints": unhealthy,
                "healthy_count": len(healthy),
                "unhealthy_count": len(unhealthy),
            }
        )

    return [
        Route(f"{root}/health", health),
        Route(f"{root}/health/liveliness", alive),
        Route(f"{root}/health/liveness", alive),
        Route(f"{root}/health/readiness", ready),
        Route(f"{root}/health/backlog", backlog),
    ]


async def _probe(gateway: Gateway, deployment: Deployment[Target], slots: asyncio.Semaphore) -> dict[str, Any]:
    """Send the cheapest request to a deployment; return what it is, with `error` when it did not answer."""
    provider = deployment.provider.provider
    result: dict[str, Any] = {"model": deployment.model, "model_id": deployment.id, "api_base": provider.api_base}
    mode = deployment.provider.mode
    if "*" in provider.model:
        return {**result, "skipped": "a wildcard names no model to probe"}
    if mode not in _PROBES:
        return {**result, "skipped": f"deployments of mode {mode} are not probed"}
    operation, members = _PROBES[mode]
    body = msgspec.json.encode({"model": deployment.group, **members})
    call = Call(operation, deployment.group, decode_object(body), body)
    async with slots:
        try:
            if provider.credentials is not None and not provider.credentials.available:
                await asyncio.to_thread(provider.credentials.refresh)
            response = await gateway.upstreams.send(provider.encode(call), _TIMEOUTS, whole=True)
            answer = await response.read()
            if not 200 <= response.status < 300:
                raise provider.failure(response.status, response.headers, answer)
            provider.decode(call, response.headers, answer)
        except UpstreamError as error:
            return {**result, "error": error.message, "error_category": error.category.value}
        except GatewayError as error:
            return {**result, "error": error.message}
    return result
