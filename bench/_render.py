"""`docs/benchmarks.md` and its charts, made from one result: the same result always gives the same bytes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench._charts import Bar, bar_chart, line_chart
from bench._goals import P99_BOUNDS_MS, best_within, goals, headline
from bench._results import Closed, Results
from bench.scenarios.closed import HEADLINE_CONNECTIONS

_HOW_TO_READ = """\
Everything runs on one machine: the driver, the mock upstream and the gateway share its cores and talk over loopback
without TLS. So a gateway is charged for the processor time that the driver and the mock take from it, the mock answers
faster than any model, and absolute figures hold for this machine only. What carries over are ratios and differences
within one run; `direct` (no gateway) and `nginx` (a reverse proxy that checks nothing) say what was possible.
The gateways do not all do the same work for a request; the table of targets says what each does.

<!-- not executed: takes minutes, and installs the peers from the network -->
```sh
make bench-peers                  # LiteLLM, Portkey and TensorZero, each into its own prefix under .peers/
make bench ARGS=--quick           # a look in under three minutes
make bench ARGS='--soak --install-size'   # everything, about 40 minutes; rewrites this page
python -m bench --render-from bench/results/NAME.json   # this page from a stored result
```

nginx and wrk come from the distribution (`apt-get install nginx-light wrk`). What is not installed is skipped and
named at the end of this page."""


def render(results: Results, page: Path) -> None:
    """Write the page, and its charts into the directory beside it that has the page's name without suffix."""
    drawings = page.with_suffix("")
    drawings.mkdir(parents=True, exist_ok=True)
    pictures = charts(results)
    for stale in drawings.glob("*.svg"):
        if stale.stem not in pictures:
            stale.unlink()
    for name, picture in pictures.items():
        (drawings / f"{name}.svg").write_text(picture)
    page.write_text(document(results, drawings.name, set(pictures)))


def charts(results: Results) -> dict[str, str]:
    """Return the charts that the result has numbers for, by name."""
    pictures = {}
    if rows := headline(results):
        bars = [Bar(name, row.requests_per_second, f"{row.requests_per_second:,.0f}") for name, row in rows.items()]
        pictures["headline"] = bar_chart(f"Requests per second, unary, {HEADLINE_CONNECTIONS} connections", bars)
    if frontier := _series(results.frontier):
        title = "Throughput over concurrency"
        pictures["frontier"] = line_chart(title, "connections", "requests/s", frontier, logarithmic=True)
    if added := [row for row in results.unloaded if row.target != "direct"]:
        bars = [Bar(row.target, row.added_p50_ms, f"{row.added_p50_ms:.3f} ms") for row in added]
        pictures["unloaded"] = bar_chart("Latency added at one connection, median", bars)
    if whole := [row for row in results.stream_rate if not row.failed and not row.lost_deltas]:
        bars = [Bar(row.target, row.streams_per_second, f"{row.streams_per_second:,.0f}") for row in whole]
        pictures["streams"] = bar_chart("Streams of 100 deltas per second", bars)
    if grown := {row.target: row.medians_mib for row in results.growth if row.medians_mib}:
        pictures["growth"] = line_chart("Resident memory under load", "minutes", "MiB", grown, logarithmic=False)
    return pictures


