"""What is asked of a deployment to see whether it answers, and when."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import yaml

from headgate.config import load_configuration
from headgate.core.errors import Category, UpstreamError
from headgate.core.provider import Credentials, UpstreamRequest
from headgate.gateway._demo import DemoUpstream
from headgate.gateway._probes import JITTER, BackgroundProbes, probe_all
from headgate.gateway._runtime import Runtime, build_runtime
from headgate.transport.connection import Timeouts
from headgate.transport.response import Response
from tests.gateway.support import demo, entry
from tests.support import run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HERE = "http://127.0.0.1:1/v1"
ON = {"background_health_checks": True, "health_check_interval": 300}


class Upstream:
    """Answers as the built-in model does, after `answering`, and remembers what it was asked."""

    def __init__(self, answering: Callable[[dict[str, Any]], Awaitable[None]] | None = None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.under_way = self.most_under_way = 0
        self._answering = answering

    async def send(self, request: UpstreamRequest, timeouts: Timeouts, *, whole: bool) -> Response:
        body = msgspec.json.decode(request.body)
        self.asked.append((request.target.decode(), body))
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        try:
            if self._answering is not None:
                await self._answering(body)
            return await DemoUpstream().send(request, timeouts, whole=whole)
        finally:
            self.under_way -= 1

    async def refresh(self, credentials: Credentials) -> None:
        raise AssertionError("none of these deployments has credentials that expire")


def runtime_of(directory: Path, models: list[dict[str, Any]], general: dict[str, Any] | None = None) -> Runtime:
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump({"model_list": models, "general_settings": general or {}}))
    return build_runtime(load_configuration(path, {}), None)


def probed(directory: Path, upstream: Upstream, *models: dict[str, Any]) -> list[Any]:
    """Probe models; return their outcomes."""
    return list(run(probe_all(upstream, runtime_of(directory, list(models)).deployments, lambda: NOW)).values())


@pytest.mark.parametrize(
    ("mode", "path", "members"),
    [
        ("chat", "/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 16}),
        ("completion", "/v1/completions", {"prompt": "hi", "max_tokens": 16}),
        ("embedding", "/v1/embeddings", {"input": ["hi"]}),
        ("moderation", "/v1/moderations", {"input": "hi"}),
    ],
)
def test_each_mode_is_asked_its_cheapest_request(
    tmp_path: Path, mode: str, path: str, members: dict[str, object]
) -> None:
    upstream = Upstream()
    [outcome] = probed(tmp_path, upstream, {**entry("gpt", HERE), "model_info": {"mode": mode}})
    assert (outcome.error, outcome.skipped, outcome.checked_at) == (None, None, NOW)
    assert upstream.asked == [(path, {"model": "gpt", **members})]


@pytest.mark.parametrize("mode", ["image_generation", "audio_speech", "audio_transcription", "batch", "realtime"])
def test_a_mode_that_is_dear_is_not_asked(tmp_path: Path, mode: str) -> None:
    upstream = Upstream()
    [outcome] = probed(tmp_path, upstream, {**entry("gpt", HERE), "model_info": {"mode": mode}})
    assert outcome.skipped == f"Deployments of mode {mode} are not probed; it would be dear."
    assert (outcome.checked_at, upstream.asked) == (None, [])


@pytest.mark.parametrize("named", ["gpt-small", "openai/gpt-small"])
def test_behind_a_wildcard_the_named_model_is_asked(tmp_path: Path, named: str) -> None:
    upstream = Upstream()
    [outcome] = probed(tmp_path, upstream, {**entry("any/*", HERE, "*"), "model_info": {"health_check_model": named}})
    assert outcome.error is None
    assert [body["model"] for _, body in upstream.asked] == ["gpt-small"]


def test_a_wildcard_without_a_named_model_is_not_asked(tmp_path: Path) -> None:
    upstream = Upstream()
    [outcome] = probed(tmp_path, upstream, entry("any/*", HERE, "*"))
    assert outcome.skipped == "A wildcard names no model to ask; set model_info.health_check_model."
    assert upstream.asked == []


def test_a_mode_that_the_provider_does_not_offer_is_an_error(tmp_path: Path) -> None:
    claude = {"model_name": "c", "litellm_params": {"model": "anthropic/claude", "api_key": "sk"}}
    [outcome] = probed(tmp_path, Upstream(), {**claude, "model_info": {"mode": "embedding"}})
    assert outcome.error.message == "Provider anthropic does not offer embedding; correct model_info.mode."


@pytest.mark.parametrize(
    ("category", "param", "message", "asked"),
    [
        (Category.BAD_REQUEST, "max_tokens", "Unsupported parameter.", 2),
        (Category.BAD_REQUEST, None, "`max_tokens` must be greater than `thinking.budget_tokens`.", 2),
        (Category.BAD_REQUEST, None, "Unknown argument: seed.", 1),
        (Category.INTERNAL, None, "max_tokens exploded.", 1),
    ],
)
def test_a_model_that_takes_no_small_limit_is_asked_without_one(
    tmp_path: Path, category: Category, param: str | None, message: str, asked: int
) -> None:
    async def refuse(body: dict[str, Any]) -> None:
        if "max_tokens" in body:
            raise UpstreamError(message, category=category, status=400, param=param)

    upstream = Upstream(refuse)
    [outcome] = probed(tmp_path, upstream, entry("gpt", HERE))
    assert len(upstream.asked) == asked
    assert (outcome.error is None) is (asked == 2)


def test_a_limited_number_of_probes_is_under_way(tmp_path: Path) -> None:
    async def wait(_: dict[str, Any]) -> None:
        for _turn in range(3):
            await asyncio.sleep(0)

    upstream = Upstream(wait)
    probed(tmp_path, upstream, *[entry(f"m{number}", HERE) for number in range(40)])
    assert (len(upstream.asked), upstream.most_under_way) == (40, 16)


class Background:
    """Background probes of a runtime, on a clock that the test moves."""

    def __init__(self, runtime: Runtime, upstream: Upstream) -> None:
        self.runtime, self.upstream, self.now = runtime, upstream, 1000.0
        self.probes = BackgroundProbes(lambda: self.runtime, lambda: self.now, Random(1), tick_seconds=0)

    async def until(self, requests: int) -> None:
        """Let everything happen that can happen now, and expect that this many requests were made in all."""
        await self.settle()
        assert len(self.upstream.asked) == requests

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        for _ in range(50):
            await asyncio.sleep(0)


def in_background(runtime: Runtime, upstream: Upstream, check: Callable[[Background], Awaitable[None]]) -> None:
    """Run a check beside the background probes."""

    async def main() -> None:
        background = Background(runtime, upstream)
        task = asyncio.create_task(background.probes.run(upstream))
        try:
            await check(background)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(main())


def test_rounds_come_at_the_interval_give_or_take_the_jitter(tmp_path: Path) -> None:
    async def check(background: Background) -> None:
        await background.until(1)
        background.now += 300 * (1 - JITTER) - 1
        await background.until(1)
        background.now += 600 * JITTER + 2
        await background.until(2)

    in_background(runtime_of(tmp_path, [entry("gpt", HERE)], ON), Upstream(), check)


def test_rounds_do_not_overlap(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def wait(_: dict[str, Any]) -> None:
        await released.wait()

    async def check(background: Background) -> None:
        await background.until(1)
        background.now += 10_000
        await background.until(1)
        released.set()
        await background.until(1)
        background.now += 10_000
        await background.until(2)

    in_background(runtime_of(tmp_path, [entry("gpt", HERE)], ON), Upstream(wait), check)


def test_another_configuration_is_looked_at_at_once(tmp_path: Path) -> None:
    async def check(background: Background) -> None:
        await background.until(1)
        background.runtime = runtime_of(tmp_path, [entry("other", HERE, identifier="new")], ON)
        await background.until(2)
        assert list(background.probes.outcomes) == ["new"]
        background.runtime = runtime_of(tmp_path, [entry("other", HERE)])
        await background.until(2)
        assert background.probes.outcomes == {}

    in_background(runtime_of(tmp_path, [entry("gpt", HERE)], ON), Upstream(), check)


def test_what_is_left_out_is_not_asked(tmp_path: Path) -> None:
    left_out = {**entry("dear", HERE), "model_info": {"id": "dear", "disable_background_health_check": True}}

    async def check(background: Background) -> None:
        await background.until(1)
        assert list(background.probes.outcomes) == ["cheap"]

    in_background(runtime_of(tmp_path, [left_out, entry("cheap", HERE, identifier="cheap")], ON), Upstream(), check)


def test_changes_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def answer(_: dict[str, Any]) -> None:
        if len(upstream.asked) in (2, 3):
            raise UpstreamError("It is on fire.", category=Category.INTERNAL, status=500)

    async def check(background: Background) -> None:
        for number in range(1, 6):
            await background.until(number)
            background.now += 1000

    upstream = Upstream(answer)
    with caplog.at_level(logging.INFO, "headgate.health"):
        in_background(runtime_of(tmp_path, [entry("gpt", HERE, identifier="dep")], ON), upstream, check)
    assert [record.getMessage() for record in caplog.records] == [
        "deployment dep does not answer its health check: It is on fire.",
        "deployment dep answers its health check again",
    ]


def test_a_round_that_went_wrong_is_not_the_last(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def crash(_: dict[str, Any]) -> None:
        if len(upstream.asked) == 1:
            raise RuntimeError("a bug")

    async def check(background: Background) -> None:
        await background.until(1)
        background.now += 1000
        await background.until(2)
        assert background.probes.outcomes["dep"].error is None

    upstream = Upstream(crash)
    in_background(runtime_of(tmp_path, [entry("gpt", HERE, identifier="dep")], ON), upstream, check)
    assert "a round of health checks failed" in caplog.text


def test_the_built_in_model_is_well(tmp_path: Path) -> None:
    [outcome] = probed(tmp_path, Upstream(), demo())
    assert outcome.error is None
