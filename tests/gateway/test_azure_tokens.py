"""Azure deployments that are asked as an application: its token is fetched once, ahead of time, and never shown."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from headgate.core.clock import monotonic
from headgate.gateway._credentials import Refresher
from headgate.providers._entra import EntraSettings, EntraToken, parse_settings
from headgate.transport.client import Client
from headgate.transport.dialer import Dialer
from tests.doubles.entra import CLIENT_SECRET, PARAMETERS, TokenServer, token_server
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import entry
from tests.support import run


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with token_server() as running:
        yield running


def azure(upstream: OpenAIUpstream, **parameters: Any) -> dict[str, Any]:
    """A deployment of a resource on loopback, asked as the application."""
    base = f"http://127.0.0.1:{upstream.port}"
    return {
        "model_name": "chat",
        "litellm_params": {"model": "azure/dep", "api_base": base, "api_version": "v1", **PARAMETERS, **parameters},
    }


def test_requests_that_come_together_wait_for_one_token(
    serve: Serve, upstream: OpenAIUpstream, tokens: TokenServer
) -> None:
    gateway = serve([azure(upstream), azure(upstream, model="azure/other")], tokens.environ)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda stream: gateway.chat("chat", stream=stream), [False, True] * 8))
    assert [answer.status for answer in answers] == [200] * 16
    assert tokens.issued == 1
    assert {fields["authorization"] for _, fields, _ in upstream.requests[-16:]} == {"Bearer eyJ0.token-1.sig"}
    assert gateway.get("/health").json()["unhealthy_count"] == 0


def test_a_request_that_finds_an_expired_token_waits_for_the_next(
    serve: Serve, upstream: OpenAIUpstream, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = serve([azure(upstream)], tokens.environ)
    assert gateway.chat("chat").status == 200
    (deployment,) = gateway.gateway.runtime.deployments
    monkeypatch.setattr(deployment.provider.provider.credentials, "_clock", lambda: monotonic() + 3600)
    assert gateway.chat("chat").status == 200
    assert upstream.requests[-1][1]["authorization"] == "Bearer eyJ0.token-2.sig"


def test_a_refused_secret_is_told_without_it(
    serve: Serve, upstream: OpenAIUpstream, tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    tokens.refusal = (401, "invalid_client", f"AADSTS7000215: Invalid client secret provided: {CLIENT_SECRET}.")
    gateway = serve([azure(upstream)], tokens.environ, router={"num_retries": 0, "disable_cooldowns": True})
    with caplog.at_level(logging.WARNING):
        answer = gateway.chat("chat")
    assert answer.status == 401
    assert "no Microsoft Entra token for this model (invalid_client)" in answer.json()["error"]["message"]
    assert "AADSTS7000215" in caplog.text
    assert CLIENT_SECRET not in f"{answer.body!r} {answer.headers} {caplog.text}"


def test_another_deployment_answers_where_no_token_is_to_be_had(serve: Serve, upstream: OpenAIUpstream) -> None:
    nobody = {"AZURE_AUTHORITY_HOST": "http://127.0.0.1:9"}
    models = [azure(upstream, order=1), entry("chat", upstream, "gpt", identifier="second", order=2)]
    answer = serve(models, nobody).chat("chat")
    assert answer.status == 200
    assert answer.headers["x-litellm-model-id"] == "second"


def test_a_token_is_replaced_while_it_is_still_good(tokens: TokenServer) -> None:
    settings = parse_settings(PARAMETERS, tokens.environ, stated=True)
    assert isinstance(settings, EntraSettings)
    now = 0.0
    token = EntraToken(settings, clock=lambda: now)

    async def main() -> None:
        nonlocal now
        client = Client(Dialer())
        refresher = Refresher(client)
        await asyncio.gather(*[refresher.refresh_due([token]) for _ in range(3)])
        assert token.token == "eyJ0.token-1.sig"
        await refresher.refresh_due([token])
        assert tokens.issued == 1
        now = 3500.0
        assert token.available
        await refresher.refresh_due([token])
        assert token.token == "eyJ0.token-2.sig"
        tokens.refusal = (503, "temporarily_unavailable", "AADSTS90033: A transient error has occurred.")
        now = 7000.0
        await refresher.refresh_due([token])
        assert token.token == "eyJ0.token-2.sig"
        await client.close()

    run(main())
