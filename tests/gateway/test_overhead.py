"""The gateway's own time reaches the log, by the minute, where its lines are JSON."""

import json
import logging
import queue

import pytest

from headgate.gateway import _gateway
from headgate.telemetry._logging import JsonFormatter
from tests.doubles.openai_upstream import OpenAIUpstream
from tests.gateway.conftest import Serve
from tests.gateway.support import demo, entry


class Lines(logging.Handler):
    """Hands on the lines of one logger as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.written: queue.Queue[str] = queue.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self.written.put(self.format(record))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    monkeypatch.setattr(_gateway, "REPORT_SECONDS", 0.05)
    found = Lines()
    log = logging.getLogger("headgate.gateway")
    monkeypatch.setattr(log, "handlers", [found])
    monkeypatch.setattr(log, "level", logging.INFO)
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_answers_are_told_with_their_overhead(
    stream: bool, serve: Serve, upstream: OpenAIUpstream, lines: Lines
) -> None:
    gateway = serve([entry("gpt", upstream)], environ={"JSON_LOGS": "true"})
    assert gateway.chat("gpt", stream=stream).status == 200
    line = json.loads(lines.written.get(timeout=20))
    assert (line["level"], line["logger"], line["answers"]) == ("info", "headgate.gateway", 1)
    assert 0 < line["overhead_p95_ms"] < 1000
    assert 0 < line["overhead_mean_ms"] < 1000


def test_it_is_the_overhead_of_the_header(serve: Serve, lines: Lines) -> None:
    gateway = serve([demo()], environ={"JSON_LOGS": "true"})
    answer = gateway.chat("demo")
    line = json.loads(lines.written.get(timeout=20))
    assert line["overhead_mean_ms"] == float(answer.headers["x-litellm-overhead-duration-ms"])


def test_nothing_is_told_in_a_log_for_people(serve: Serve, lines: Lines) -> None:
    gateway = serve([demo()])
    assert gateway.chat("demo").status == 200
    running = [str(task.get_coro()) for task in gateway.gateway._background]
    assert [one for one in running if "_keep_credentials_fresh" in one]
    assert [one for one in running if "_tell_overhead" in one] == []
    assert lines.written.empty()
