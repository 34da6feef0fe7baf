"""`python -m bench`: measure, write JSON, render the page. See `--help`."""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import _machine, _results
from bench._goals import goals, ratios
from bench._plan import FULL, QUICK, SCENARIOS, Plan, estimated_seconds
from bench._processes import StartError
from bench._render import render
from bench._results import Results, Skipped, TargetInfo
from bench._rig import Cores, Rig
from bench._targets import TARGETS, Target
from bench.scenarios import closed, footprint, open_loop, streaming, unloaded

PAGE = _machine.ROOT / "docs" / "benchmarks.md"
RESULTS = _machine.ROOT / "bench" / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.render_from is not None:
        try:
            render(_results.read(options.render_from), PAGE)
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            return 2
        print(f"rendered {PAGE}")
        return 0
    plan = QUICK if options.quick else FULL
    if options.samples is not None:
        plan = plan._replace(unloaded_samples=-(-options.samples // plan.unloaded_rounds))
    plan = plan._replace(soak_minutes=10.0 if options.soak else 0.0)
    machine = _machine.describe(pinned=options.pin, maximum_load=options.max_load)
    if machine.noisy and options.refuse_noisy:
        print(f"the load average is {machine.load_average}, above {options.max_load:g}: not measuring", file=sys.stderr)
        return 3
    now = datetime.now(UTC)
    results = Results(_results.SCHEMA, now.isoformat(timespec="seconds"), plan.profile, machine)
    _raise_file_limit()
    # SIGTERM unwinds like Ctrl-C, so that every program that was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _run(results, plan, options)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    path = options.output or RESULTS / f"{now:%Y-%m-%d}-{plan.profile}.json"
    _results.write(results, path)
    print(f"wrote {path} after {results.duration_seconds:.0f} s")
    whole = plan.profile == "full" and options.scenario is None and len(set(options.targets)) == len(TARGETS)
    if options.render or whole:
        render(results, PAGE)
        print(f"rendered {PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Headgate beside nginx and its peers.")
    parser.add_argument("--quick", action="store_true", help="a look in under three minutes instead of some 25")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be given again")
    parser.add_argument("--targets", nargs="+", choices=names, default=names, help="only these (default: all)")
    parser.add_argument("--output", type=Path, help="the JSON file (default: bench/results/DATE-PROFILE.json)")
    parser.add_argument("--render", action="store_true", help="render docs/benchmarks.md (a whole run always does)")
    parser.add_argument("--render-from", type=Path, metavar="JSON", help="measure nothing, render this result")
    parser.add_argument("--samples", type=_positive, help="unloaded requests per target (full: 2002, quick: 175)")
    parser.add_argument("--soak", action="store_true", help="load headgate for ten more minutes and fit its memory")
    parser.add_argument(
        "--install-size", action="store_true", help="install headgate into a fresh environment to size it"
    )
    parser.add_argument(
        "--pin", action="store_true", help="gateways on one core, mocks and driver on another (taskset)"
    )
    parser.add_argument("--max-load", type=float, default=0.7, help="a load average above this marks the run as noisy")
    parser.add_argument("--refuse-noisy", action="store_true", help="measure nothing above --max-load; exit code 3")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _run(results: Results, plan: Plan, options: argparse.Namespace) -> None:
    started = time.monotonic()
    scenarios = tuple(name for name in SCENARIOS if options.scenario is None or name in options.scenario)
    chosen: list[Target] = [target for target in TARGETS if target.name in options.targets]
    minutes = estimated_seconds(plan, scenarios, len(chosen)) / 60
    print(f"{plan.profile} run of {', '.join(scenarios)}: about {minutes:.0f} minutes", flush=True)
    cores = _cores() if options.pin else Cores()
    own_install = footprint.install_headgate_mib if options.install_size else None
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, Rig(Path(directory), cores) as rig:
        for line in rig.start(chosen, rig.start_mocks()):
            print(line, flush=True)
        results.targets = [TargetInfo(one.name, one.target.version(), one.target.setup) for one in rig.running]
        for name in scenarios:
            print(f"{name} ...", flush=True)
            _measure(name, results, rig, plan, own_install)
        if plan.soak_minutes:
            print("soak ...", flush=True)
            _soak(results, rig, plan)
        results.skipped += rig.skipped
    results.ratios = ratios(results)
    results.duration_seconds = round(time.monotonic() - started, 1)
    for goal in goals(results):
        verdict = {True: "met", False: "MISSED", None: "not measured"}[goal.met]
        print(f"{verdict:>12}  {goal.subject}: {goal.measured or '-'} ({goal.bound})")


def _measure(name: str, results: Results, rig: Rig, plan: Plan, own_install: Callable[[], float] | None) -> None:
    """Run one scenario; what keeps it from running is noted in the result and does not stop the others."""
    try:
        match name:
            case "unloaded":
                results.unloaded = unloaded.measure(rig, plan)
            case "frontier":
                results.frontier = closed.frontier(rig, plan)
            case "payloads":
                results.payloads = closed.payloads(rig, plan)
            case "open_loop":
                results.open_loop = open_loop.measure(rig, plan)
            case "streaming":
                results.stream_rate = streaming.rate(rig, plan)
                results.stream_hold = streaming.hold(rig, plan)
            case _:
                results.footprint = footprint.footprint(rig, plan, own_install)
    except (OSError, RuntimeError, ValueError) as error:
        results.skipped.append(Skipped(name, str(error)))
        print(f"{name} skipped: {error}", file=sys.stderr)


def _soak(results: Results, rig: Rig, plan: Plan) -> None:
    for running in rig.running:
        if running.name == "headgate":
            try:
                results.growth = [footprint.growth(rig, running, plan.soak_minutes)]
            except (RuntimeError, ValueError) as error:
                results.skipped.append(Skipped("growth", str(error)))


def _cores() -> Cores:
    """Share the cores out: the first for the gateways, the second for the driver (this process) and the mocks."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2 or _machine.find_tool("taskset") is None:
        raise StartError("--pin needs two cores and taskset: apt-get install util-linux")
    os.sched_setaffinity(0, available[1:2])
    return Cores(gateway=available[:1], driver=available[1:2])


def _raise_file_limit() -> None:
    """Allow as many open sockets as the system does; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
