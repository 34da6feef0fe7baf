from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry


def test_groups_wildcards_and_aliases_are_listed_once(serve: Serve, upstream: OpenAIUpstream) -> None:
    aliases = {"alias": "gpt", "secret": {"model": "gpt", "hidden": True}}
    models = [entry("gpt", upstream), entry("gpt", upstream, "other"), entry("any/*", upstream, "*")]
    gateway = serve(models, router={"model_group_alias": aliases})
    for prefix in ("", "/v1"):
        listed = gateway.get(f"{prefix}/models").json()
        assert [model["id"] for model in listed["data"]] == ["gpt", "any/*", "alias"]
        assert listed["object"] == "list"


def test_one_model(serve: Serve, upstream: OpenAIUpstream) -> None:
    aliases = {"alias": "gpt", "secret": {"model": "gpt", "hidden": True}}
    gateway = serve([entry("gpt", upstream), entry("any/*", upstream, "*")], router={"model_group_alias": aliases})
    for name in ("gpt", "alias", "any/thing", "any%2Fthing"):
        assert gateway.get(f"/v1/models/{name}").json()["id"] == name.replace("%2F", "/")
    answer = gateway.get(f"/v1/models/{'x' * 1000}")
    assert answer.status == 404
    assert len(answer.json()["error"]["message"]) < 300


def test_what_is_known_of_a_deployment(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve(
        [
            {
                **entry("gpt", upstream, "gpt-4o", identifier="dep", rpm=10, timeout=3),
                "model_info": {"id": "dep", "team": "blue", "max_output_tokens": 7},
            },
            demo(),
        ]
    )
    [info] = gateway.get("/v1/model/info?litellm_model_id=dep").json()["data"]
    assert info["model_name"] == "gpt"
    assert info["litellm_params"] == {
        "model": "openai/gpt-4o",
        "api_base": upstream.api_base,
        "rpm": 10,
        "timeout": 3,
    }
    known = info["model_info"]
    assert (known["id"], known["team"], known["max_output_tokens"]) == ("dep", "blue", 7)
    assert known["input_cost_per_token"] == 2.5e-06
    assert known["max_input_tokens"] == 128_000
    assert known["litellm_provider"] == "openai"
    assert len(gateway.get("/model/info").json()["data"]) == 2


def test_no_credential_is_shown(serve: Serve, upstream: OpenAIUpstream) -> None:
    gateway = serve([entry("gpt", upstream, extra_headers={"x-secret": "hidden-value"})])
    for path in ("/model/info", "/model_group/info", "/v1/models", "/health"):
        body = gateway.get(path).body
        assert b"sk-up" not in body
        assert b"hidden-value" not in body


def test_a_deployment_that_does_not_exist(serve: Serve) -> None:
    answer = serve([demo()]).get("/model/info?litellm_model_id=nope")
    assert answer.status == 404
    assert answer.json()["error"]["param"] == "litellm_model_id"


def test_a_group_is_the_sum_of_its_deployments(serve: Serve, upstream: OpenAIUpstream) -> None:
    models = [
        entry("gpt", upstream, "gpt-4o", rpm=10, tpm=1000, input_cost_per_token=1e-6, output_cost_per_token=1e-6),
        entry("gpt", upstream, "gpt-4o", rpm=5, input_cost_per_token=3e-6, output_cost_per_token=2e-6),
        demo(),
    ]
    gateway = serve(models)
    [group] = gateway.get("/model_group/info?model_group=gpt").json()["data"]
    assert group["model_group"] == "gpt"
    assert group["providers"] == ["openai"]
    assert (group["rpm"], group["tpm"]) == (15, 1000)
    assert (group["input_cost_per_token"], group["output_cost_per_token"]) == (3e-6, 2e-6)
    assert "embedding" in group["supported_operations"]
    assert group["mode"] == "chat"
    assert len(gateway.get("/model_group/info").json()["data"]) == 2
    assert gateway.get("/model_group/info?model_group=nope").json() == {"data": []}


def test_each_of_these_needs_a_key(serve: Serve) -> None:
    gateway = serve([demo()])
    for path in ("/v1/models", "/v1/models/demo", "/model/info", "/model_group/info"):
        assert gateway.get(path, authorization="Bearer sk-wrong").status == 401
