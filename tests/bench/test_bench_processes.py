"""Children are ended with everything they started."""

import sys
import time
from pathlib import Path

import pytest

from bench._processes import Child, StartError, clean_environment

_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def wait_for_line(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline
    return path.read_text().strip()


def check_until_it_ends(child: Child) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        child.check("the program")


def test_stop_ends_a_program_and_its_children(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", _PARENT], tmp_path / "log", clean_environment({}))
    try:
        grandchild = Path("/proc") / wait_for_line(tmp_path / "log")
        child.check("the parent")
        alone = int((Path("/proc") / str(child.pid) / "statm").read_text().split()[1])
        assert child.rss_mib() > alone * 4_096 / 1024 / 1024
    finally:
        child.stop()
    deadline = time.monotonic() + 20
    while grandchild.exists() and "\nState:\tZ" not in (grandchild / "status").read_text():
        assert time.monotonic() < deadline
    assert child.rss_mib() == 0


def test_a_program_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('no such config'); sys.exit(3)"]
    child = Child(command, tmp_path / "log", clean_environment({}))
    with pytest.raises(StartError) as raised:
        check_until_it_ends(child)
    assert "the program ended with exit code 3" in str(raised.value)
    assert str(raised.value).endswith("\nno such config")
    child.stop()


def test_the_environment_of_children_holds_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    environment = clean_environment({"HEADGATE_DATA_DIR": "/data"})
    assert "OPENAI_API_KEY" not in environment
    assert environment["HEADGATE_DATA_DIR"] == "/data"
