"""What models there are: `/v1/models`, `/model/info`, `/model_group/info`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from headgate.config import may_hold_secret
from headgate.core.clock import monotonic
from headgate.core.errors import ModelNotFoundError, NotFoundError
from headgate.core.money import PICO_PER_DOLLAR
from headgate.core.provider import Operation
from headgate.gateway._gateway import Gateway
from headgate.gateway._target import Target
from headgate.ledger import prices
from headgate.routing import Deployment

CREATED = 1_677_610_602
"""The creation time that LiteLLM gives for every model."""

_SHOWN: tuple[str, ...] = ("api_version", "rpm", "tpm", "timeout", "stream_timeout", "weight", "order", "tags")
_SHOWN += ("region_name", "aws_region_name", "max_parallel_requests", "cooldown_time", "custom_llm_provider")
"""The keys of `litellm_params` that are shown as they are; any other value may hold a secret."""


def routes(gateway: Gateway, root: str) -> list[BaseRoute]:
    """Return the routes that list models."""

    def check(request: Request) -> None:
        gateway.runtime.authenticator.authenticate(request.headers.raw)

    async def models(request: Request) -> Response:
        check(request)
        router = gateway.runtime.router
        return JSONResponse({"data": [_model(name) for name in router.groups()], "object": "list"})

    async def model(request: Request) -> Response:
        check(request)
        name = request.path_params["model"]
        try:
            gateway.runtime.router.resolve(name)
        except ModelNotFoundError:
            shown = name if len(name) <= 200 else name[:200] + "..."
            raise NotFoundError(f"The model `{shown}` does not exist or is not accessible", param="model") from None
        return JSONResponse(_model(name))

    async def info(request: Request) -> Response:
        check(request)
        identifier = request.query_params.get("litellm_model_id")
        chosen = [one for one in gateway.runtime.deployments if identifier in (None, one.id)]
        if identifier is not None and not chosen:
            raise NotFoundError("No deployment has this litellm_model_id.", param="litellm_model_id")
        return JSONResponse({"data": [_deployment_info(one) for one in chosen]})

    async def group_info(request: Request) -> Response:
        check(request)
        wanted = request.query_params.get("model_group")
        names = [name for name in gateway.runtime.router.groups() if wanted in (None, name)]
        return JSONResponse({"data": [_group_info(gateway, name) for name in names]})

    found: list[BaseRoute] = []
    for prefix in (root, f"{root}/v1"):
        found += [
            Route(f"{prefix}/models", models),
            Route(f"{prefix}/models/{{model:path}}", model),
            Route(f"{prefix}/model/info", info),
        ]
    return [*found, Route(f"{root}/model_group/info", group_info)]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "openai"}


def _deployment_info(deployment: Deployment[Target]) -> dict[str, Any]:
    target = deployment.provider
    parameters = {name: target.parameters[name] for name in _SHOWN if name in target.parameters}
    if "api_base" in target.parameters:
        # As the provider tells it: without a query, which may hold a key.
        parameters["api_base"] = target.provider.api_base
    information = {**_facts(deployment), "db_model": False, "key": deployment.model, **_public(target.info)}
    return {
        "model_name": deployment.group,
        "litellm_params": {**parameters, "model": target.parameters["model"]},
        "model_info": {**information, "litellm_provider": target.provider.name},
    }


def _public(value: Any) -> Any:
    """Return what somebody wrote into `model_info`, without what the names of its keys tell to be secret."""
    if isinstance(value, dict):
        return {key: _public(inner) for key, inner in value.items() if not may_hold_secret(str(key))}
    return [_public(inner) for inner in value] if isinstance(value, list) else value


def _facts(deployment: Deployment[Target]) -> dict[str, Any]:
    """Return what is known of a model beyond the configuration: its prices in dollars and the size of its input."""
    target = deployment.provider
    price = target.price("", monotonic())
    known = prices.facts(target.provider.name, deployment.model, {**target.info, **target.parameters})
    dollars = {
        "input_cost_per_token": price.input if price else None,
        "output_cost_per_token": price.output if price else None,
        "cache_read_input_token_cost": price.cache_read if price else None,
        "cache_creation_input_token_cost": price.cache_write if price else None,
    }
    return {
        "mode": target.mode,
        "max_input_tokens": known.max_input_tokens,
        **{name: None if pico is None else pico / PICO_PER_DOLLAR for name, pico in dollars.items()},
    }


def _group_info(gateway: Gateway, name: str) -> dict[str, Any]:
    """Summarize a group: the largest sizes and the highest prices of its deployments, the sums of their limits."""
    deployments = gateway.runtime.router.deployments(name)
    details = [_deployment_info(one)["model_info"] for one in deployments]

    def largest(key: str) -> Any:
        return max((detail[key] for detail in details if detail.get(key) is not None), default=None)

    def total(values: list[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return {
        "model_group": name,
        "providers": sorted({one.provider.provider.name for one in deployments}),
        "max_input_tokens": largest("max_input_tokens"),
        "max_output_tokens": largest("max_output_tokens"),
        "input_cost_per_token": largest("input_cost_per_token"),
        "output_cost_per_token": largest("output_cost_per_token"),
        "mode": details[0].get("mode"),
        "tpm": total([one.tpm for one in deployments]),
        "rpm": total([one.rpm for one in deployments]),
        "supported_operations": [op.value for op in Operation if deployments[0].provider.provider.supports(op)],
    }
