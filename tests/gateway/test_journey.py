"""The way of a request, seen from both ends: what the client gets and what the upstream was asked."""

import asyncio
import socket
import time
from typing import Any

import pytest

from headgate.core.errors import InvalidRequestError
from headgate.core.provider import Attachment, Call, Provider
from headgate.gateway._upstreams import Upstreams
from tests.doubles.gateway import MASTER_KEY
from tests.doubles.http import Answer, begun
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry

BODY = {"model": "held", "messages": [{"role": "user", "content": "hi"}], "stream": True}
WAITED_MS = 295
"""What a wait of 0.3 s takes at least: timers are in whole milliseconds and may be a little early."""
KEY = {"authorization": f"Bearer {MASTER_KEY}"}


def test_a_retry_that_succeeds(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("flaky", upstream)], router={"num_retries": 1})
    answer = gateway.chat("flaky")
    assert answer.status == 200
    assert answer.headers["x-litellm-attempted-retries"] == "1"
    assert answer.headers["x-litellm-attempted-fallbacks"] == "0"


def own_and_total(answer: Answer) -> tuple[float, float]:
    """What the gateway says that it took of an answer's time, and that time, both in milliseconds."""
    overhead, total = (answer.headers[f"x-litellm-{name}-duration-ms"] for name in ("overhead", "response"))
    return float(overhead), float(total)


def test_waiting_between_attempts_is_not_the_gateway_s_overhead(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("flaky", upstream)], router={"num_retries": 1, "retry_after": 0.3})
    own, total = own_and_total(gateway.chat("flaky"))
    assert own <= total - WAITED_MS


class SlowCredentials:
    """Credentials that are there after the first refresh, which takes its time."""

    available = False
    refresh_due = False

    def refresh(self) -> None:
        time.sleep(0.3)
        self.available = True


