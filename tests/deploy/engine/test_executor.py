import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from headgate.deploy.engine import (
    DeployError,
    Event,
    EventKind,
    ExitCode,
    Graph,
    Health,
    Journal,
    LocalStore,
    Outcome,
    RunResult,
    execute,
    plan_down,
    plan_up,
)
from tests.deploy.engine.world import Clockwork, Part


class Bench:
    """A deployment with its journal; runs it and keeps the events."""

    def __init__(self, path: Path, parts: Sequence[Part]) -> None:
        self.parts = {part.name: part for part in parts}
        self.store = LocalStore(path)
        self.events: list[Event] = []

    def journal(self) -> Journal:
        return Journal(self.store, Clockwork())

    def run(self, *only: str, down: bool = False) -> RunResult:
        graph = Graph(list(self.parts.values()))
        plan = (plan_down if down else plan_up)(graph, only)
        return execute(plan, self.journal(), "headgate deploy up", self.events.append, Clockwork())


def outcomes(result: RunResult) -> dict[str, str]:
    return {step.component: step.outcome.value for step in result.steps}


def fail(change: str) -> None:
    raise DeployError("the disk is full")


def interrupt(change: str) -> None:
    raise KeyboardInterrupt


def test_everything_is_done_in_order_and_confirmed(tmp_path: Path) -> None:
    order: list[str] = []
    names = {"gateway": ("redis", "database"), "redis": ("network",), "database": ("network",), "network": ()}
    bench = Bench(tmp_path, [Part(name, requires, happens=order.append) for name, requires in names.items()])
    result = bench.run()
    assert order == ["network", "redis", "database", "gateway"]
    assert set(outcomes(result).values()) == {"done"}
    assert result.exit_code is ExitCode.DONE
    again = bench.run()
    assert set(outcomes(again).values()) == {"skipped"}
    assert again.exit_code is ExitCode.DONE
    assert len(order) == 4


def test_progress_is_told_as_it_happens(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Part("redis")])
    bench.run()
    assert [(event.kind, event.message) for event in bench.events] == [
        (EventKind.STARTED, "create"),
        (EventKind.PROGRESS, "applying redis"),
        (EventKind.ENDED, "said to be healthy"),
    ]
    assert [event.seconds for event in bench.events] == sorted(event.seconds for event in bench.events)
    assert bench.events[-1].outcome is Outcome.DONE


def test_a_failure_ends_the_run_and_the_next_one_continues(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Part("network"), Part("redis", ("network",), happens=fail), Part("gateway", ("redis",))])
    result = bench.run()
    assert outcomes(result) == {"network": "done", "redis": "failed", "gateway": "not reached"}
    assert result.exit_code is ExitCode.FAILED
    assert result.steps[1].message == "the disk is full"
    assert bench.journal().stopped_at == "redis"
    bench.parts["redis"].happens = lambda change: None
    assert outcomes(bench.run()) == {"network": "skipped", "redis": "done", "gateway": "done"}
    assert bench.parts["network"].changes == ["apply"]
    assert bench.journal().stopped_at is None


@pytest.mark.parametrize("happens", [fail, interrupt])
def test_what_ended_a_run_is_told_though_the_journal_can_not_be_written(
    happens: Callable[[str], None], tmp_path: Path
) -> None:
    def cut_off(change: str) -> None:
        bench.store.write = refuse  # type: ignore[method-assign]
        happens(change)

    def refuse(key: str, data: bytes, replaces: str | None) -> str:
        raise DeployError("The token has expired.")

    bench = Bench(
        tmp_path, [Part("network"), Part("redis", ("network",), happens=cut_off), Part("gateway", ("redis",))]
    )
    result = bench.run()
    assert outcomes(result)["network"] == "done"
    assert outcomes(result)["gateway"] == "not reached"
    assert bench.journal().stopped_at == "redis"


def test_ctrl_c_is_noted_and_the_next_run_continues(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Part("network"), Part("redis", happens=interrupt)])
    result = bench.run()
    assert outcomes(result) == {"network": "done", "redis": "interrupted"}
    assert result.exit_code is ExitCode.INTERRUPTED
    journal = bench.journal()
    assert journal.stopped_at == "redis"
    assert journal.last["steps"]["network"]["outcome"] == "done"
    bench.parts["redis"].happens = lambda change: None
    assert bench.run().exit_code is ExitCode.DONE


def test_a_process_that_dies_leaves_the_step_in_the_journal(tmp_path: Path) -> None:
    def die(change: str) -> None:
        raise SystemExit

    bench = Bench(tmp_path, [Part("network"), Part("redis", happens=die)])
    with pytest.raises(SystemExit):
        bench.run()
    assert bench.journal().stopped_at == "redis"
    assert bench.journal().last["finished"] is None


def test_done_is_only_what_reading_again_confirms(tmp_path: Path) -> None:
    result = Bench(tmp_path, [Part("redis", heals=False)]).run()
    assert outcomes(result) == {"redis": "failed"}
    assert result.steps[0].message == "It should be healthy now and is absent: said to be absent"
    gone = Bench(tmp_path, [Part("redis", health=Health.HEALTHY, heals=False)]).run(down=True)
    assert gone.exit_code is ExitCode.FAILED
    assert "should be absent now and is healthy" in gone.steps[0].message


def test_what_is_left_alone_is_read_again_before_others_build_on_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Part("redis", health=Health.HEALTHY), Part("gateway", ("redis",))])
    plan = plan_up(Graph(list(bench.parts.values())))
    bench.parts["redis"].health = Health.UNHEALTHY
    result = execute(plan, bench.journal(), "up", bench.events.append, Clockwork())
    assert outcomes(result) == {"redis": "failed", "gateway": "not reached"}


def test_what_is_blocked_is_told_and_the_rest_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [Part("redis"), Part("gateway", ("redis",)), Part("jaeger")])
    result = bench.run("gateway", "jaeger")
    assert outcomes(result) == {"gateway": "blocked", "jaeger": "done"}
    assert result.exit_code is ExitCode.BLOCKED
    assert "requires redis" in result.steps[0].message


def test_taking_down_goes_backwards_and_passes_over_what_is_gone(tmp_path: Path) -> None:
    order: list[str] = []
    parts = [
        Part("network", happens=order.append, health=Health.HEALTHY),
        Part("redis", ("network",)),
        Part("gateway", ("redis",), happens=order.append, health=Health.UNHEALTHY),
    ]
    result = Bench(tmp_path, parts).run(down=True)
    assert order == ["gateway", "network"]
    assert outcomes(result) == {"gateway": "done", "redis": "skipped", "network": "done"}
    assert result.exit_code is ExitCode.DONE


def test_the_result_is_data(tmp_path: Path) -> None:
    result = Bench(tmp_path, [Part("redis")]).run()
    assert json.loads(json.dumps(result.data())) == {
        "steps": [
            {
                "component": "redis",
                "action": "create",
                "outcome": "done",
                "seconds": pytest.approx(4, abs=2),
                "message": "said to be healthy",
            }
        ],
        "exit_code": 0,
    }


def test_a_journal_that_can_not_be_read_says_what_to_do(tmp_path: Path) -> None:
    LocalStore(tmp_path).write("journal", b"[", None)
    with pytest.raises(DeployError, match=r"Delete journal\.json"):
        Journal(LocalStore(tmp_path), Clockwork())
