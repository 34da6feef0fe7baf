"""docs/load-testing.md does what it says."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from typer.main import get_command

from headgate.cli import app
from headgate.config import load_configuration
from headgate.deploy.ecs import parse_template, template_text
from headgate.deploy.load import GOALS
from tests.cli.serving import START_SECONDS, command, environment, wait_until
from tests.docs.reader import free_port

PAGE = Path(__file__).parents[3] / "docs/load-testing.md"
TEXT = PAGE.read_text()
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_READY = {"mock": "openai/mock", "serve": "Try it"}
_SECONDS = 60


@contextmanager
def _running(words: list[str], environ: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Run a command that serves until it is stopped; give what it printed until it was ready."""
    out = directory / f"{words[0]}.out"
    with (
        out.open("w") as written,
        subprocess.Popen(
            command(words), env=environ, cwd=directory, stdout=written, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            ready = _READY[words[0]]
            wait_until(lambda: ready in out.read_text() or process.poll() is not None, words[0], START_SECONDS)
            yield out.read_text()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _run(words: list[str], environ: Mapping[str, str], directory: Path) -> str:
    done = subprocess.run(
        command(words), env=environ, cwd=directory, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return done.stdout + done.stderr + (f"exit code {done.returncode}\n" if done.returncode else "")


def _matches(shown: str, printed: str) -> bool:
    # Columns are as wide as their figures; whether these pass, and the tenths of a second, are for the machine to say.
    pattern = re.escape(" ".join(shown.split())).replace(r"\.\.\.", ".*")
    pattern = re.sub(r"(fail|pass)(?=\\ |$)", "(fail|pass)", pattern)
    pattern = re.sub(r"\d\\.0\\ s,", r"\\d\\.\\d s,", pattern)
    return re.fullmatch(pattern, " ".join(printed.split())) is not None


def test_a_reader_gets_what_the_page_shows(tmp_path: Path) -> None:
    ports = {"4000": str(free_port()), "4010": str(free_port())}

    def here(text: str) -> str:
        return re.sub(r"127\.0\.0\.1:(4000|4010)", lambda match: f"127.0.0.1:{ports[match[1]]}", text)

    environ = environment(tmp_path, LITELLM_MASTER_KEY="sk-of-the-page", HEADGATE_PORT=ports["4000"])
    blocks = [(match[1], here(match[2])) for match in _BLOCK.finditer(TEXT)]
    configuration = next(text for language, text in blocks if language == "yaml")
    (tmp_path / "config.yaml").write_text(configuration)
    sessions = [text for language, text in blocks if language == "console"]
    mock, serve, *benches = [text.removeprefix("$ ").partition("\n") for text in sessions]
    assert len(benches) == 3
    mocking = [*shlex.split(mock[0])[1:], "--port", ports["4010"]]
    with _running(mocking, environ, tmp_path) as printed:
        assert _matches(mock[2], printed), printed
        with _running(shlex.split(serve[0])[1:], environ, tmp_path):
            for line, _, shown in benches:
                program, *words = shlex.split(line)
                assert program == "headgate"
                printed = _run(words, environ, tmp_path)
                assert _matches(shown, printed), f"{line}\n{printed}"


def test_the_configurations_load_without_a_warning(tmp_path: Path) -> None:
    for language, text in (match.groups() for match in _BLOCK.finditer(TEXT)):
        if language == "yaml":
            path = tmp_path / "config.yaml"
            path.write_text(text)
            assert load_configuration(path, {"LITELLM_MASTER_KEY": "sk-1"}).warnings == ()


def test_the_goals_are_those_of_the_code() -> None:
    rows = []
    for goal in GOALS:
        overhead = "-" if goal.overhead is None else " / ".join(str(bound) for bound in goal.overhead)
        p95, p99 = ("-" if bound is None else f"{bound:,}" for bound in (goal.p95, goal.p99))
        sizes = f"| {goal.tasks} | {goal.workers} | {goal.requests_per_second:,} | {goal.median:,} "
        rows.append(f"{sizes}| {p95} | {p99} | {overhead} | {goal.users:,} |")
    assert "\n".join(rows) in TEXT


def test_every_option_that_the_page_names_exists() -> None:
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    known = {
        option for name in ("bench", "mock", "serve") for one in group.commands[name].params for option in one.opts
    }
    elsewhere = {"--secret-id", "--query", "--output"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - elsewhere - known == set()


def test_the_mock_s_options_stand_there_with_their_defaults() -> None:
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    table = TEXT.partition("## The mock\n")[2]
    for parameter in group.commands["mock"].params:
        if parameter.name == "help":
            continue
        [row] = [line for line in table.splitlines() if line.startswith("|") and f"`{parameter.opts[0]}`" in line]
        default = parameter.default
        assert f"`{int(default) if isinstance(default, float) else default}`" in row


def test_what_is_said_of_the_stack_is_what_its_template_says() -> None:
    parameters = parse_template(template_text("mock"))["Parameters"]
    latency, size = (parameters[name]["Default"] for name in ("LatencyMilliseconds", "AnswerSize"))
    assert f"The mock waits {latency} ms before each answer of {size} tokens" in TEXT
    url = parse_template(template_text("mock"))["Outputs"]["MockUrl"]["Value"]["Fn::Sub"]
    for name, value in (
        ("Project", "headgate"),
        ("Environment", "benchmark"),
        ("MockPort", parameters["MockPort"]["Default"]),
    ):
        url = url.replace(f"${{{name}}}", str(value))
    assert f"api_base: {url}\n" in TEXT
