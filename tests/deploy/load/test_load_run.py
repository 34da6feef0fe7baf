"""Whole load tests of real servers on loopback."""

from pathlib import Path
from typing import Any

import pytest

from headgate.deploy.load import TargetError
from tests.deploy.load.support import measure, short, target
from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.mock_upstream import RunningMock
from tests.doubles.openai_upstream import OpenAIUpstream

DEMO = {"model_list": [{"model_name": "demo", "litellm_params": {"model": "demo/demo"}}]}


def _in_front_of(mock: RunningMock) -> dict[str, Any]:
    parameters = {"model": "openai/mock", "api_base": f"{mock.url}/v1", "api_key": "none"}
    return {"model_list": [{"model_name": "mock", "litellm_params": parameters}]}


def test_the_demo_model_of_a_gateway_bears_a_load(tmp_path: Path) -> None:
    with RunningGateway(tmp_path, DEMO) as gateway:
        measured = measure(short("demo"), target(gateway.url, MASTER_KEY))
    assert (measured.errors, measured.ended_by, measured.unfinished) == ((), "duration", 0)
    assert 0.3 <= measured.seconds < 10
    assert measured.latency is not None
    assert measured.overhead is not None
    assert measured.latency.count == measured.overhead.count == measured.requests > 4
    assert 0 < measured.overhead.median < measured.latency.median < 1000
    assert measured.answered / measured.seconds == measured.requests_per_second
    assert (measured.added, measured.direct, measured.first_token) == (None, None, None)


def test_a_target_that_does_not_tell_its_overhead_is_compared_with_its_upstream(tmp_path: Path) -> None:
    with RunningMock(latency=0.01) as slow, RunningMock() as fast:
        measured = measure(short(), target(slow.url), target(fast.url))
    assert measured.overhead is None
    assert measured.added is not None
    assert measured.direct is not None
    assert measured.added.count == measured.direct.count == measured.requests
    assert 8 < measured.added.median < 200


def test_the_direct_double_gets_the_same_requests_and_never_the_gateway_s_key(tmp_path: Path) -> None:
    with OpenAIUpstream() as upstream, RunningMock() as mock:
        measure(short("any", requests=20), target(mock.url, "sk-of-the-gateway"), target(upstream.api_base))
        asked = list(upstream.requests)
    assert len(asked) == 10
    assert all("authorization" not in fields for _, fields, _ in asked)
    assert len({body["messages"][0]["content"] for _, _, body in asked}) == 10


def test_the_first_token_of_streams_is_timed(tmp_path: Path) -> None:
    with (
        RunningMock(latency=0.02, interval=0.01, tokens=5) as mock,
        RunningGateway(tmp_path, _in_front_of(mock)) as gate,
    ):
        measured = measure(short(stream=True), target(gate.url, MASTER_KEY))
    assert measured.errors == ()
    assert measured.first_token is not None
    assert measured.latency is not None
    # The role comes first, the first token one interval later; five more intervals to the end.
    assert 29 <= measured.first_token.median < measured.latency.median
    assert measured.latency.median >= 75


def test_a_fixed_rate_is_kept(tmp_path: Path) -> None:
    with RunningMock() as mock:
        measured = measure(short(rate=200, duration=0.5), target(mock.url))
    assert measured.errors == ()
    assert measured.requests + measured.unsent == pytest.approx(200 * measured.seconds, abs=12)


def test_a_slow_target_is_charged_with_the_whole_wait() -> None:
    # One connection, 50 ms an answer, 100 requests a second: each waits for all those before it.
    with RunningMock(latency=0.05) as mock:
        measured = measure(short(rate=100, users=1, duration=0.5), target(mock.url))
    assert measured.latency is not None
    assert measured.latency.maximum > 500
    assert measured.latency.median > 150


def test_errors_are_counted_by_status() -> None:
    with RunningMock(failures=0.5, failure_status=429, seed=1) as mock:
        measured = measure(short(), target(mock.url))
    [error] = measured.errors
    assert (error.error, error.sentence) == ("429", "The mock was told to fail this request.")
    assert 0.2 < measured.error_share < 0.8
    assert measured.latency is not None
    assert measured.latency.count + error.count == measured.requests


def test_no_more_requests_are_sent_than_allowed() -> None:
    with OpenAIUpstream() as upstream:
        measured = measure(short("any", requests=50, duration=30), target(upstream.api_base))
        assert len(upstream.requests) == 50
    assert measured.ended_by == "requests"
    assert measured.requests <= 49


@pytest.mark.parametrize("load", [short(duration=60), short(duration=60, rate=100), short(duration=60, stream=True)])
def test_a_test_that_is_interrupted_tells_what_was_measured_until_then(load: Any) -> None:
    with RunningMock(latency=0.01) as mock:
        measured = measure(load, target(mock.url), interrupt_at=lambda progress: progress.phase == "measuring")
    assert measured.ended_by == "interrupt"
    assert 0.05 < measured.seconds < 15
    assert measured.requests > 0
    assert measured.latency is not None


def test_what_hangs_does_not_hold_up_an_interrupted_test() -> None:
    with OpenAIUpstream() as upstream, RunningMock(latency=0.0, jitter=5.0, seed=3) as mock:
        load = short("any", duration=60, timeout=60)
        measured = measure(load, target(mock.url), interrupt_at=lambda progress: progress.phase == "measuring")
        assert upstream.requests == []
    assert measured.ended_by == "interrupt"
    assert measured.unfinished > 0


def test_an_interrupt_in_the_warm_up_leaves_nothing() -> None:
    with RunningMock() as mock:
        measured = measure(short(warm_up=60), target(mock.url), interrupt_at=lambda progress: True)
    assert (measured.ended_by, measured.seconds, measured.requests) == ("interrupt", 0, 0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("m429", "answers 429: Rate limit reached for requests"),
        ("silent", "completions: The target closed the connection before it answered."),
    ],
)
def test_one_request_goes_before_all_others(model: str, message: str) -> None:
    with OpenAIUpstream() as upstream:
        with pytest.raises(TargetError, match=message):
            measure(short(model), target(upstream.api_base))
        assert len(upstream.requests) == 1


def test_a_missing_key_is_told_with_what_to_do(tmp_path: Path) -> None:
    with (
        RunningGateway(tmp_path, DEMO) as gateway,
        pytest.raises(TargetError, match=r"answers 401: .* Give a key with --key-env"),
    ):
        measure(short("demo"), target(gateway.url))


def test_a_port_where_nobody_listens_is_told() -> None:
    with RunningMock() as mock:
        port = mock.port
    with pytest.raises(TargetError, match=r"The target refused the connection\. Connection refused\."):
        measure(short(), target(f"http://127.0.0.1:{port}"))
