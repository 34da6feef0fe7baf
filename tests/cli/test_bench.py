"""`headgate bench` as its user types it."""

import json
import re
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from headgate.cli import _bench_run, app
from headgate.cli._bench_report import Trial, as_data, as_text, show_progress
from headgate.core.errors import ConfigurationError
from headgate.deploy.load import (
    ErrorCount,
    Load,
    Measurement,
    Progress,
    distribution,
    goal_for,
    parse_endpoint,
)
from tests.cli.serving import command, environment, run, wait_until
from tests.doubles.gateway import MASTER_KEY, RunningGateway
from tests.doubles.mock_upstream import RunningMock
from tests.doubles.openai_upstream import OpenAIUpstream

MOMENT = ("--users", "4", "--spawn-rate", "1000", "--think", "0", "--warm-up", "0", "--duration", "0.3")
SMALL = (*MOMENT, "--prompt-bytes", "100")
CANARY = "sk-canary-of-the-gateway"


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with RunningMock() as running:
        yield running


def bench(*words: str, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["bench", *words], input=stdin)
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def data(*words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bench(*words, "--json", code=code).stdout)
    return found


def refused(*words: str) -> str:
    """Return the problems of a command line that `main` would end with 2 for."""
    result = CliRunner().invoke(app, ["bench", *words])
    assert isinstance(result.exception, ConfigurationError), result.output
    return str(result.exception)


