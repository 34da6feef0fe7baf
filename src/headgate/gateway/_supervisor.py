"""Several worker processes that share one listening socket."""

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

log = logging.getLogger("headgate.server")

RESTART_SECONDS = 1.0
"""A worker that dies sooner than this after its start is not replaced at once, so that a crash is not a busy loop."""
_PATIENCE_SECONDS = 1.0
"""How long a signal may go unnoticed in the loop that waits for workers."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """Keeps a number of worker processes running until it is told to stop.

    `listener` is the socket that they share. `work` serves in the worker process and returns its exit code; its
    argument is a descriptor that reads as ended once the supervisor is gone, however it ended. SIGTERM, SIGINT and
    SIGHUP are passed on to the workers, and `reload` is called after a SIGHUP, so that a worker started later knows
    what the others do.
    """

    def __init__(
        self, listener: socket.socket, work: Callable[[int], int], reload: Callable[[], None], count: int
    ) -> None:
        self._context = multiprocessing.get_context("fork")
        self._listener = listener
        self._work = work
        self._reload = reload
        self._count = count
        self._stopping = False
        self._reload_due = False
        self._lifeline, self._held = os.pipe()
        self._workers: dict[int, tuple[multiprocessing.process.BaseProcess, float]] = {}

    def run(self) -> int:
        """Start the workers and replace those that die; return 0 once it was told to stop and all have ended."""
        for number in _SIGNALS:
            signal.signal(number, self._pass_on)
        for _ in range(self._count):
            self._start()
        while self._workers:
            processes = {process.sentinel: process for process, _ in self._workers.values()}
            ended = multiprocessing.connection.wait(list(processes), timeout=_PATIENCE_SECONDS)
            self._catch_up()
            for sentinel in ended:
                self._replace(processes[sentinel])  # type: ignore[index]
        return 0

    def _catch_up(self) -> None:
        if self._reload_due:
            self._reload_due = False
            self._reload()

    def _start(self) -> None:
        # A signal waits until the worker is known here, and there until it has a handler of its own.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if self._stopping:
                return
            self._catch_up()
            process = self._context.Process(target=self._run_worker)
            process.start()
            assert process.pid is not None  # noqa: S101 - it has been started
            self._workers[process.pid] = (process, time.monotonic())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _run_worker(self) -> None:
        os.close(self._held)
        # A group of its own: Ctrl-C then comes once, by way of the supervisor; twice would mean at once.
        os.setpgrp()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # SIGHUP stays blocked until the server listens to it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        os._exit(self._work(self._lifeline))

    def _replace(self, process: multiprocessing.process.BaseProcess) -> None:
        process.join()
        assert process.pid is not None  # noqa: S101 - it has been started
        _, started_at = self._workers.pop(process.pid)
        if self._stopping:
            return
        log.error("worker %d ended with %s; starting another", process.pid, process.exitcode)
        if time.monotonic() - started_at < RESTART_SECONDS:
            time.sleep(RESTART_SECONDS)
        self._start()

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload_due = True
        else:
            self._stopping = True
            # No worker comes after this; once the last has closed the socket, whoever connects is refused at once.
            self._listener.close()
        for pid in list(self._workers):
            # One that has ended may be gone before it is taken off the list.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
