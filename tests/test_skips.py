"""Where everything should run, a test that is skipped without a known reason fails the run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ALLOWED

ROOT = Path(__file__).parents[1]
RUNS = "import pytest\n\ndef test_runs():\n    pass\n\n"
KNOWN = "def test_known():\n    pytest.skip('no promtool')\n\n"
UNKNOWN = "@pytest.mark.skipif(True, reason='no time')\ndef test_unknown():\n    pass\n\n"
EXPECTED_FAILURE = "@pytest.mark.xfail(strict=True)\ndef test_fails():\n    assert False\n\n"


def run(directory: Path, text: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a file of tests in a process of its own, which has nothing of this project's but the plugin."""
    path = directory / "test_file.py"
    path.write_text(text)
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", "-p", "no:cacheprovider", "-c", os.devnull]
    return subprocess.run(
        [*command, "--rootdir", str(directory), *arguments, str(path)],
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_unexpected_skip_fails_the_run(tmp_path: Path, workers: str) -> None:
    ended = run(tmp_path, RUNS + KNOWN + UNKNOWN + EXPECTED_FAILURE, "-n", workers, CI="true")
    assert ended.returncode == 1, ended.stdout
    assert "1 passed, 2 skipped, 1 xfailed" in ended.stdout
    assert "1 for want of a tool" in ended.stdout
    [sentence] = [line for line in ended.stdout.splitlines() if "was skipped for a reason" in line]
    assert sentence == (
        "test_file.py::test_unknown was skipped for a reason that tests/skips.py does not name: 'no time'. "
        "Have it run, or name the reason there."
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_module_that_is_skipped_is_seen_too(tmp_path: Path, workers: str) -> None:
    text = f"import pytest\npytest.importorskip('no_such_module')\n{RUNS}"
    ended = run(tmp_path, text, "-n", workers, CI="1")
    assert ended.returncode == 1, ended.stdout
    assert "could not import 'no_such_module'" in ended.stdout


def test_known_reasons_pass(tmp_path: Path) -> None:
    ended = run(tmp_path, RUNS + KNOWN, CI="true")
    assert ended.returncode == 0, ended.stdout
    assert "1 for want of a tool" in ended.stdout


@pytest.mark.parametrize("environ", [{}, {"CI": "false"}, {"CI": ""}])
def test_elsewhere_nobody_minds(tmp_path: Path, environ: dict[str, str]) -> None:
    ended = run(tmp_path, RUNS + UNKNOWN, **environ)
    assert ended.returncode == 0, ended.stdout
    assert "tests/skips.py" not in ended.stdout


def test_continuous_integration_says_that_it_is_one() -> None:
    assert re.search(r"^export CI=true$", (ROOT / ".ci/run").read_text(), re.MULTILINE)


def test_every_pattern_is_one() -> None:
    for pattern, purpose in ALLOWED.items():
        assert re.compile(pattern).fullmatch("") is None
        assert purpose
