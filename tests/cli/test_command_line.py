import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import headgate
from headgate.cli import app, arguments, main
from headgate.core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([], []),
        (["serve", "--port", "1"], ["serve", "--port", "1"]),
        (["check", "x.yaml"], ["check", "x.yaml"]),
        (["--port", "4000", "--num_workers", "4"], ["serve", "--port", "4000", "--num_workers", "4"]),
        (["-c", "x.yaml"], ["serve", "-c", "x.yaml"]),
        (["--config=x.yaml"], ["serve", "--config=x.yaml"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
    ],
)
def test_litellm_s_command_line_means_serve(given: list[str], read: list[str]) -> None:
    assert arguments(given) == read


@pytest.mark.parametrize(("compiled", "added"), [(False, ""), (True, ", compiled")])
def test_the_version_is_shown(compiled: bool, added: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.cli.COMPILED", compiled)
    assert CliRunner().invoke(app, ["--version"]).stdout == f"headgate {headgate.__version__}{added}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom headgate.cli import main\nsys.argv = ['headgate', '--help']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'pydantic', 'yaml', 'starlette', 'uvicorn', 'botocore', 'headgate.config', 'headgate.gateway'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "check" in result.stdout


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Put a recorder in the place of the gateway."""
    calls: list[tuple[Any, ...]] = []
    module = ModuleType("headgate.cli._serve")
    module.serve = lambda *given: calls.append(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "headgate.cli._serve", module)
    monkeypatch.delenv("CONFIG_FILE_PATH", raising=False)
    return calls


def test_serve_passes_on_what_was_given(served: list[tuple[Any, ...]]) -> None:
    line = ["--config", "x.yaml", "--host", "::1", "--port", "1", "--num_workers", "2", "--log-level", "error"]
    assert CliRunner().invoke(app, arguments(line)).exit_code == 0
    assert CliRunner().invoke(app, ["serve", "--workers", "3", "--detailed_debug"]).exit_code == 0
    assert served == [(Path("x.yaml"), "::1", 1, 2, "error"), (None, None, None, 3, "debug")]


def test_the_configuration_may_be_named_by_the_environment(
    served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIG_FILE_PATH", "y.yaml")
    assert CliRunner().invoke(app, ["serve"]).exit_code == 0
    assert served == [(Path("y.yaml"), None, None, None, None)]


@pytest.mark.parametrize(
    "options",
    [
        ["--telemetry", "False"],
        ["--run_gunicorn"],
        ["--run_hypercorn"],
        ["--max_requests_before_restart", "1000"],
        ["--use_prisma_db_push"],
    ],
)
def test_an_option_without_effect_says_so(served: list[tuple[Any, ...]], options: list[str]) -> None:
    result = CliRunner().invoke(app, ["serve", *options])
    assert result.stderr.startswith(f"{options[0]} has no effect: ")
    assert len(served) == 1


def test_an_error_is_told_without_a_traceback(
    served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: object) -> None:
        raise ConfigurationError(["x.yaml:1: first.", "x.yaml:2: second."])

    monkeypatch.setattr(sys.modules["headgate.cli._serve"], "serve", fail)
    monkeypatch.setattr(sys, "argv", ["headgate", "--port", "1"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == "x.yaml:1: first.\nx.yaml:2: second.\n"


def test_a_bug_is_a_line_without_what_was_worked_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(words: Any) -> list[str]:
        raise KeyError("sk-secret")

    monkeypatch.setattr("headgate.cli.arguments", broken)
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 1
    assert said.startswith(f"This is a bug in Headgate {headgate.__version__}: KeyError in cli/__init__.py:")
    assert "sk-secret" not in said
    assert "Traceback" not in said
