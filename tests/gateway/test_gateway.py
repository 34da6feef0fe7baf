"""A configuration that replaces another one while requests are served."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.config import Configuration, load_configuration
from headgate.core.errors import ConfigurationError
from headgate.gateway import Gateway
from tests.doubles.gateway import MASTER_KEY
from tests.doubles.http import request
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry


def configuration(directory: Path, models: list[dict[str, Any]], **sections: Any) -> Configuration:
    path = directory / "other.yaml"
    path.write_text(yaml.safe_dump({"model_list": models, **sections}))
    return load_configuration(path, {})


def test_a_new_configuration_is_in_force_at_once(serve: Serve, tmp_path: Path) -> None:
    gateway = serve([demo("old")])
    gateway.gateway.replace(configuration(tmp_path, [demo("new")], general_settings={"max_request_size_mb": 1}))
    assert gateway.chat("new").status == 200
    assert gateway.chat("old").status == 400
    assert [model["id"] for model in gateway.get("/v1/models").json()["data"]] == ["new"]
    assert gateway.chat("new", user="x" * 1_100_000).status == 413


def test_what_was_seen_of_a_deployment_outlives_a_reload(
    serve: Serve, tmp_path: Path, upstream: OpenAIUpstream
) -> None:
    router = {"num_retries": 0, "cooldown_time": 60}
    models = [entry("m401", upstream, identifier="cooling"), demo()]
    gateway = serve(models, router=router)
    assert gateway.chat("m401").status == 401
    assert gateway.chat("m401").status == 429
    gateway.gateway.replace(configuration(tmp_path, models, router_settings=router))
    assert gateway.chat("m401").status == 429
    gateway.gateway.replace(configuration(tmp_path, [entry("m401", upstream, identifier="another")]))
    assert gateway.chat("m401").status == 401


def test_a_configuration_that_can_not_work_leaves_the_old_one(serve: Serve, tmp_path: Path) -> None:
    gateway = serve([demo("old")])
    before = gateway.gateway.runtime
    bad = configuration(tmp_path, [{"model_name": "new", "litellm_params": {"model": "azure/gpt"}}])
    with pytest.raises(ConfigurationError, match="azure"):
        gateway.gateway.replace(bad)
    assert gateway.gateway.runtime is before
    assert gateway.chat("old").status == 200


def test_the_root_path(serve: Serve) -> None:
    gateway = serve([demo()], environ={"SERVER_ROOT_PATH": "/gate"})
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
    assert gateway.post("/gate/v1/chat/completions", body).status == 200
    assert gateway.post("/v1/chat/completions", body).status == 404
    assert gateway.get("/gate/health/liveliness").json() == "I'm alive!"


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/chat/completions", "auth_error"), ("/v1/messages", "authentication_error")]
)
def test_a_refusal_speaks_the_dialect_of_its_path(serve: Serve, path: str, kind: str) -> None:
    answer = serve([demo()]).post(path, {}, {"authorization": "Bearer sk-wrong"})
    assert answer.status == 401
    assert answer.json()["error"]["type"] == kind
    assert answer.headers["x-litellm-call-id"]


@pytest.mark.parametrize(("path", "shape"), [("/v1/embeddings", "error"), ("/v1/messages", "type")])
def test_a_wrong_method_is_told_in_the_dialect_of_its_path(serve: Serve, path: str, shape: str) -> None:
    answer = serve([demo()]).get(path)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert next(iter(answer.json())) == shape


def test_uses_of_the_previous_master_key_are_counted_over_reloads(tmp_path: Path) -> None:
    rotated = {"current": "sk-current", "previous": "sk-previous", "previous_not_after": "2100-01-01T00:00:00Z"}
    gateway = Gateway(configuration(tmp_path, [demo()]), json.dumps(rotated))
    for key in (b"sk-previous", b"sk-current"):
        gateway.admit(b"POST", b"/v1/chat/completions", [(b"x-api-key", key)])
    gateway.replace(configuration(tmp_path, [demo("new")]))
    gateway.admit(b"POST", b"/v1/chat/completions", [(b"x-api-key", b"sk-previous")])
    assert gateway.counters.master_key_previous_uses == 2


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/responses/resp_1"),
        ("DELETE", "/responses/resp_1"),
        ("POST", "/responses/resp_1/cancel"),
        ("GET", "/responses/resp_1/input_items"),
    ],
)
def test_stored_responses_are_not_there(
    serve: Serve, upstream: OpenAIUpstream, prefix: str, method: str, path: str
) -> None:
    """They belong to the key that made them; until keys are told apart nobody may read or delete another's."""
    gateway = serve([entry("gpt", upstream)])
    asked = len(upstream.requests)
    answer = request(gateway.port, method, f"{prefix}{path}", headers={"authorization": f"Bearer {MASTER_KEY}"})
    assert (answer.status, answer.json()["error"]["type"]) == (404, "not_found_error")
    assert len(upstream.requests) == asked
