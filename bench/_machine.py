"""A description of the machine and of the versions that a result belongs to."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from bench._results import Machine

ROOT = Path(__file__).resolve().parent.parent
"""The project's directory."""


def describe(*, pinned: bool, maximum_load: float) -> Machine:
    """Describe this machine now; `noisy` when more than `maximum_load` processes were running over the last minute."""
    load = os.getloadavg()[0]
    return Machine(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024),
        kernel=platform.release().partition("-")[0],
        python=platform.python_version(),
        commit=_commit(),
        load_average=round(load, 2),
        noisy=load > maximum_load,
        pinned=pinned,
        tools={"nginx": tool_version("nginx", "-v"), "wrk": tool_version("wrk", "-v")},
    )


def tool_version(name: str, flag: str) -> str | None:
    """Return the first version number that a tool prints, or None when it is not on the PATH."""
    path = find_tool(name)
    if path is None:
        return None
    done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def find_tool(name: str) -> str | None:
    """Find a program on the PATH, also where only root's has it (Debian's nginx is in /usr/sbin)."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