def test_it_prints_the_guide_s_table_with_a_verdict_for_each_figure(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("GATEWAY_KEY", MASTER_KEY)
    demo = {"model_list": [{"model_name": "demo", "litellm_params": {"model": "demo/demo"}}]}
    with RunningGateway(tmp_path, demo) as gateway:
        target = ("--target", gateway.url, "--model", "demo", "--key-env", "GATEWAY_KEY")
        shown = bench(*target, *SMALL, "--tasks", "4", "--workers", "16").stdout
    lines = [re.split(r"  +", line.strip()) for line in shown.splitlines()]
    assert lines[3] == ["tasks", "workers", "requests/s", "median ms", "p95 ms", "p99 ms", "overhead ms"]
    assert lines[4][:3] == ["measured", "4", "16"]
    assert len(lines[4]) == 8
    assert lines[5] == ["goal", "4", "16", "1,170", "100", "150", "240", "2 / 8 / 13"]
    assert len(lines[6]) == 5
    assert set(lines[6]) <= {"pass", "fail"}
    assert re.search(r"^[\d,]+ requests in \d\.\d s, 0 errors \(0\.00%, 1\.00% at most\)$", shown, re.MULTILINE)
    assert "overhead: what the target says of itself" in shown
    assert MASTER_KEY not in shown


def test_as_data_it_tells_everything(mock: RunningMock) -> None:
    found = data("--target", mock.url, *SMALL, "--direct", mock.url, "--stream", "--tasks", "4")
    assert found["target"] == f"{mock.url}/v1/chat/completions"
    assert found["load"]["users"] == 4
    assert found["errors"] == []
    assert found["ended_by"] == "duration"
    assert found["requests_per_second"] > 0
    assert found["overhead_source"] == "direct"
    assert found["latency"]["count"] == found["first_token"]["count"] == found["added"]["count"] == found["requests"]
    assert {goal["name"] for goal in found["goals"]} >= {"requests/s", "median ms", "p95 ms", "p99 ms"}


@pytest.mark.parametrize(("bound", "code"), [("100", 0), ("1", 1)])
def test_too_many_errors_end_with_1(bound: str, code: int) -> None:
    # The first request, which goes before all others, is not among those that this seed lets fail.
    with RunningMock(failures=0.3, failure_status=429, seed=1) as failing:
        result = bench("--target", failing.url, *SMALL, "--max-errors", bound, code=code)
    assert re.search(r"  [\d,]+ x 429: The mock was told to fail this request\.", result.stdout)
    assert f"{float(bound):.2f}% at most" in result.stdout


def test_a_missed_goal_ends_with_1_where_that_was_asked_for() -> None:
    # 40 requests a second are no 1,035.
    with RunningMock(latency=0.1) as slow:
        words = ("--target", slow.url, *SMALL, "--tasks", "2")
        assert "fail" in bench(*words).stdout
        bench(*words, "--strict", code=1)


def test_a_target_that_does_not_answer_ends_with_1_and_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", CANARY)
    with OpenAIUpstream() as upstream:
        words = ("--target", upstream.api_base, "--model", "m401", "--key-env", "KEY", *SMALL)
        shown = bench(*words, code=1)
        assert "answers 401: Incorrect API key provided" in shown.stderr
        assert CANARY not in shown.output
        assert data(*words, code=1)["error"].endswith("Incorrect API key provided: sk-bad")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--target", "gateway"], "--target: expected a URL"),
        (["--duration", "0"], "a test takes 3,600 s at most"),
        (["--users", "0"], "there are 1 to 20,000 users"),
        (["--think", "soon"], "--think: expected seconds"),
        (["--max-errors", "101"], "--max-errors: expected a percentage"),
        (["--key-env", "NO_SUCH_VARIABLE"], "--key-env: there is no variable of that name"),
        (["--key-env", "A", "--key-file", "b"], "--key-env and --key-file: give one of them"),
        (["--key-file", "/nonexistent"], "--key-file: /nonexistent can not be read: No such file or directory"),
        (["--direct-key-env", "A"], "--direct-key-env: there is no --direct"),
        (["--file", "a.yaml"], "--file: say with --env"),
        (["--env", "benchmark"], "headgate.deploy.yaml"),
    ],
)
def test_a_command_line_that_can_not_work_is_told(
    words: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem in refused("--target", "http://127.0.0.1:9", *words)


def test_a_key_on_the_command_line_is_not_repeated() -> None:
    assert CANARY not in refused("--target", "http://127.0.0.1:9", "--key-env", CANARY)


def test_a_wrong_command_line_ends_with_2(tmp_path: Path) -> None:
    result = run(tmp_path, "bench", "--target", "gateway")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "--target: expected a URL such as http://127.0.0.1:4000.\n"


@pytest.mark.parametrize("source", ["variable", "file", "stdin"])
def test_the_key_comes_from_a_variable_a_file_or_the_standard_input(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_text(f"{CANARY}\n")
    monkeypatch.setenv("KEY", CANARY)
    words = {"variable": ["--key-env", "KEY"], "file": ["--key-file", str(path)], "stdin": ["--key-file", "-"]}[source]
    with OpenAIUpstream() as upstream:
        result = bench("--target", upstream.api_base, *words, *SMALL, "--requests", "5", stdin=f"{CANARY}\n")
        assert {fields["authorization"] for _, fields, _ in upstream.requests} == {f"Bearer {CANARY}"}
    assert CANARY not in result.output


@pytest.mark.parametrize("content", [b"", b"\n", b"sk-\xc3\xa9\n", b"one\ntwo\n", b"\xff"])
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    assert "--key-file" in refused("--target", "http://127.0.0.1:9", "--key-file", str(path))


def test_the_upstream_gets_its_own_key_only(mock: RunningMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY", CANARY)
    monkeypatch.setenv("UPSTREAM", "sk-of-the-upstream")
    words = ("--target", mock.url, "--key-env", "GATEWAY", *SMALL, "--requests", "10")
    with OpenAIUpstream() as upstream:
        bench(*words, "--direct", upstream.api_base)
        assert all("authorization" not in fields for _, fields, _ in upstream.requests)
        upstream.requests.clear()
        bench(*words, "--direct", upstream.api_base, "--direct-key-env", "UPSTREAM")
        assert {fields["authorization"] for _, fields, _ in upstream.requests} == {"Bearer sk-of-the-upstream"}


def test_tasks_and_workers_come_from_the_deployment_file(
    mock: RunningMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headgate.deploy.yaml").write_text("platform: ecs\nallow_plaintext: true\n")
    words = ("--target", mock.url, *SMALL, "--env", "benchmark")
    assert "measured      4       16" in bench(*words).stdout
    found = data(*words, "--tasks", "2")
    assert (found["tasks"], found["workers"]) == (2, 8)


def test_a_size_that_the_guide_does_not_name_has_no_goals(mock: RunningMock) -> None:
    shown = bench("--target", mock.url, *SMALL, "--tasks", "3").stdout
    assert "no goals: the benchmark guide has them for 2, 4, 8 tasks" in shown
    assert "pass" not in shown


# -- other machines ---------------------------------------------------------------------------------------------------


def test_a_load_on_another_machine_is_not_made_without_a_yes() -> None:
    shown = bench("--target", "https://llm.example.com", *SMALL, code=3).stderr
    assert shown == (
        "Nothing was sent: this puts 4 users for 0 s, up to 2,000,000 requests, on llm.example.com."
        " Confirm it with --yes, if that is yours.\n"
    )
    words = ("--target", "http://127.0.0.1:9", "--direct", "https://api.example.com", *SMALL)
    assert "on api.example.com" in data(*words, code=3)["error"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pretend that somebody sits at a terminal, and let no load begin; return what would have been measured."""
    measured: list[str] = []

    def measure(trial: Trial, *_: object, **__: object) -> Measurement:
        measured.append(trial.target.host)
        return result()

    monkeypatch.setattr(_bench_run, "_measure", measure)
    monkeypatch.setattr(_bench_run, "_at_a_terminal", lambda: True)
    return measured


def test_at_a_terminal_the_name_of_the_host_is_typed(terminal: list[str]) -> None:
    words = ("--target", "https://llm.example.com", "--direct", "https://api.example.com", *SMALL)
    shown = bench(*words, code=130, stdin="llm.example.com\napi.example.com\n").stdout
    assert "On what is not yours that is an attack." in shown
    assert terminal == ["llm.example.com"]


@pytest.mark.parametrize("typed", ["y\n", "\nyes\n", "llm.example\n", "llm.example.com\nllm.example.com\n"])
def test_anything_else_that_is_typed_is_a_no(terminal: list[str], typed: str) -> None:
    words = ("--target", "https://llm.example.com", "--direct", "https://api.example.com", *SMALL)
    result = CliRunner().invoke(app, ["bench", *words], input=typed)
    assert result.exit_code != 0
    assert terminal == []


def test_a_key_that_crosses_a_network_unencrypted_is_warned_about(terminal: list[str]) -> None:
    shown = bench("--target", "http://10.0.0.1", "--yes", *SMALL, code=130).stderr
    assert shown == (
        "warning: http://10.0.0.1/v1/chat/completions is not encrypted: anyone on the way can read the key.\n"
    )
    assert terminal == ["10.0.0.1"]
    assert bench("--target", "https://10.0.0.1", "--yes", *SMALL, code=130).stderr == ""


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_shows_what_was_measured_until_then(tmp_path: Path, as_json: bool) -> None:
    words = ["--users", "4", "--spawn-rate", "1000", "--think", "0", "--warm-up", "0", "--duration", "600"]
    with OpenAIUpstream() as upstream:
        arguments = ["bench", "--target", upstream.api_base, *words, *(["--json"] if as_json else [])]
        with subprocess.Popen(
            command(arguments), env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                wait_until(lambda: len(upstream.requests) > 50 or process.poll() is not None, "some requests")
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
            finally:
                process.kill()
    assert (process.returncode, err) == (130, "")
    if as_json:
        assert json.loads(out)["ended_by"] == "interrupt"
    else:
        assert "ended early: Ctrl-C" in out
        assert re.search(r"^measured", out, re.MULTILINE)


def test_more_connections_than_files_may_be_open_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    monkeypatch.setattr(_bench_run, "_measure", lambda *_, **__: result())
    bench("--target", "http://127.0.0.1:9", "--users", "1000", code=130)
    bench("--target", "http://127.0.0.1:9", "--users", "100", code=130)
    assert set_to == [(1064, 4096)]
    problem = refused("--target", "http://127.0.0.1:9", "--direct", "http://127.0.0.1:8", "--users", "2020")
    assert problem.startswith("4,040 connections need 4,104 open files, and the system allows 4,096.")


# -- what is shown ----------------------------------------------------------------------------------------------------


def trial(**changes: Any) -> Trial:
    load = Load("mock", **changes)
    return Trial(load, parse_endpoint("https://llm.example.com", "--target"), None, 8, 32, goal_for(8), 0.01)


def result(**changes: Any) -> Measurement:
    values: dict[str, Any] = {
        "seconds": 10.0,
        "requests": 20_100,
        "answered": 20_000,
        "errors": (ErrorCount("502", 100, "Bad gateway"),),
        "latency": distribution([0.0505] * 90 + [0.25] * 10),
        "first_token": None,
        "overhead": None,
        "added": distribution([0.0012]),
        "direct": distribution([0.0493]),
        "direct_errors": (ErrorCount("429", 2, "Slow down"),),
        "unfinished": 3,
        "unsent": 7,
        "ended_by": "interrupt",
        "processor_share": 0.95,
    }
    return Measurement(**{**values, **changes})


def test_a_result_for_eyes() -> None:
    plain = re.sub(r"\x1b\[\d+m", "", as_text(trial(), result()))
    assert plain == (
        "https://llm.example.com/v1/chat/completions, model mock, whole answers\n"
        "1,000 users, 0.5 to 1 s between two requests, prompts of 16,350 bytes\n"
        "\n"
        "          tasks  workers  requests/s  median ms  p95 ms  p99 ms      overhead ms\n"
        "measured      8       32     2,000.0       50.5     250     250  1.2 / 1.2 / 1.2\n"
        "goal          8       32       2,000         75       -       -                -\n"
        "                                pass       pass\n"
        "\n"
        "20,100 requests in 10.0 s, 100 errors (0.50%, 1.00% at most)\n"
        "  100 x 502: Bad gateway\n"
        "added, request by request beside a direct one: median 1.2 ms, p95 1.2 ms, p99 1.2 ms\n"
        "direct: median 49.3 ms, p95 49.3 ms, p99 49.3 ms\n"
        "direct errors: 2\n"
        "  2 x 429: Slow down\n"
        "ended early: Ctrl-C; 3 requests were still open\n"
        "warning: this machine was busy with asking (95% of a core, 7 requests behind at the end): the target may be"
        " faster than this; ask with several, or from a faster one"
    )


def test_a_result_without_an_answer() -> None:
    nothing = result(requests=5, answered=0, errors=(ErrorCount("timeout", 5, "Late."),), latency=None, added=None)
    shown = re.sub(r"\x1b\[\d+m", "", as_text(trial(rate=2.5, stream=True), nothing))
    assert "streams\n2.5 requests a second over 1,000 connections at most" in shown
    assert re.search(r"measured +8 +32 +0\.0 +- +- +- +-\n", shown)
    assert re.search(r"\n +fail +fail\n", shown)
    assert "overhead: the target does not tell it; --direct URL of its upstream measures it" in shown


def test_a_test_that_ended_in_the_warm_up() -> None:
    nothing = result(seconds=0.0, requests=0, answered=0, ended_by="requests")
    assert as_text(trial(think=(0, 0)), nothing) == (
        "https://llm.example.com/v1/chat/completions, model mock, whole answers\n"
        "1,000 users without pause, prompts of 16,350 bytes\n\n"
        "Nothing was measured: it ended in the warm-up (all the requests that --requests allows were sent)."
    )
    assert as_data(trial(), nothing)["requests_per_second"] == 0


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.write", written.append)
    with show_progress(trial(), quiet=False) as show:
        show(Progress("warm-up", 1.2, 12.0, 0, 0))
        show(Progress("measuring", 30.0, 300.0, 1234, 5))
    with show_progress(trial(), quiet=True) as show:
        show(Progress("measuring", 30.0, 300.0, 1234, 5))
    assert written == [
        "\r\x1b[Kwarm-up 1 of 12 s",
        "\r\x1b[Kmeasuring 30 of 300 s, 1,234 answers, 5 errors",
        "\r\x1b[K",
    ]


def test_the_key_is_in_no_argument_of_the_process(tmp_path: Path) -> None:
    # The options that take it name a variable or a file; there is none that takes a key.
    shown = run(tmp_path, "bench", "--help", environ={"COLUMNS": "200", "TERM": "dumb"}).stdout
    assert re.findall(r"--[\w-]*key[\w-]*", shown) == ["--key-env", "--key-file", "--direct-key-env"]
