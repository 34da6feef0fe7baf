import json
import logging
from collections.abc import Iterator

import pytest

from headgate.telemetry import configure_logging

_CHANGED = ("", "headgate", "uvicorn", "asyncio")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in _CHANGED}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_debug_is_for_our_own_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", json_lines=False)
    logging.getLogger("headgate.gateway").debug("ours")
    logging.getLogger("a_library.parsers").debug("SecretAccessKey")
    logging.getLogger("a_library").info("theirs")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["ours", "theirs"]


@pytest.mark.parametrize(("level", "shown"), [("info", ["info", "error"]), ("error", ["error"])])
def test_lower_levels_are_left_out(level: str, shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level, json_lines=False)
    for name in ("debug", "info", "error"):
        logging.getLogger("headgate").log(logging.getLevelName(name.upper()), name)
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == shown


def test_json_lines_hold_everything_in_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json_lines=True)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("headgate.x").exception("it is %s", "broken")
    [line] = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("error", "headgate.x", "it is broken")
    assert found["exception"].endswith("ValueError: two\nlines")
    assert found["time"].endswith("+00:00")
