"""The requests that were put to a LiteLLM proxy 1.80.5, put to Headgate: the same answers, or a listed difference.

`litellm_1_80_5.json` holds what the proxy answered. What Headgate answers otherwise must be in `DIFFERENCES`, and each
entry there must be a row of docs/compatibility.md.
"""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.litellm_differences import DIFFERENCES, Deviation, Difference, deviations
from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.openai_upstream import OpenAIUpstream

PROBES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("litellm_1_80_5.json").read_bytes())["probes"]
COMPATIBILITY = Path(__file__).parents[2] / "docs/compatibility.md"
NOT_RECORDED = {"date", "server"}

Answer = tuple[int, set[str], str, bytes]
"""Status, names of header fields, content type, body."""


def configuration(api_base: str) -> dict[str, Any]:
    """The configuration of the proxy that was recorded."""

    def entry(group: str, model: str, **more: Any) -> dict[str, Any]:
        parameters = {"model": f"openai/{model}", "api_base": api_base, "api_key": "sk-up", **more}
        return {"model_name": group, "litellm_params": parameters}

    same = ("m429", "m500", "m401", "ctx", "policy", "bad400")
    return {
        "model_list": [
            {**entry("ok", "gpt-4o", rpm=100, tpm=100_000), "model_info": {"id": "dep-ok"}},
            *[entry(name, name) for name in same],
            entry("slow", "slow", timeout=1),
            entry("fb", "m500"),
            entry("emb", "text-embedding-3-small"),
        ],
        "litellm_settings": {"callbacks": ["prometheus"]},
        "router_settings": {"num_retries": 1, "fallbacks": [{"fb": ["ok"]}]},
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """Headgate's answer to each probe, put one after the other, as they were to the proxy."""
    with (
        OpenAIUpstream() as upstream,
        RunningGateway(tmp_path_factory.mktemp("probes"), configuration(upstream.api_base)) as gateway,
    ):
        yield {probe["name"]: ask(gateway.port, probe["request"]) for probe in PROBES}


def ask(port: int, request: dict[str, Any]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {name: value.replace("$KEY", MASTER_KEY) for name, value in request["headers"].items()}
    body = json.dumps(request["json"]) if "json" in request else request.get("body")
    connection.request(request["method"], request["path"], body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    names = {name.lower() for name, _ in response.getheaders()} - NOT_RECORDED
    return response.status, names, response.headers.get("content-type", ""), answer


def paths(value: Any, at: str = "") -> set[str]:
    """The shape of a JSON value: the paths to its innermost members."""
    if isinstance(value, dict) and value:
        return set().union(*(paths(inner, f"{at}.{name}" if at else name) for name, inner in value.items()))
    if isinstance(value, list):
        return set().union(*(paths(inner, f"{at}[]") for inner in value)) if value else {f"{at}[]"}
    return {at}


def test_the_record_is_whole() -> None:
    assert len({probe["name"] for probe in PROBES}) == 43


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe["name"])
def test_a_probe_is_answered_as_by_litellm(probe: dict[str, Any], answers: dict[str, Answer]) -> None:
    found = deviations_of(probe, answers[probe["name"]])
    listed = {one for difference in DIFFERENCES for one in difference.deviations(probe["name"])}
    assert found <= listed, f"not listed in DIFFERENCES: {sorted(found - listed)}"


def test_every_listed_difference_is_one(answers: dict[str, Answer]) -> None:
    found = {probe["name"]: deviations_of(probe, answers[probe["name"]]) for probe in PROBES}
    for difference in DIFFERENCES:
        for deviation in difference.what:
            assert any(deviation in found[name] for name in found if difference.concerns(name)), (
                f"{difference.row}: {deviation} does not occur"
            )
        for name in difference.probes or ():
            assert found[name] & set(difference.what), f"{difference.row}: {name} shows nothing of it"


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.row)
def test_a_difference_is_told_in_the_documentation(difference: Difference) -> None:
    rows = [line.split(" | ")[0] for line in COMPATIBILITY.read_text().splitlines() if line.startswith("| ")]
    assert any(difference.row in row for row in rows)
    assert difference.why


def deviations_of(probe: dict[str, Any], answer: Answer) -> frozenset[Deviation]:
    status, names, content_type, body = answer
    found = set(deviations("status", {str(probe["status"])}, {str(status)}))
    found |= deviations("header", set(probe["headers"]), names)
    if "chunks" in probe:
        assert content_type.startswith("text/event-stream")
        events = [event.removeprefix(b"data: ") for event in body.removesuffix(b"\n\n").split(b"\n\n")]
        shapes = [{"[DONE]"} if event == b"[DONE]" else paths(json.loads(event)) for event in events]
        assert len(shapes) == len(probe["chunks"])
        for theirs, ours in zip(probe["chunks"], shapes, strict=True):
            found |= deviations("chunk", set(theirs), ours)
        return frozenset(found)
    value: Any = json.loads(body) if body else None
    shape: set[str] = paths(value) if body else set()
    if probe.get("partial"):
        # What comes after the cut is not known, so only what is missing tells.
        shape &= set(probe["shape"])
    found |= deviations("member", set(probe["shape"]), shape)
    if "error_type" in probe:
        found |= deviations("type", {str(probe["error_type"])}, {str(value["error"]["type"])})
    return frozenset(found)
