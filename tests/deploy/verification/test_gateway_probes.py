"""A gateway looked at as its users see it: a real one, and ones that are not as they should be."""

import json
from pathlib import Path

import pytest

from headgate.deploy.engine import Check, DeployError, Verdict
from headgate.deploy.verification import (
    Answer,
    Front,
    Internet,
    ServedModels,
    WebError,
    configured_models,
    gateway_probes,
    run_probes,
)
from tests.doubles import gateway as real
from tests.doubles.web import MASTER_KEY, ScriptedWeb

URL = "https://llm.example.com"
OPEN = ServedModels(frozenset(), closed=False)
CONFIGURATION = {
    "model_list": [
        {"model_name": "demo", "litellm_params": {"model": "demo/demo"}},
        {"model_name": "gpt", "litellm_params": {"model": "openai/gpt-5", "api_key": "canary-of-a-provider"}},
    ]
}


def _checks(web: ScriptedWeb, models: ServedModels = OPEN, key: str = MASTER_KEY) -> dict[str, Check]:
    front = Front(web, URL, lambda: key, "See the logs.")
    return {check.name: check for check in run_probes(gateway_probes(front, models, ["/metrics", "/docs"]), 30)}


def test_a_real_gateway_is_as_it_should_be(tmp_path: Path) -> None:
    with real.RunningGateway(tmp_path, CONFIGURATION) as gateway:
        front = Front(Internet(), gateway.url, lambda: real.MASTER_KEY, "")
        models = configured_models(tmp_path / "config.yaml", "headgate")
        checks = run_probes(gateway_probes(front, models, ["/metrics", "/openapi.json"]), 30)
    assert {check.name: check.verdict for check in checks} == dict.fromkeys(
        ("liveliness", "readiness", "unknown key", "models", "internal paths", "answer"), Verdict.PASSED
    )
    assert "canary" not in repr(checks)
    assert real.MASTER_KEY not in repr(checks)


def test_a_gateway_that_is_not_there_fails_everything_and_says_what_to_do() -> None:
    gone = WebError("llm.example.com has no address.")
    paths = ("/health/liveliness", "/health/readiness", "/v1/models", "/metrics")
    web = ScriptedWeb(URL, answers={f"{URL}{path}": gone for path in paths})
    for check in _checks(web).values():
        assert (check.verdict, check.message) == (Verdict.FAILED, "llm.example.com has no address. See the logs.")


@pytest.mark.parametrize(
    ("path", "answer", "name", "said"),
    [
        ("/health/liveliness", Answer(502), "liveliness", f"{URL}/health/liveliness answers 502 instead of 200"),
        ("/health/readiness", Answer(503), "readiness", "answers 503 instead of 200. See the logs."),
        ("/v1/models", Answer(200), "unknown key", "lets in a key that nobody has (200): no master key is set"),
        ("/v1/chat/completions", Answer(200), "unknown key", "/v1/chat/completions lets in a key that nobody has"),
        ("/v1/models", Answer(403), "unknown key", "answers 403 instead of 401 to a key that nobody has"),
        ("/v1/models", Answer(500), "models", "/v1/models answers 500 to the master key. See the logs."),
        ("/v1/models", Answer(301), "models", "/v1/models answers 301 to the master key"),
        ("/v1/models", Answer(200, body=b"<html>"), "models", "something that is no list of models"),
        ("/v1/models", Answer(200, body=b"[]"), "models", "something that is no list of models"),
        ("/metrics", Answer(200), "internal paths", "outsiders get /metrics (200), where they should get 404"),
    ],
)
def test_what_is_not_as_it_should_be_fails(path: str, answer: Answer, name: str, said: str) -> None:
    checks = _checks(ScriptedWeb(URL, answers={f"{URL}{path}": answer}))
    assert checks[name].verdict is Verdict.FAILED
    assert said in checks[name].message
    assert checks["liveliness" if name != "liveliness" else "readiness"].verdict is Verdict.PASSED


def test_models_are_those_of_the_configuration() -> None:
    web = ScriptedWeb(URL, models=("gpt", "claude"))
    check = _checks(web, ServedModels(frozenset({"gpt", "claude"}), closed=True))["models"]
    assert (check.verdict, check.message) == (Verdict.PASSED, "2 served, among them all of the configuration")
    missing = _checks(web, ServedModels(frozenset({"gpt", "gone"}), closed=True))["models"]
    assert missing.verdict is Verdict.FAILED
    assert "although the configuration names them: gone. The gateways run with another" in missing.message
    more = _checks(web, ServedModels(frozenset({"gpt"}), closed=True))["models"]
    assert more.verdict is Verdict.WARNING
    assert "although the configuration does not name them: claude." in more.message
    assert _checks(web, ServedModels(frozenset({"gpt"}), closed=False))["models"].verdict is Verdict.PASSED


def test_many_names_are_not_all_told() -> None:
    wanted = ServedModels(frozenset(f"model-{number}" for number in range(9)), closed=True)
    message = _checks(ScriptedWeb(URL), wanted)["models"].message
    assert "model-0, model-1, model-2, model-3, model-4 and 4 more." in message


def test_only_the_built_in_model_is_asked() -> None:
    for models, asked in ((OPEN, 1), (ServedModels(frozenset({"demo"}), closed=False), 2)):
        web = ScriptedWeb(URL)
        checks = _checks(web, models)
        assert ("answer" in checks) is (asked == 2)
        assert web.asked.count(("POST", f"{URL}/v1/chat/completions")) == asked


def test_a_key_that_the_gateway_does_not_take_is_told_without_showing_it() -> None:
    checks = _checks(ScriptedWeb(URL, key="sk-another"))
    assert checks["models"].verdict is Verdict.FAILED
    assert checks["models"].message == (
        "/v1/models refuses the master key: the gateways started with another one. Start them again."
    )
    assert MASTER_KEY not in repr(checks)


def test_a_key_that_can_not_be_read_is_unknown() -> None:
    def refuse() -> str:
        raise DeployError("these credentials may not do this.")

    front = Front(ScriptedWeb(URL), URL, refuse, "See the logs.")
    checks = {check.name: check for check in run_probes(gateway_probes(front, OPEN, ["/metrics"]), 30)}
    assert checks["models"] == Check(
        "models", Verdict.UNKNOWN, "The master key can not be read: these credentials may not do this."
    )
    assert checks["unknown key"].verdict is Verdict.PASSED


def test_names_from_outside_are_cut() -> None:
    long = json.dumps({"data": [{"id": "x" * 500}]}).encode()
    web = ScriptedWeb(URL, answers={f"{URL}/v1/models": Answer(200, body=long)})
    assert "x" * 61 not in _checks(web, ServedModels(frozenset(), closed=True))["models"].message