def test_fetching_credentials_is_not_the_gateway_s_overhead(
    serve: Serve, upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = serve([entry("gpt", upstream)])
    (deployment,) = gateway.gateway.runtime.deployments
    monkeypatch.setattr(deployment.provider.provider, "credentials", SlowCredentials())
    own, total = own_and_total(gateway.chat("gpt"))
    assert own <= total - WAITED_MS


class Wanting:
    """A provider that has a file fetched for each call, and is otherwise the one that it was made of."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def attachments(self, call: Call) -> list[str]:
        return ["https://files.example/cat.png"]


def test_fetching_files_is_not_the_gateway_s_overhead(
    serve: Serve, upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(_: Upstreams, url: str) -> Attachment:
        await asyncio.sleep(0.3)
        return Attachment("image/png", b"")

    monkeypatch.setattr(Upstreams, "fetch", fetch)
    gateway = serve([entry("gpt", upstream)])
    (deployment,) = gateway.gateway.runtime.deployments
    monkeypatch.setattr(deployment.provider, "provider", Wanting(deployment.provider.provider))
    own, total = own_and_total(gateway.chat("gpt"))
    assert own <= total - WAITED_MS


def test_a_fallback(serve: Serve, upstream: OpenAIUpstream) -> None:
    router = {"num_retries": 0, "fallbacks": [{"m500": ["gpt"]}]}
    gateway = serve([entry("m500", upstream), entry("gpt", upstream, identifier="second")], router=router)
    answer = gateway.chat("m500")
    assert answer.status == 200
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    assert answer.headers["x-litellm-model-group"] == "gpt"
    assert answer.headers["x-litellm-model-id"] == "second"
    assert upstream.requests[-1][2]["model"] == "gpt"


def test_a_client_s_fallbacks(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("m500", upstream), entry("gpt", upstream)], router={"num_retries": 0})
    assert gateway.chat("m500", fallbacks=["gpt"]).headers["x-litellm-attempted-fallbacks"] == "1"
    assert "fallbacks" not in upstream.requests[-1][2]


def test_a_client_without_fallbacks(serve: Serve, upstream: OpenAIUpstream) -> None:
    router = {"num_retries": 0, "fallbacks": [{"m500": ["gpt"]}]}
    gateway = serve([entry("m500", upstream), entry("gpt", upstream)], router=router)
    assert gateway.chat("m500", disable_fallbacks=True).status == 500


def test_an_upstream_that_asks_for_a_pause(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("m429", upstream)], router={"num_retries": 0})
    answer = gateway.chat("m429")
    assert answer.status == 429
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("failing", ["m500", "silent"])
def test_a_stream_that_fails_before_its_first_byte_goes_elsewhere(
    serve: Serve, upstream: OpenAIUpstream, failing: str
) -> None:
    router = {"num_retries": 0, "fallbacks": [{failing: ["gpt"]}]}
    gateway = serve([entry(failing, upstream), entry("gpt", upstream)], router=router)
    answer = gateway.chat(failing, stream=True)
    assert answer.status == 200
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    assert answer.events[-1] == b"[DONE]"
    assert len(answer.events) == 6


def test_a_stream_that_does_not_begin_in_time_goes_elsewhere(serve: Serve, upstream: OpenAIUpstream) -> None:
    router = {"num_retries": 0, "fallbacks": [{"slow": ["gpt"]}]}
    gateway = serve([entry("slow", upstream, stream_timeout=0.1), entry("gpt", upstream)], router=router)
    answer = gateway.chat("slow", stream=True)
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    assert answer.events[-1] == b"[DONE]"


def test_a_stream_that_breaks_ends_with_an_error_event(serve: Serve, upstream: OpenAIUpstream) -> None:
    router = {"num_retries": 1, "fallbacks": [{"broken": ["gpt"]}]}
    gateway = serve([entry("broken", upstream), entry("gpt", upstream)], router=router)
    asked = len(upstream.requests)
    answer = gateway.chat("broken", stream=True)
    assert answer.status == 200
    assert b'"content": "lo"' in answer.events[1]
    assert answer.events[2].startswith(b'{"error":{"message":')
    assert len(answer.events) == 3
    # Nothing is tried again: what was sent can not be taken back.
    assert len(upstream.requests) == asked + 1
    assert gateway.gateway.counters.failures == 1


def test_a_broken_stream_of_responses_ends_with_its_own_error_event(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("broken", upstream)])
    answer = gateway.post("/v1/responses", {"model": "broken", "input": "hi", "stream": True})
    assert answer.body.count(b"event: error\n") == 1
    assert b'"type":"error"' in answer.events[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_timeout_that_the_client_sets(serve: Serve, upstream: OpenAIUpstream, stream: bool) -> None:
    gateway = serve([entry("slow", upstream)], router={"num_retries": 3})
    began = time.monotonic()
    answer = gateway.chat("slow", {"x-litellm-timeout": "0.2"}, stream=stream)
    assert answer.status == 504
    assert answer.json()["error"]["type"] == "timeout_error"
    # The deadline is that of the request, retries included.
    assert time.monotonic() - began < 2


def test_the_body_may_set_the_timeout_too(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("slow", upstream)])
    assert gateway.chat("slow", timeout=0.1).status == 504
    assert "timeout" not in upstream.requests[-1][2]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("limit", ["deployment", "client"])
def test_opening_a_connection_takes_no_longer_than_the_answer_may(serve: Serve, limit: str, stream: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        base = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
        timeout = 0.2 if limit == "deployment" else 60
        gateway = serve([entry("mute", base, timeout=timeout)], router={"num_retries": 0})
        began = time.monotonic()
        answer = gateway.chat("mute", {"x-litellm-timeout": "0.2"} if limit == "client" else {}, stream=stream)
        assert answer.status == 504
        assert time.monotonic() - began < 2


def test_a_model_behind_a_wildcard(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("anything/*", upstream, "*")])
    answer = gateway.chat("anything/gpt-9")
    assert answer.headers["x-litellm-model-group"] == "anything/*"
    assert upstream.requests[-1][2]["model"] == "gpt-9"


def test_a_model_in_the_path_counts_before_the_body_s(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("gpt", upstream)])
    body = {"model": "other", "messages": [{"role": "user", "content": "hi"}]}
    assert gateway.post("/openai/deployments/gpt/chat/completions?api-version=1", body).status == 200


def test_an_operation_that_no_deployment_offers(serve: Serve) -> None:
    answer = serve([demo()]).post("/v1/images/generations", {"model": "demo", "prompt": "a gate"})
    assert answer.status == 501
    assert answer.json()["error"]["type"] == "not_supported_error"
    assert answer.headers["x-should-retry"] == "false"


def test_tokens_are_counted_by_an_upstream_that_can_or_not_at_all(serve: Serve) -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
    answer = serve([demo()]).post("/v1/messages/count_tokens", body)
    assert answer.status == 501
    assert answer.json() == {
        "type": "error",
        "error": {
            "type": "api_error",
            "message": "No deployment of model=demo supports this operation. Its upstream does not count tokens, "
            "and the gateway does not estimate them.",
        },
    }


def test_what_a_call_costs(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("gpt", upstream, input_cost_per_token=1e-6, output_cost_per_token=2e-6)])
    assert gateway.chat("gpt").headers["x-litellm-response-cost"] == "1.7e-05"
    assert gateway.chat("gpt", stream=True).status == 200
    counters = gateway.gateway.counters
    assert (counters.requests, counters.input_tokens, counters.output_tokens) == (2, 18, 8)
    assert counters.cost == 2 * 17_000
    assert counters.in_flight == 0


def test_without_a_price_there_is_no_cost(serve: Serve, upstream: OpenAIUpstream) -> None:
    assert "x-litellm-response-cost" not in serve([entry("unheard-of", upstream)]).chat("unheard-of").headers


def test_a_stream_that_was_cut_off_is_counted_from_what_came_through(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("broken", upstream, input_cost_per_token=1e-6, output_cost_per_token=2e-6)])
    gateway.chat("broken", stream=True)
    counters = gateway.gateway.counters
    # "Hel" and "lo" are five characters, so two tokens.
    assert counters.output_tokens == 2
    assert counters.input_tokens > 0
    assert counters.cost == counters.input_tokens * 1_000 + 2 * 2_000


def test_a_file_in_a_stream_that_was_cut_off_is_not_counted_as_text(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("broken", upstream)])
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}}
    gateway.chat("broken", stream=True, messages=[{"role": "user", "content": [image]}])
    assert gateway.gateway.counters.input_tokens == 0
    assert gateway.gateway.counters.output_tokens == 2


def test_a_client_that_leaves_is_seen_upstream_at_once(serve: Serve) -> None:
    with OpenAIUpstream() as upstream:
        gateway = serve([entry("held", upstream)])
        with begun(gateway.port, "POST", "/v1/chat/completions", BODY, KEY) as response:
            assert response.read(10).startswith(b"data: ")
            assert gateway.get("/health/backlog").json() == {"in_flight_requests": 1}
            left_at = time.monotonic()
        assert upstream.left.wait(5)
        assert time.monotonic() - left_at < 1
        deadline = time.monotonic() + 5
        while gateway.gateway.counters.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        counters = gateway.gateway.counters
        assert (counters.in_flight, counters.disconnects, counters.failures) == (0, 1, 0)
        # What was streamed until then is counted.
        assert counters.output_tokens > 0


def test_every_answer_has_a_call_id_of_its_own(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("gpt", upstream), entry("m500", upstream)], router={"num_retries": 0})
    answers = [gateway.chat("gpt"), gateway.chat("gpt", stream=True), gateway.chat("m500"), gateway.chat("nope")]
    identifiers = {answer.headers["x-litellm-call-id"] for answer in answers}
    assert len(identifiers) == 4


def test_a_client_can_not_choose_the_upstream(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("gpt", upstream)])
    answer = gateway.chat("gpt", api_base="http://127.0.0.1:1/v1")
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "api_base"


def bedrock(group: str, **parameters: Any) -> dict[str, Any]:
    """A deployment that nobody can reach, and whose upstream has no `n` and fetches no files."""
    model = {"model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "api_key": "sk-up"}
    where = {"aws_region_name": "us-east-1", "aws_bedrock_runtime_endpoint": "http://127.0.0.1:9"}
    return {"model_name": group, "litellm_params": {**model, **where, **parameters}}


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_goes_to_the_deployment_that_can_express_it(
    serve: Serve, upstream: OpenAIUpstream, stream: bool
) -> None:
    models = [bedrock("mixed", order=1), entry("mixed", upstream, "gpt", identifier="second", order=2)]
    gateway = serve(models, router={"num_retries": 0})
    answer = gateway.chat("mixed", n=2, stream=stream)
    assert answer.status == 200
    assert answer.headers["x-litellm-model-id"] == "second"
    assert answer.headers["x-litellm-attempted-retries"] == "0"
    assert upstream.requests[-1][2]["n"] == 2
    # It was no failure: the next request that both can express is tried on the first again, and fails there.
    assert gateway.chat("mixed", stream=stream).status == 502


def test_a_request_that_no_deployment_can_express(serve: Serve) -> None:
    gateway = serve([bedrock("claude"), bedrock("claude", aws_region_name="us-west-2")])
    answer = gateway.chat("claude", n=2)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "n"
    assert gateway.gateway.counters.in_flight == 0


def test_a_retry_may_lead_to_a_deployment_that_can_not_express_the_request(
    serve: Serve, upstream: OpenAIUpstream
) -> None:
    models = [entry("mixed", upstream, "m401", order=1), bedrock("mixed", order=2)]
    answer = serve(models).chat("mixed", n=2)
    # What the one that was asked has said.
    assert answer.status == 401


def test_a_file_that_can_not_be_fetched_is_tried_once(
    serve: Serve, upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    async def refuse(_: Upstreams, url: str) -> None:
        fetched.append(url)
        raise InvalidRequestError("An attachment could not be fetched from its URL.")

    monkeypatch.setattr(Upstreams, "fetch", refuse)
    first, second = bedrock("mixed", order=1), bedrock("mixed", order=1, aws_region_name="us-west-2")
    gateway = serve([first, second, entry("mixed", upstream, "gpt", order=2)])
    part = {"type": "image_url", "image_url": {"url": "https://files.example/cat.png"}}
    answer = gateway.chat("mixed", messages=[{"role": "user", "content": [part]}])
    # The last one's upstream fetches files itself.
    assert answer.status == 200
    assert fetched == ["https://files.example/cat.png"]
