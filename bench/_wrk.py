"""Closed-loop load with wrk, which writes requests from a table and so costs the shared cores little."""

import os
import subprocess
from pathlib import Path

import msgspec

from bench._client import Request
from bench._machine import find_tool

_SCRIPT = Path(__file__).with_name("load.lua")
_MARK = "BENCH "


class Load(msgspec.Struct):
    """What wrk saw. `errors` counts answers that are not 2xx or 3xx and failed reads, writes, connects and timeouts."""

    requests: int
    errors: int
    duration_us: int
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float

    @property
    def requests_per_second(self) -> float:
        """Answers without an error, per second."""
        return max(self.requests - self.errors, 0) * 1e6 / self.duration_us


def available() -> bool:
    """Whether wrk is installed."""
    return find_tool("wrk") is not None


def load(request: Request, connections: int, seconds: float, directory: Path) -> Load:
    """Keep `connections` requests under way for `seconds` (whole ones, wrk knows no others).

    Raises `RuntimeError` when wrk fails or is still there 30 seconds after its time.
    """
    body = directory / "body.json"
    body.write_bytes(request.body)
    headers = [part for name, value in request.headers.items() for part in ("--header", f"{name}: {value}")]
    command = [
        str(find_tool("wrk")),
        *("--threads", "1", "--connections", str(connections), "--duration", f"{round(seconds)}s", "--timeout", "10s"),
        *("--script", str(_SCRIPT), *headers, f"http://127.0.0.1:{request.port}{request.path}"),
    ]
    environment = {**os.environ, "BENCH_BODY": str(body)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 30, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"wrk did not end within {seconds + 30:g} seconds") from None
    return parse(done.stdout, done.stderr)


def parse(output: str, errors: str = "") -> Load:
    """Read the line that the script prints at the end.

    Raises `RuntimeError` with what wrk said when the line is not there.
    """
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise RuntimeError(f"wrk gave no result: {(errors or output).strip()[-300:]}")
    return msgspec.json.decode(line.removeprefix(_MARK), type=Load)