def document(results: Results, drawings: str, pictures: set[str]) -> str:
    """Return the page as Markdown."""

    def picture(name: str, text: str) -> list[str]:
        return [f"![{text}]({drawings}/{name}.svg)", ""] if name in pictures else []

    sections = [
        ["# Benchmarks", "", "Rendered from one result; do not edit.", "", *_machine(results), "", _HOW_TO_READ, ""],
        ["## What it must reach", "", *_goals(results)],
        [
            "## Targets",
            "",
            *_table(
                ("target", "version", "what a request goes through"),
                [(one.name, one.version, one.setup) for one in results.targets],
                align="---",
            ),
        ],
        ["## Unloaded", "", *picture("unloaded", "Latency added at one connection"), *_unloaded(results)],
        [
            "## Throughput",
            "",
            *picture("headline", "Requests per second"),
            *picture("frontier", "Throughput"),
            *_frontier(results),
        ],
        ["## Payload sizes", "", *_payloads(results)],
        ["## Fixed rates", "", *_open_loop(results)],
        ["## Streaming", "", *picture("streams", "Streams per second"), *_streaming(results)],
        ["## Footprint", "", *_footprint(results), *picture("growth", "Resident memory under load")],
        ["## Not measured", "", *([f"- {one.what}: {_cell(one.why)}" for one in results.skipped] or ["Nothing."]), ""],
    ]
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _machine(results: Results) -> list[str]:
    machine = results.machine
    pinning = "gateway pinned to one core, driver and mock to another" if machine.pinned else "nothing pinned"
    tools = ", ".join(f"{name} {version or 'not installed'}" for name, version in sorted(machine.tools.items()))
    lines = [
        f"Run of {results.started}, commit `{machine.commit}`, profile {results.profile},"
        f" {results.duration_seconds / 60:.0f} minutes.",
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_mib / 1024:.0f} GiB, Linux {machine.kernel},"
        f" Python {machine.python}, {tools}; {pinning}.",
    ]
    if machine.noisy:
        lines.append(f"**Noisy: the load average was {machine.load_average} before the run began.**")
    return lines


def _goals(results: Results) -> list[str]:
    verdicts = {True: "met", False: "**missed**", None: "not measured"}
    rows = [(goal.subject, goal.bound, goal.measured or "-", verdicts[goal.met]) for goal in goals(results)]
    note = "One worker, key checked. Ratios are of throughput, Headgate over the other."
    return [note, "", *_table(("", "must be", "is", ""), rows, align="---")]


def _unloaded(results: Results) -> list[str]:
    note = (
        "One connection, one request at a time, each target once per iteration in random order beside a direct request."
        " Added is target minus direct, pair by pair; the median is that of the rounds' medians."
    )
    rows = [
        (
            row.target,
            str(row.samples),
            f"{row.p50_ms:.3f}",
            f"{row.p99_ms:.3f}",
            f"{row.added_p50_ms:.3f}",
            f"{row.added_p99_ms:.3f}",
        )
        for row in results.unloaded
    ]
    return [note, "", *_table(("target", "samples", "p50 ms", "p99 ms", "added p50 ms", "added p99 ms"), rows)]


def _frontier(results: Results) -> list[str]:
    note = (
        "Closed loop with wrk, instant upstream, 0.2 KB in and 0.25 KB out. wrk waits for an answer before it sends the"
        " next request, so its latencies leave out what would have queued. Requests per second:"
    )
    connections = sorted({row.connections for row in results.frontier})
    by_key = {(row.target, row.connections): row for row in results.frontier}
    names = _names(results.frontier)
    counts = [(name, *(_rate(by_key.get((name, number))) for number in connections)) for name in names]
    head = headline(results)
    details = [
        (name, _rate(row), f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}", _number(row.cpu_us_per_request, 0))
        for name, row in head.items()
    ]
    bounds = [
        (name, *(_number(best_within(results.frontier, name, bound), 0) for bound in P99_BOUNDS_MS)) for name in names
    ]
    return [
        note,
        "",
        *_table(("target", *(f"c={number}" for number in connections)), counts),
        f"At {HEADLINE_CONNECTIONS} connections, with the target's own processor time:",
        "",
        *_table(("target", "requests/s", "p50 ms", "p99 ms", "CPU µs per request"), details),
        "Highest requests per second with a 99th percentile within a bound:",
        "",
        *_table(("target", *(f"p99 ≤ {bound:g} ms" for bound in P99_BOUNDS_MS)), bounds),
    ]


def _payloads(results: Results) -> list[str]:
    shapes = list(dict.fromkeys((row.request_bytes, row.answer_bytes) for row in results.payloads))
    by_key = {(row.target, row.request_bytes, row.answer_bytes): row for row in results.payloads}
    rows = [(name, *(_rate(by_key.get((name, *shape))) for shape in shapes)) for name in _names(results.payloads)]
    heads = (f"{_size(question)} in, {_size(reply)} out" for question, reply in shapes)
    note = f"Requests per second, {HEADLINE_CONNECTIONS} connections, instant upstream."
    return [note, "", *_table(("target", *heads), rows)]


