"""Memory and start: what a gateway takes when idle, under load and after it, and whether it grows.

The cold start and the idle memory were read when the rig started the target, before anything else was asked of it.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import _wrk
from bench._behaviors import INSTANT
from bench._machine import ROOT
from bench._plan import Plan
from bench._processes import Child
from bench._results import Footprint, Growth
from bench._rig import Rig, Running
from bench._statistics import bucket_medians, fit_line
from bench._targets import COMPILED, installed_mib
from bench.scenarios.closed import HEADLINE_CONNECTIONS

REST_SECONDS = 2.0
"""How long after the load the memory is read again."""

SAMPLE_SECONDS = 0.1
STRETCHES = 10
"""Growth is judged by the medians of so many equal stretches: single samples move together, and would make any line
look certain."""


class MemorySampler:
    """Reads a target's memory in a thread while something else loads it. A context manager.

    `samples` holds `(seconds since it began, MiB)`.
    """

    def __init__(self, child: Child) -> None:
        self.samples: list[tuple[float, float]] = []
        self._child = child
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "MemorySampler":
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.samples.append((time.monotonic() - self._start, self._child.rss_mib()))


def footprint(rig: Rig, plan: Plan, own_install_mib: Callable[[], float] | None) -> list[Footprint]:
    """Load every target that is a program; `own_install_mib` says how large Headgate's own installation is.

    Without wrk there is no load, and the members about it stay None.
    """
    rows = []
    for running in rig.running:
        if running.child is None:
            continue
        row = Footprint(running.name, round(running.cold_start, 3), round(running.idle_rss_mib, 1))
        if _wrk.available():
            running.settle()
            with MemorySampler(running.child) as sampler:
                _wrk.load(running.request(INSTANT), HEADLINE_CONNECTIONS, plan.footprint_seconds, rig.directory)
            row.loaded_rss_mib = round(max((mib for _, mib in sampler.samples), default=0.0), 1)
            time.sleep(REST_SECONDS)
            row.after_rss_mib = round(running.child.rss_mib(), 1)
        row.install_mib = _install_mib(running, own_install_mib)
        rows.append(row)
    return rows


def growth(rig: Rig, running: Running, minutes: float) -> Growth:
    """Load one target for `minutes`, after a tenth of that as warm-up, and fit a line through its memory.

    Raises `RuntimeError` when wrk is missing or fails, `ValueError` for a target that is no program.
    """
    if not _wrk.available():
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    if running.child is None:
        raise ValueError(f"{running.name} is no program whose memory could grow")
    request = running.request(INSTANT)
    _wrk.load(request, HEADLINE_CONNECTIONS, max(minutes * 6, 1), rig.directory)
    with MemorySampler(running.child) as sampler:
        seen = _wrk.load(request, HEADLINE_CONNECTIONS, max(minutes * 60, 1), rig.directory)
    return summarize_growth(running.name, minutes, seen, sampler.samples)


def summarize_growth(target: str, minutes: float, seen: _wrk.Load, samples: Sequence[tuple[float, float]]) -> Growth:
    """Take the medians of equal stretches, in minutes, and the line through them."""
    in_minutes = [(seconds / 60, mib) for seconds, mib in samples if seconds < minutes * 60]
    medians = bucket_medians(in_minutes, minutes / STRETCHES)
    line = fit_line(medians)
    return Growth(
        target=target,
        minutes=minutes,
        requests_per_second=round(seen.requests_per_second, 1),
        errors=seen.errors,
        medians_mib=[(round(minute, 3), round(mib, 2)) for minute, mib in medians],
        slope_mib_per_minute=round(line.slope, 4),
        slope_error=round(line.slope_error, 4),
    )


def install_headgate_mib() -> float:
    """Install this checkout with pip into a fresh environment and return its size, pip itself included.

    It is compiled where the Headgate that is measured is.

    Raises `subprocess.SubprocessError` when pip fails or takes longer than ten minutes.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as directory:
        venv.create(directory, with_pip=True)
        python = str(Path(directory) / "bin" / Path(sys.executable).name)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        environment = {**os.environ, "HATCH_BUILD_HOOKS_ENABLE": "1"} if COMPILED.exists() else None
        subprocess.run([*pip, str(ROOT)], check=True, timeout=600, env=environment)
        return installed_mib(Path(directory))


def _install_mib(running: Running, own_install_mib: Callable[[], float] | None) -> float | None:
    directory = running.target.install_directory
    if directory is not None:
        return round(installed_mib(directory), 1)
    if running.name == "headgate" and own_install_mib is not None:
        return round(own_install_mib(), 1)
    return None
