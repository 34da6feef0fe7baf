"""The supervisor of several workers, as far as it can be seen without workers."""

import signal
import socket
from multiprocessing.process import BaseProcess

import pytest

from headgate.gateway._supervisor import Supervisor


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_every_worker_though_one_has_just_ended(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    told = []

    def kill(pid: int, signal_number: int) -> None:
        if pid == 1:
            raise ProcessLookupError
        told.append((pid, signal_number))

    monkeypatch.setattr("headgate.gateway._supervisor.os.kill", kill)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        supervisor = Supervisor(listener, lambda _: 0, lambda: None, 2)
        supervisor._workers = {pid: (BaseProcess(), 0.0) for pid in (1, 2)}
        supervisor._pass_on(number, None)
    assert told == [(2, number)]
