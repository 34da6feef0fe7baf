"""Many things are looked at at once, and nothing makes the looking endless."""

import threading

import pytest

from headgate.deploy.engine import DeployError, Verdict
from headgate.deploy.verification import Probe, Result, WebError, run_probes


def _passed() -> Result:
    return Verdict.PASSED, "well"


def _unknown() -> Result:
    raise DeployError("no credentials")


def _failed() -> Result:
    raise WebError("nobody there")


def test_checks_come_in_the_order_of_the_probes() -> None:
    probes = [
        Probe("a", _passed),
        Probe("b", _unknown),
        Probe("c", _failed),
        *(Probe(str(n), _passed) for n in range(20)),
    ]
    checks = run_probes(probes, 30)
    assert [check.name for check in checks] == [probe.name for probe in probes]
    assert [(check.verdict, check.message) for check in checks[:3]] == [
        (Verdict.PASSED, "well"),
        (Verdict.UNKNOWN, "no credentials"),
        (Verdict.FAILED, "nobody there"),
    ]


def test_probes_run_at_the_same_time() -> None:
    meeting = threading.Barrier(4, timeout=20)

    def meet() -> Result:
        meeting.wait()
        return Verdict.PASSED, "met"

    assert {check.message for check in run_probes([Probe(str(n), meet) for n in range(4)], 30)} == {"met"}


def test_one_that_hangs_is_unknown_and_holds_up_no_other() -> None:
    released = threading.Event()

    def hang() -> Result:
        released.wait(20)
        return Verdict.PASSED, "too late"

    try:
        [hung, well] = run_probes([Probe("hung", hang), Probe("well", _passed)], 0.2)
    finally:
        released.set()
    assert (hung.verdict, well.verdict) == (Verdict.UNKNOWN, Verdict.PASSED)
    assert hung.message == "It could not be told within 0.2 s: run this again."


def test_a_mistake_of_ours_is_not_taken_for_a_finding() -> None:
    def broken() -> Result:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_probes([Probe("broken", broken)], 30)


def test_nothing_to_look_at_is_no_check() -> None:
    assert run_probes([], 30) == ()
