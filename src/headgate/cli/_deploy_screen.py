"""What `headgate deploy` shows and asks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.tree import Tree as RichTree

from headgate.cli._deploy_request import Request
from headgate.deploy.engine import (
    Action,
    Choice,
    Event,
    EventKind,
    ExitCode,
    Outcome,
    Plan,
    RunResult,
    Skip,
    Step,
)

_COLORS = {
    Action.CREATE: typer.colors.GREEN,
    Action.UPDATE: typer.colors.YELLOW,
    Action.REPLACE: typer.colors.YELLOW,
    Action.DELETE: typer.colors.RED,
    Action.BLOCKED: typer.colors.RED,
    Action.SKIP: typer.colors.BRIGHT_BLACK,
}
_MARKS = {Outcome.DONE: "+", Outcome.SKIPPED: "=", Outcome.BLOCKED: "!", Outcome.FAILED: "x", Outcome.INTERRUPTED: "x"}
_CHOICES = {choice.name.lower(): choice for choice in Choice} | {choice.value: choice for choice in Choice}


_TO_BE_CONTINUED = frozenset({ExitCode.FAILED, ExitCode.BLOCKED, ExitCode.INTERRUPTED})


def show_steps(request: Request, plan: Plan) -> None:
    """Show a plan: what is done with each component, its state, why, and what needs a yes."""
    width = max(len(step.name) for step in plan.steps)
    for step in plan.steps:
        action = typer.style(f"{step.change.action.value:<7}", fg=_COLORS[step.change.action])
        reason, *others = step.change.reasons or ("",)
        request.say(f"{action}  {step.name:<{width}}  {step.state.health.value:<9}  {reason}")
        for note in (*others, *(f"security: {note}" for note in step.change.security)):
            request.say(f"{'':{width + 11}}{note}")
    counts = ", ".join(f"{count} {action}" for action, count in plan.counts().items() if count)
    request.say(f"\nPlan: {counts}")
    unknown = next((step.state.reason for step in plan.steps if step.state.health.value == "unknown"), None)
    if unknown is not None:
        request.say(f"Unknown: {unknown}")
    for needed in plan.confirmations():
        request.say(f"Needs {' '.join(needed.options)}: {needed.reason}")


def show_run(request: Request, plan: Plan, result: RunResult, command: str) -> None:
    """Show how a run ended and, when it did not end well, what was in its way and how to go on."""
    counts = {outcome: sum(step.outcome is outcome for step in result.steps) for outcome in Outcome}
    request.say("\n" + ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count))
    blocked = {step.name for step in plan.blocked}
    first = {step.name for step in plan.blocked if blocked.isdisjoint(step.component.requires)}
    for step in result.steps:
        if step.outcome is Outcome.FAILED or step.component in first:
            request.say(f"\n{step.component} {step.outcome.value}: {step.message}", err=True)
    if result.exit_code in _TO_BE_CONTINUED:
        request.say(f"\nTo continue: {command}", err=True)


class Terminal:
    """A user at this terminal."""

    def __init__(self, request: Request) -> None:
        self._say = request.say

    def choose(self, step: Step, verdict: Skip, reason: str) -> Choice:
        """Ask what to do with a step on something that exists."""
        self._say(f"\n{step.name} exists: {step.change.action.value}, {'; '.join(step.change.reasons)}")
        self._say(f"  {verdict.value}: {reason}")
        while True:
            answer = typer.prompt("  [s]kip, [p]roceed, [v]iew, [a]uto-skip all healthy, [q]uit", default="p")
            if (choice := _CHOICES.get(str(answer).strip().lower())) is not None:
                return choice

    def show(self, step: Step) -> None:
        """Show everything about a step."""
        self._say(f"  state     {step.state.health.value}: {step.state.reason}")
        self._say(f"  requires  {', '.join(step.component.requires) or 'nothing'}")
        for reason in (*step.change.reasons, *step.change.security):
            self._say(f"  because   {reason}")

    def warn(self, message: str) -> None:
        """Tell something that matters."""
        self._say(f"warning: {message}", err=True)

    def agrees(self, question: str) -> bool:
        """Ask; only a yes is one."""
        return typer.confirm(question, default=False)

    def types(self, word: str, why: str) -> bool:
        """Ask for a word."""
        answer = typer.prompt(f"{why}. Type {word} to go on", default="", show_default=False)
        return str(answer).strip() == word


@contextmanager
def follow(request: Request, plan: Plan, title: str, *, live: bool) -> Iterator["Follower"]:
    """Show a run while it goes on: a tree that lives at a terminal, a line for each event elsewhere, or nothing."""
    if request.as_json:
        yield Follower()
    elif not live:
        yield Lines(request)
    else:
        tree = Tree(plan, title)
        with tree.shown():
            yield tree


class Follower:
    """Takes events and shows none of them."""

    def __call__(self, event: Event) -> None:
        """Take an event."""


class Lines(Follower):
    """A line for each event."""

    def __init__(self, request: Request) -> None:
        self._say = request.say

    def __call__(self, event: Event) -> None:
        """Write a line."""
        first = event.message.partition("\n")[0]
        word = event.kind.value if event.outcome is None else event.outcome.value
        self._say(f"{event.component}: {word}{f': {first}' if first else ''} ({event.seconds:.1f} s)")


class Tree(Follower):
    """Every step with its mark, how long it took and the last that was heard of it."""

    def __init__(self, plan: Plan, title: str) -> None:
        self._title = title
        self._lines = {step.name: ("·", "") for step in plan.steps}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Remember the event; the screen is drawn anew by its own clock."""
        mark = _MARKS.get(event.outcome, "x") if event.outcome is not None else ">"
        seconds = f"{event.seconds:.0f} s, " if event.kind is not EventKind.STARTED else ""
        with self._lock:
            self._lines[event.component] = (mark, seconds + event.message.partition("\n")[0])

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the tree on the screen."""
        from rich.live import Live

        with Live(get_renderable=self._drawn, refresh_per_second=8):
            yield

    def _drawn(self) -> "RichTree":
        from rich.text import Text
        from rich.tree import Tree as RichTree

        drawing = RichTree(self._title)
        with self._lock:
            for name, (mark, message) in self._lines.items():
                drawing.add(Text(f"{mark} {name}  {message}", no_wrap=True, overflow="ellipsis"))
        return drawing
