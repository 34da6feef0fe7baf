"""Looking at many things at once, in bounded time."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headgate.core.clock import Clock, monotonic
from headgate.core.errors import HeadgateError
from headgate.deploy.engine import Check, Verdict
from headgate.deploy.verification._web import WebError

Result = tuple[Verdict, str]
"""How it is, and a sentence that says what to do where it is not well."""

WORKERS = 8
"""How many things are looked at at the same time."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to look at.

    `look` raises `WebError` when an address that should answer does not, which is a failure, and another
    `HeadgateError` when it can not be told how it is.
    """

    name: str
    look: Callable[[], Result]


def run_probes(probes: Sequence[Probe], seconds: float, clock: Clock = monotonic) -> tuple[Check, ...]:
    """Return a check for each probe, in their order; what takes longer than `seconds` in all is unknown."""
    until = clock() + seconds
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Check | BaseException]] = queue.SimpleQueue()
    for index in range(len(probes)):
        waiting.put(index)
    for _ in range(min(WORKERS, len(probes))):
        # Daemons, so that one that hangs keeps neither this run nor the end of the process.
        threading.Thread(target=_work, args=(probes, waiting, done), daemon=True).start()
    found: dict[int, Check] = {}
    while len(found) < len(probes):
        try:
            index, check = done.get(timeout=max(0.0, until - clock()))
        except queue.Empty:
            break
        if isinstance(check, BaseException):
            raise check
        found[index] = check
    late = f"It could not be told within {seconds:g} s: run this again."
    return tuple(found.get(index) or Check(one.name, Verdict.UNKNOWN, late) for index, one in enumerate(probes))


def _work(
    probes: Sequence[Probe],
    waiting: "queue.SimpleQueue[int]",
    done: "queue.SimpleQueue[tuple[int, Check | BaseException]]",
) -> None:
    while True:
        try:
            index = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            done.put((index, _looked(probes[index])))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            done.put((index, error))


def _looked(probe: Probe) -> Check:
    try:
        verdict, message = probe.look()
    except WebError as error:
        verdict, message = Verdict.FAILED, str(error)
    except HeadgateError as error:
        verdict, message = Verdict.UNKNOWN, str(error)
    return Check(probe.name, verdict, message)
