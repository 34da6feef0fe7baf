"""What a run measures, as it is written to JSON. Names end with the unit: seconds, ms, us, bytes or MiB."""

from pathlib import Path

import msgspec

SCHEMA = 1
"""Raised when the meaning of a member changes, so that an old file is refused and not misread."""


class Machine(msgspec.Struct):
    """Where the run took place. `tools` has None for what is not installed."""

    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    commit: str
    load_average: float
    noisy: bool
    pinned: bool
    tools: dict[str, str | None]


class TargetInfo(msgspec.Struct):
    """A target that took part, and what its requests went through."""

    name: str
    version: str
    setup: str


class Skipped(msgspec.Struct):
    """Something that was not measured, and why."""

    what: str
    why: str


class Unloaded(msgspec.Struct):
    """One connection, one request at a time, beside a direct one. Added is target minus direct."""

    target: str
    samples: int
    p50_ms: float
    p99_ms: float
    added_p50_ms: float
    added_p99_ms: float
    added_round_medians_ms: list[float]


class Closed(msgspec.Struct):
    """A closed loop: as many requests under way as there are connections. `errors` are all answers that are not 2xx
    and all failures of the connection. `cpu_us_per_request` is the target's own processor time.
    """

    target: str
    connections: int
    request_bytes: int
    answer_bytes: int
    seconds: float
    requests: int
    errors: int
    requests_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    cpu_us_per_request: float | None


class Open(msgspec.Struct):
    """A fixed rate, whatever comes back; latency counts from the moment at which the request was due.

    `p50_ms` and `p99_ms` are of the requests that were answered within the timeout, None when there were none.
    """

    target: str
    rate: int
    seconds: float
    due: int
    answered: int
    errors: int
    timeouts: int
    p50_ms: float | None
    p99_ms: float | None


class StreamRate(msgspec.Struct):
    """Streams one after the other on each connection. `upstream_requests` is what the mock counted meanwhile."""

    target: str
    connections: int
    seconds: float
    deltas: int
    streams: int
    failed: int
    lost_deltas: int
    upstream_requests: int
    streams_per_second: float


class StreamHold(msgspec.Struct):
    """Streams held at the same time. Time to first token and gaps are None when no stream brought any."""

    target: str
    concurrent: int
    seconds: float
    deltas: int
    streams: int
    failed: int
    lost_deltas: int
    first_token_p50_ms: float | None
    first_token_p99_ms: float | None
    gap_p50_ms: float | None
    gap_p99_ms: float | None


class Footprint(msgspec.Struct):
    """Time from start to the first answered completion; resident memory before, at most during, and after load."""

    target: str
    cold_start_seconds: float
    idle_rss_mib: float
    loaded_rss_mib: float | None = None
    after_rss_mib: float | None = None
    install_mib: float | None = None


class Growth(msgspec.Struct):
    """Resident memory over a longer load: medians of equal stretches, and the straight line through them.

    `minutes` is the time that the line covers, after a warm-up; `slope_error` is half of its 95 % interval.
    """

    target: str
    minutes: float
    requests_per_second: float
    errors: int
    medians_mib: list[tuple[float, float]]
    slope_mib_per_minute: float
    slope_error: float


class Results(msgspec.Struct):
    """A whole run."""

    schema: int
    started: str
    profile: str
    machine: Machine
    duration_seconds: float = 0.0
    targets: list[TargetInfo] = []
    skipped: list[Skipped] = []
    unloaded: list[Unloaded] = []
    frontier: list[Closed] = []
    payloads: list[Closed] = []
    open_loop: list[Open] = []
    stream_rate: list[StreamRate] = []
    stream_hold: list[StreamHold] = []
    footprint: list[Footprint] = []
    growth: list[Growth] = []
    ratios: dict[str, float] = {}


def write(results: Results, path: Path) -> None:
    """Write the results as indented JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")


def read(path: Path) -> Results:
    """Read what `write` wrote.

    Raises `ValueError` for a file of another schema or form, in words that name the file.
    """
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is not a result of this benchmark: {error}") from error
    if results.schema != SCHEMA:
        raise ValueError(f"{path} has schema {results.schema}; this version reads {SCHEMA}: measure again")
    return results
