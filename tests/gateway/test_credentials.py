"""Credentials that are refreshed in the background: what is wrong with one is of no consequence for another."""

import logging

import pytest

from headgate.core.errors import Category, UpstreamError
from headgate.gateway._upstreams import refresh_credentials
from tests.support import run


class Kept:
    """Credentials that count how often they were refreshed."""

    available = True

    def __init__(self, *, due: bool = True, error: Exception | None = None) -> None:
        self.refresh_due = due
        self.refreshed = 0
        self._error = error

    def refresh(self) -> None:
        self.refreshed += 1
        if self._error is not None:
            raise self._error


def test_only_what_is_due_is_refreshed() -> None:
    due, fresh = Kept(), Kept(due=False)
    run(refresh_credentials([due, fresh]))
    assert (due.refreshed, fresh.refreshed) == (1, 0)


@pytest.mark.parametrize(
    "error",
    [UpstreamError("No role.", category=Category.AUTHENTICATION, status=401), TypeError("a bug in a library")],
    ids=["expected", "unexpected"],
)
def test_a_failure_is_logged_and_the_others_follow(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    second = Kept()
    with caplog.at_level(logging.WARNING, "headgate.gateway"):
        run(refresh_credentials([Kept(error=error), second]))
    assert second.refreshed == 1
    assert "credentials could not be refreshed" in caplog.text
