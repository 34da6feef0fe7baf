"""What the mock says, and what nginx is told to say in its place."""

import json

import pytest

from bench import _nginx
from bench._behaviors import ANSWER_10K, BEHAVIORS, DELTA, INSTANT, STREAM_FAST, STREAM_PACED, Behavior, answer, frames
from bench._targets import chat_body


@pytest.mark.parametrize("size", [250, 1_024, 10_240])
def test_an_answer_has_exactly_its_size(size: int) -> None:
    body = answer(size)
    assert len(body) == size
    assert json.loads(body)["choices"][0]["message"]["role"] == "assistant"


def test_an_answer_cannot_be_shorter_than_its_frame() -> None:
    with pytest.raises(ValueError, match="at least"):
        answer(10)


@pytest.mark.parametrize("behavior", [STREAM_FAST, STREAM_PACED])
def test_each_delta_carries_the_mark_once(behavior: Behavior) -> None:
    events = frames(behavior)
    assert b"".join(events).count(DELTA) == behavior.deltas
    assert len(events) == behavior.deltas + 2
    assert all(event.startswith(b"data: {") and event.endswith(b"}\n\n") for event in events)


def test_nginx_answers_what_the_asyncio_mock_answers() -> None:
    configuration = _nginx.mock_configuration(8_000)
    piece = configuration.partition("set $x '")[2].partition("'")[0]
    for behavior in (INSTANT, ANSWER_10K):
        told = (
            configuration.partition(f"location {behavior.base_path}/")[2].partition("return 200 '")[2].partition("'")[0]
        )
        assert told.replace("${x}", piece).encode() == answer(behavior.answer_bytes)
        assert len(told) < 4_096, "nginx refuses longer words"


def test_the_proxy_reaches_every_behavior_and_does_not_hold_streams_back() -> None:
    configuration = _nginx.proxy_configuration(8_000, dict.fromkeys(BEHAVIORS, 8001))
    lines = {behavior: f"location {behavior.base_path}/ {{ proxy_pass http://mock_8001;" for behavior in BEHAVIORS}
    for behavior, line in lines.items():
        rest = configuration.partition(line)[2].partition("}")[0]
        assert ("proxy_buffering off" in rest) == bool(behavior.deltas)


@pytest.mark.parametrize("size", [200, 409_600])
@pytest.mark.parametrize("stream", [False, True])
def test_a_question_has_its_size_whatever_the_model_is_called(size: int, *, stream: bool) -> None:
    for model in ("instant", "tensorzero::model_name::answer-10k"):
        body = chat_body(model, size, stream=stream)
        assert len(body) == size
        assert json.loads(body).get("stream", False) is stream
