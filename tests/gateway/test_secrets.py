"""A canary in everything that a configuration can hold: none is seen again outside."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from headgate.config import Disposition, ModelParameters
from headgate.config._keys import SECTIONS
from headgate.config._models import is_cost
from tests.doubles.gateway import RunningGateway
from tests.gateway.conftest import Serve

MARK = "canary-0123456789"
_SHOWN = {"model", "tags", "api_version", "region_name", "aws_region_name", "custom_llm_provider"}
"""What the listings show on purpose."""
_MAPPINGS: dict[str, Any] = {
    "extra_headers": {"x-internal-token": f"{MARK}-extra"},
    "headers": {"cookie": f"{MARK}-cookie"},
    "extra_body": {"internal": f"{MARK}-body"},
    "additional_drop_params": [f"{MARK}-dropped"],
    "allowed_openai_params": [f"{MARK}-allowed"],
}
_NO_SECRETS = {
    "organization",
    "api_base",
    "base_url",
    "aws_bedrock_runtime_endpoint",
    "aws_sts_endpoint",
    "model_id",
    "base_model",
}


def canaries() -> dict[str, Any]:
    """A value for each key of `litellm_params` that takes a text, a list or a mapping."""
    found: dict[str, Any] = {}
    for key in SECTIONS["model_list", "*", "litellm_params"]:
        name = key.name
        field = ModelParameters.model_fields.get(name)
        takes_text = field is None or "str" in str(field.annotation) or "Secret" in str(field.annotation)
        if name in _MAPPINGS:
            found[name] = _MAPPINGS[name]
        elif key.disposition is not Disposition.REFUSED and takes_text and not is_cost(name):
            found[name] = f"{MARK}-{name}"
    return {name: value for name, value in found.items() if name not in _SHOWN | _NO_SECRETS | {"mock_response"}}


class Echo(BaseHTTPRequestHandler):
    """Refuses every request and quotes its path and header, as careless upstreams do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        quoted = f"I do not like {self.path} with {dict(self.headers)}"
        body = json.dumps({"message": quoted, "error": {"message": quoted, "type": "invalid_request_error"}}).encode()
        self.send_response(400)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The base URL of an upstream that quotes what it gets."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, name="echo")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def models(echo: str) -> list[dict[str, Any]]:
    everything = canaries()
    base = {"api_base": f"{echo}/v1?internal={MARK}-query"}
    aws = {"aws_bedrock_runtime_endpoint": echo, "aws_region_name": "us-east-1"}
    signed = {name: value for name, value in everything.items() if name != "api_key"}
    for name in ("aws_role_name", "aws_web_identity_token", "aws_profile_name", "aws_session_name", "aws_external_id"):
        signed.pop(name)
    kinds = {
        "openai": {"model": "openai/gpt-4o", **everything, **base},
        "azure": {"model": "azure/dep", **everything, **base},
        "anthropic": {"model": "anthropic/claude-sonnet-4-5", **everything, "api_base": echo},
        "bedrock": {"model": "bedrock/amazon.nova-lite-v1:0", **everything, **aws},
        "signed": {"model": "bedrock/amazon.nova-lite-v1:0", **signed, **aws},
    }
    information = {"id": "dep", "api_key": MARK, "nested": [{"password": MARK}], "team": "blue"}
    return [
        {"model_name": kind, "litellm_params": parameters, "model_info": {**information, "id": kind}}
        for kind, parameters in kinds.items()
    ]


@pytest.fixture
def gateway(serve: Serve, echo: str, caplog: pytest.LogCaptureFixture) -> RunningGateway:
    caplog.set_level(logging.DEBUG, "headgate")
    return serve(models(echo), general={"health_check_details": True}, router={"num_retries": 1})


def test_the_canaries_are_where_they_should_be() -> None:
    assert {"api_key", "aws_secret_access_key", "client_secret", "vertex_credentials", "extra_headers"} <= set(
        canaries()
    )


@pytest.mark.parametrize("path", ["/model/info", "/model_group/info", "/v1/models", "/v1/models/openai", "/health"])
def test_no_listing_shows_a_secret(gateway: RunningGateway, caplog: pytest.LogCaptureFixture, path: str) -> None:
    answer = gateway.get(path)
    assert answer.status == 200
    assert MARK not in answer.body.decode()
    assert MARK not in caplog.text


def test_health_was_asked_of_all_of_them(gateway: RunningGateway) -> None:
    health = gateway.get("/health").json()
    assert [one["error_category"] for one in health["unhealthy_endpoints"]] == ["bad_request"] * 5
    assert all("I do not like" in one["error"] for one in health["unhealthy_endpoints"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openai", "azure", "anthropic", "bedrock", "signed"])
def test_no_error_or_log_shows_a_secret(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture, model: str, stream: bool
) -> None:
    answer = gateway.chat(model, stream=stream)
    assert (answer.status, "I do not like" in answer.body.decode()) == (400, True)
    assert MARK not in answer.body.decode() + str(answer.headers)
    assert MARK not in caplog.text


def test_what_is_no_secret_is_shown(gateway: RunningGateway) -> None:
    infos = {info["model_name"]: info for info in gateway.get("/model/info").json()["data"]}
    assert infos["openai"]["model_info"]["team"] == "blue"
    assert infos["openai"]["litellm_params"]["api_base"].endswith("/v1")
