"""A pytest plugin: where everything should run, with `CI=true`, a test is skipped for a known reason or the run fails.

The quick tests need nothing but what pip installs; a few check what they made with a further tool, where it is there.
"""

import os
import re
from collections.abc import Mapping

import pytest

ALLOWED: Mapping[str, str] = {
    r"no (promtool|amtool)": "checks the monitoring files of the Compose stack",
    r"no nginx": "runs the configuration of the Compose stack",
    r"nginx or openssl is not installed": "runs the configuration that docs/operations.md shows",
    r"no curl": "pastes what the start screen prints",
    r"not installed: \w+(, \w+)*": "follows a page of the documentation",
    r"(zizmor|actionlint) is not installed \(.+\)": "lints the generated pipelines",
}
"""Reasons to skip, as patterns, and what the test does with the tool that is missing."""


def pytest_configure(config: pytest.Config) -> None:
    """Watch over the run, in the process that sees all of it."""
    if os.environ.get("CI", "").lower() in ("1", "true") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipGuard(), "headgate-skips")


class SkipGuard:
    """Counts skipped tests and fails the run when one of them has another reason than those that are allowed."""

    def __init__(self) -> None:
        self.allowed = 0
        self.unexpected: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at a test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at a whole module."""
        self._note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that would pass."""
        if self.unexpected and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was skipped."""
        terminalreporter.section("skipped tests")
        terminalreporter.line(f"{self.allowed} for want of a tool that tests/skips.py names")
        for test, reason in sorted(self.unexpected.items()):
            terminalreporter.line(
                f"{test} was skipped for a reason that tests/skips.py does not name: {reason!r}. "
                "Have it run, or name the reason there.",
                red=True,
            )

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        # An expected failure is reported as skipped too.
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = _reason(report)
        if any(re.fullmatch(pattern, reason) for pattern in ALLOWED):
            self.allowed += 1
        else:
            self.unexpected[report.nodeid] = reason


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    place = report.longrepr
    text = str(place[2]) if isinstance(place, tuple | list) else str(place)
    return text.removeprefix("Skipped: ")
