from datetime import datetime

import pytest

from tests.doubles.http import request
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry


def test_deployments_are_told_apart(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve(
        [
            entry("good", upstream, identifier="good"),
            demo(),
            {**entry("vectors", upstream), "model_info": {"mode": "embedding"}},
            entry("more-vectors", upstream, "text-embedding-3-small"),
            entry("m401", upstream, identifier="bad"),
            entry("gone", "http://127.0.0.1:1/v1", identifier="gone"),
        ]
    )
    asked = len(upstream.requests)
    health = gateway.get("/health").json()
    assert (health["healthy_count"], health["unhealthy_count"]) == (4, 2)
    good = health["healthy_endpoints"][0]
    assert datetime.fromisoformat(good.pop("checked_at")).tzinfo is not None
    assert good == {"model": "openai/good", "model_id": "good", "api_base": upstream.api_base}
    bad, gone = health["unhealthy_endpoints"]
    assert (bad["model_id"], bad["error_category"]) == ("bad", "authentication")
    assert (gone["model_id"], gone["error_category"]) == ("gone", "connection")
    paths = sorted(path for path, _, _ in upstream.requests[asked:])
    assert paths == ["/v1/chat/completions", "/v1/chat/completions", "/v1/embeddings", "/v1/embeddings"]


@pytest.mark.parametrize(
    ("query", "found"),
    [("model=a", ["a1", "a2"]), ("model_id=b1", ["b1"]), ("model=no", []), ("model=openai/gpt", ["a1", "a2", "b1"])],
)
def test_a_part_of_the_deployments(serve: Serve, upstream: OpenAIUpstream, query: str, found: list[str]) -> None:
    models = [entry(name[0], upstream, "gpt", identifier=name) for name in ("a1", "a2", "b1")]
    health = serve(models).get(f"/health?{query}").json()
    assert [one["model_id"] for one in health["healthy_endpoints"]] == found


def test_what_costs_much_or_names_no_model_is_not_probed(serve: Serve, upstream: OpenAIUpstream) -> None:
    image = {**entry("images", upstream), "model_info": {"mode": "image_generation"}}
    gateway = serve([image, entry("any/*", upstream, "*")])
    asked = len(upstream.requests)
    health = gateway.get("/health").json()
    assert (health["healthy_count"], health["unhealthy_count"], health["skipped_count"]) == (0, 0, 2)
    image, wildcard = health["skipped_endpoints"]
    assert "image_generation" in image["skipped"]
    assert "health_check_model" in wildcard["skipped"]
    assert len(upstream.requests) == asked


def test_without_details_neither_addresses_nor_texts_are_shown(serve: Serve, upstream: OpenAIUpstream) -> None:
    models = [entry("good", upstream, identifier="good"), entry("bad400", upstream, identifier="bad")]
    gateway = serve(models, general={"health_check_details": False})
    answer = gateway.get("/health")
    health = answer.json()
    assert set(health["healthy_endpoints"][0]) == {"model", "model_id", "checked_at"}
    assert set(health["unhealthy_endpoints"][0]) == {"model", "model_id", "checked_at", "error_category"}
    assert upstream.api_base.encode() not in answer.body
    assert b"Unrecognized" not in answer.body
    assert b"Unrecognized" in serve(models).get("/health").body


def test_with_background_checks_nothing_is_asked_for_an_answer(serve: Serve) -> None:
    with OpenAIUpstream() as upstream:
        left_out = {"id": "left-out", "disable_background_health_check": True}
        models = [entry("good", upstream, identifier="good"), {**entry("dear", upstream), "model_info": left_out}]
        gateway = serve(models, general={"background_health_checks": True, "health_check_interval": 3600})
        while not (health := gateway.get("/health").json())["healthy_count"]:
            assert health["skipped_endpoints"][0]["skipped"] == "No health check has ended yet."
        assert gateway.get("/health").json() == health
        assert [one["model_id"] for one in health["healthy_endpoints"]] == ["good"]
        [skipped] = health["skipped_endpoints"]
        assert (skipped["model_id"], "disable_background_health_check" in skipped["skipped"]) == ("left-out", True)
        assert [body["model"] for _, _, body in upstream.requests] == ["good"]
        assert gateway.get("/health?model_id=left-out").json()["healthy_count"] == 0


def test_a_probe_does_not_cool_a_deployment_down(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("m401", upstream)])
    assert gateway.get("/health").json()["unhealthy_count"] == 1
    assert gateway.chat("m401").status == 401


def test_only_the_probes_of_orchestrators_need_no_key(serve: Serve) -> None:
    gateway = serve([demo()])
    statuses = {
        path: request(gateway.port, "GET", path).status
        for path in ("/health/liveliness", "/health/liveness", "/health/readiness", "/health", "/health/backlog")
    }
    assert list(statuses.values()) == [200, 200, 200, 401, 401]


def test_a_gateway_that_stops_is_alive_but_not_ready(serve: Serve) -> None:
    gateway = serve([demo()])
    assert gateway.get("/health/readiness").json()["status"] == "healthy"
    gateway.gateway.draining = True
    ready = gateway.get("/health/readiness")
    assert (ready.status, ready.json()["status"]) == (503, "shutting down")
    assert gateway.get("/health/liveliness").status == 200
    # What comes all the same is served, on a connection that then closes.
    answer = gateway.chat("demo")
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_the_backlog_is_what_is_under_way(serve: Serve) -> None:
    assert serve([demo()]).get("/health/backlog").json() == {"in_flight_requests": 0}