def _open_loop(results: Results) -> list[str]:
    note = (
        "The upstream takes 60 ms; requests are sent at their moment whatever the ones before them do, and latency"
        " counts from that moment. A target that left more than half unanswered within a second is not asked for more."
    )
    rows = [
        (
            row.target,
            str(row.rate),
            f"{row.answered} of {row.due}",
            str(row.errors),
            str(row.timeouts),
            _number(row.p50_ms, 2),
            _number(row.p99_ms, 2),
        )
        for row in results.open_loop
    ]
    heads = ("target", "rate /s", "answered", "errors", "timeouts", "p50 ms", "p99 ms")
    return [note, "", *_table(heads, rows)]


def _streaming(results: Results) -> list[str]:
    rates = [
        (row.target, f"{row.streams_per_second:,.0f}", str(row.failed), str(row.lost_deltas))
        for row in results.stream_rate
    ]
    direct = {row.concurrent: row for row in results.stream_hold if row.target == "direct"}
    held = []
    for row in results.stream_hold:
        base = direct.get(row.concurrent)
        added = None
        if base is not None and base.first_token_p50_ms is not None and row.first_token_p50_ms is not None:
            added = row.first_token_p50_ms - base.first_token_p50_ms
        held.append(
            (
                row.target,
                str(row.concurrent),
                str(row.streams),
                str(row.failed),
                str(row.lost_deltas),
                _number(row.first_token_p50_ms, 1),
                _number(added, 1),
                _number(row.gap_p99_ms, 1),
            )
        )
    heads = ("target", "held", "whole", "failed", "lost deltas", "first token p50 ms", "added ms", "gap p99 ms")
    return [
        "Streams of 100 deltas, 32 at a time, the mock writing each delta by itself and without pause:",
        "",
        *_table(("target", "streams/s", "failed", "lost deltas"), rates),
        "Streams of 64 deltas, 20 ms apart, held at the same time. The first delta leaves the mock after 20 ms."
        " A target that lost one is not asked for more:",
        "",
        *_table(heads, held),
    ]


def _footprint(results: Results) -> list[str]:
    rows = [
        (
            row.target,
            f"{row.cold_start_seconds:.2f}",
            f"{row.idle_rss_mib:.0f}",
            _number(row.loaded_rss_mib, 0),
            _number(row.after_rss_mib, 0),
            _number(row.install_mib, 0),
        )
        for row in results.footprint
    ]
    heads = ("target", "cold start s", "idle MiB", "under load MiB", "after MiB", "installed MiB")
    note = (
        "Resident memory of all processes of a target; pages that they share count for each. Environments include pip."
    )
    growth = [
        f"Growth of {row.target} over {row.minutes:g} minutes at {row.requests_per_second:,.0f} requests/s:"
        f" {row.slope_mib_per_minute:+.3f} ± {row.slope_error:.3f} MiB per minute (95 %)."
        for row in results.growth
    ]
    return [note, "", *_table(heads, rows), *(part for line in growth for part in (line, ""))]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "--:") -> list[str]:
    """Return a table; `align` is for all columns but the first."""
    body = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not body:
        return ["Not measured in this run.", ""]
    return ["| " + " | ".join(head) + " |", f"|---|{f'{align}|' * (len(head) - 1)}", *body, ""]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _names(rows: Iterable[Closed]) -> list[str]:
    return list(dict.fromkeys(row.target for row in rows))


def _series(rows: Sequence[Closed]) -> Mapping[str, list[tuple[float, float]]]:
    """Return throughput over connections for each target with at least two counted points."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row.connections):
        if not row.errors and row.requests_per_second > 0:
            series.setdefault(row.target, []).append((float(row.connections), row.requests_per_second))
    return {name: points for name, points in series.items() if len(points) > 1}


def _rate(row: Closed | None) -> str:
    if row is None:
        return "-"
    return f"{row.errors} errors" if row.errors else f"{row.requests_per_second:,.0f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _size(number: int) -> str:
    return f"{number / 1024:g} KB" if number >= 1024 else f"{number / 1000:g} KB"
