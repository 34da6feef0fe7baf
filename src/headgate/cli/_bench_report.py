"""What `headgate bench` shows: the benchmark guide's table with what was measured, or the same as JSON."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import typer

from headgate.deploy.load import (
    GOALS,
    Distribution,
    Endpoint,
    ErrorCount,
    Goal,
    Load,
    Measurement,
    Progress,
    Verdict,
    judge,
)

_COLUMNS = ("tasks", "workers", "requests/s", "median ms", "p95 ms", "p99 ms", "overhead ms")
_OVERHEAD = "overhead"


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tested, how, and with which goal; `max_errors` is a share, 0 to 1."""

    load: Load
    target: Endpoint
    direct: Endpoint | None
    tasks: int | None
    workers: int | None
    goal: Goal | None
    max_errors: float

    def verdicts(self, measured: Measurement) -> tuple[Verdict, ...]:
        """Return what was measured beside what it has to be; nothing without a goal."""
        return () if self.goal is None else judge(measured, self.goal)


@contextmanager
def show_progress(trial: Trial, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Give what shows how far a test is, on a terminal's standard error; the line is gone at the end."""
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return

    def show(progress: Progress) -> None:
        errors = f", {progress.errors:,} errors" if progress.errors else ""
        counts = f", {progress.answered:,} answers{errors}" if progress.phase == "measuring" else ""
        sys.stderr.write(f"\r\033[K{progress.phase} {progress.elapsed:.0f} of {progress.seconds:.0f} s{counts}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\033[K")


def as_text(trial: Trial, measured: Measurement) -> str:
    """Return a result for eyes."""
    if not measured.seconds:
        return f"{_what(trial)}\n\nNothing was measured: it ended in the warm-up ({_ENDED[measured.ended_by]})."
    verdicts = {verdict.name: verdict for verdict in trial.verdicts(measured)}
    rows = [("", *_COLUMNS), ("measured", *_sizes(trial), *_figures(measured))]
    if trial.goal is not None:
        goal = trial.goal
        rows += [("goal", str(goal.tasks), str(goal.workers), *_bounds(verdicts)), ("", "", "", *_passed(verdicts))]
    *table, last = _aligned(rows)
    return "\n".join([_what(trial), "", *table, _colored(last), "", *_notes(trial, measured)])


def as_data(trial: Trial, measured: Measurement) -> dict[str, Any]:
    """Return a result as JSON has it. Latencies are in milliseconds."""
    overhead = measured.overhead or measured.added
    source = "header" if measured.overhead else "direct" if measured.added else None
    return {
        "target": str(trial.target),
        "direct": None if trial.direct is None else str(trial.direct),
        "tasks": trial.tasks,
        "workers": trial.workers,
        "load": asdict(trial.load),
        "seconds": measured.seconds,
        "requests": measured.requests,
        "requests_per_second": measured.requests_per_second,
        "latency": _data(measured.latency),
        "first_token": _data(measured.first_token),
        "overhead": _data(overhead),
        "overhead_source": source,
        "added": _data(measured.added),
        "direct_latency": _data(measured.direct),
        "error_share": measured.error_share,
        "max_error_share": trial.max_errors,
        "errors": [asdict(one) for one in measured.errors],
        "direct_errors": [asdict(one) for one in measured.direct_errors],
        "unfinished": measured.unfinished,
        "unsent": measured.unsent,
        "ended_by": measured.ended_by,
        "generator_processor_share": measured.processor_share,
        "goals": [{**asdict(verdict), "passed": verdict.passed} for verdict in trial.verdicts(measured)],
    }


_ENDED = {
    "interrupt": "Ctrl-C",
    "requests": "all the requests that --requests allows were sent",
    "duration": "its time was over",
}


def _what(trial: Trial) -> str:
    load = trial.load
    if load.rate is not None:
        how = f"{load.rate:g} requests a second over {load.users:,} connections at most"
    else:
        least, most = load.think
        how = f"{load.users:,} users" + (
            f", {least:g} to {most:g} s between two requests" if most else " without pause"
        )
    kind = "streams" if load.stream else "whole answers"
    return f"{trial.target}, model {load.model}, {kind}\n{how}, prompts of {load.prompt_bytes:,} bytes"


def _sizes(trial: Trial) -> tuple[str, str]:
    tasks, workers = ("-" if number is None else str(number) for number in (trial.tasks, trial.workers))
    return tasks, workers


def _figures(measured: Measurement) -> tuple[str, ...]:
    latency = measured.latency
    return (
        f"{measured.requests_per_second:,.1f}",
        *(("-", "-", "-") if latency is None else _percentiles(latency)),
        _joined(measured.overhead or measured.added),
    )


def _bounds(verdicts: dict[str, Verdict]) -> list[str]:
    texts = []
    for column in _COLUMNS[2:]:
        found = _of(column, verdicts)
        texts.append(" / ".join(f"{verdict.bound:,.0f}" for verdict in found) or "-")
    return texts


def _passed(verdicts: dict[str, Verdict]) -> list[str]:
    texts = []
    for column in _COLUMNS[2:]:
        found = _of(column, verdicts)
        well = all(verdict.passed for verdict in found)
        texts.append(("pass" if well else "fail") if found else "")
    return texts


def _of(column: str, verdicts: dict[str, Verdict]) -> list[Verdict]:
    if column.startswith(_OVERHEAD):
        return [verdict for name, verdict in verdicts.items() if name.startswith(_OVERHEAD)]
    return [verdicts[column]] if column in verdicts else []


def _notes(trial: Trial, measured: Measurement) -> Iterator[str]:
    errors = sum(one.count for one in measured.errors)
    share = f"{measured.error_share:.2%}, {trial.max_errors:.2%} at most"
    yield f"{measured.requests:,} requests in {measured.seconds:,.1f} s, {errors:,} errors ({share})"
    yield from _listed(measured.errors)
    if measured.first_token is not None:
        yield f"first token: {_named(measured.first_token)}"
    if measured.overhead is not None:
        yield "overhead: what the target says of itself; waiting before it begins with a request is not in it"
    if measured.added is not None:
        yield f"added, request by request beside a direct one: {_named(measured.added)}"
    if measured.direct is not None:
        yield f"direct: {_named(measured.direct)}"
    if measured.direct_errors:
        yield f"direct errors: {sum(one.count for one in measured.direct_errors):,}"
        yield from _listed(measured.direct_errors)
    if measured.overhead is None and measured.added is None:
        yield "overhead: the target does not tell it; --direct URL of its upstream measures it"
    if trial.goal is None:
        known = ", ".join(str(goal.tasks) for goal in GOALS)
        yield f"no goals: the benchmark guide has them for {known} tasks; say with --tasks or --env how many these are"
    if measured.ended_by != "duration":
        left = f"; {measured.unfinished:,} requests were still open" if measured.unfinished else ""
        yield f"ended early: {_ENDED[measured.ended_by]}{left}"
    if measured.generator_was_busy:
        behind = f", {measured.unsent:,} requests behind at the end" if measured.unsent else ""
        yield (
            f"warning: this machine was busy with asking ({measured.processor_share:.0%} of a core{behind}): the target"
            " may be faster than this; ask with several, or from a faster one"
        )


def _listed(errors: Sequence[ErrorCount]) -> Iterator[str]:
    for one in errors:
        yield f"  {one.count:,} x {one.error}: {one.sentence}"


def _percentiles(found: Distribution) -> tuple[str, str, str]:
    return _shown(found.median), _shown(found.p95), _shown(found.p99)


def _joined(found: Distribution | None) -> str:
    return "-" if found is None else " / ".join(_percentiles(found))


def _named(found: Distribution) -> str:
    median, p95, p99 = _percentiles(found)
    return f"median {median} ms, p95 {p95} ms, p99 {p99} ms"


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if abs(milliseconds) < 100 else f"{milliseconds:,.0f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *cells in rows:
        right = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return lines


def _colored(line: str) -> str:
    """Color a line's words; once they are aligned, since colors take room that is not seen."""
    for word, color in (("pass", typer.colors.GREEN), ("fail", typer.colors.RED)):
        line = line.replace(word, typer.style(word, fg=color))
    return line


def _data(found: Distribution | None) -> dict[str, float] | None:
    return None if found is None else asdict(found)
