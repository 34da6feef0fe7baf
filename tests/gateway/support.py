"""Entries of `model_list` for the OpenAI double."""

from typing import Any

from tests.doubles.openai_upstream import OpenAIUpstream


def entry(
    group: str, upstream: OpenAIUpstream | str, model: str | None = None, *, identifier: str = "", **parameters: Any
) -> dict[str, Any]:
    """Return a deployment of a group; `model` says how the double behaves."""
    base = upstream if isinstance(upstream, str) else upstream.api_base
    found: dict[str, Any] = {
        "model_name": group,
        "litellm_params": {"model": f"openai/{model or group}", "api_base": base, "api_key": "sk-up", **parameters},
    }
    if identifier:
        found["model_info"] = {"id": identifier}
    return found


def demo(group: str = "demo", **parameters: Any) -> dict[str, Any]:
    """Return a deployment of the built-in model."""
    return {"model_name": group, "litellm_params": {"model": "demo/demo", **parameters}}
