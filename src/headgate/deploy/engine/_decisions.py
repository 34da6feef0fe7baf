"""From a plan to what is really done: choices, confirmations, and what holds without a terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from headgate.core.errors import ConfigurationError
from headgate.deploy.engine._component import Action, Health
from headgate.deploy.engine._errors import ConfirmationNeededError
from headgate.deploy.engine._plan import Confirmation, Plan, Step
from headgate.deploy.engine._policy import Safety, Skip

_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


class Choice(Enum):
    """What a user may say to a step on something that exists."""

    SKIP = "s"
    PROCEED = "p"
    VIEW = "v"
    AUTO = "a"
    """Skip this and every other healthy one."""
    QUIT = "q"


class Confirmer(Protocol):
    """A user at a terminal who can say yes."""

    def agrees(self, question: str) -> bool:
        """Ask a question whose answer is no unless it is a yes."""
        ...

    def types(self, word: str, why: str) -> bool:
        """Ask to type a word."""
        ...


class Asker(Confirmer, Protocol):
    """A user at a terminal who can choose as well."""

    def choose(self, step: Step, verdict: Skip, reason: str) -> Choice:
        """Ask what to do with a step; `verdict` and `reason` tell whether it may be skipped."""
        ...

    def show(self, step: Step) -> None:
        """Show everything about a step."""
        ...

    def warn(self, message: str) -> None:
        """Tell something that matters."""
        ...


@dataclass(frozen=True, slots=True)
class Mode:
    """How decisions are made. `confirmed` holds what `--confirm` named, as often as it was named."""

    interactive: bool
    auto_skip_healthy: bool = False
    confirmed: tuple[str, ...] = ()


def mode_from(environ: Mapping[str, str], *, terminal: bool, confirmed: Iterable[str] = ()) -> Mode:
    """Read `INTERACTIVE_MODE` (true), `AUTO_SKIP_HEALTHY` (false) and `SKIP_ALL` (false: ask nothing).

    Without a terminal nothing is asked. Raises `ConfigurationError` for a value that is neither true nor false.
    """
    problems: list[str] = []

    def flag(name: str, default: bool) -> bool:
        value = environ.get(name)
        if value is None:
            return default
        if value.strip().lower() not in _TRUE | _FALSE:
            problems.append(f"{name} should be true or false.")
        return value.strip().lower() in _TRUE

    interactive = flag("INTERACTIVE_MODE", True) and not flag("SKIP_ALL", False) and terminal
    auto = flag("AUTO_SKIP_HEALTHY", False)
    if problems:
        raise ConfigurationError(problems)
    return Mode(interactive, auto, tuple(confirmed))


def decide(plan: Plan, mode: Mode, asker: Asker) -> Plan:
    """Leave out what may be skipped and is; the others stay. Those that depend on others are asked about first.

    Raises `ConfirmationNeededError` when the user quits.
    """
    automatic = mode.auto_skip_healthy
    for step in reversed(plan.steps):
        if not step.works or step.state.health is not Health.HEALTHY or step.change.action is Action.DELETE:
            continue
        verdict, reason = plan.may_skip(step)
        choice = Choice.AUTO if automatic else Choice.PROCEED
        if mode.interactive and not automatic:
            choice = _chosen(step, verdict, reason, asker)
        automatic = automatic or choice is Choice.AUTO
        if choice in (Choice.SKIP, Choice.AUTO) and verdict is not Skip.CANNOT:
            if verdict is Skip.WARN:
                asker.warn(f"{step.name} is skipped although {reason}.")
            plan = plan.without(step.name, "skipped by choice")
    return plan


def _chosen(step: Step, verdict: Skip, reason: str, asker: Asker) -> Choice:
    while True:
        choice = asker.choose(step, verdict, reason)
        if choice is Choice.VIEW:
            asker.show(step)
        elif choice is Choice.SKIP and verdict is Skip.CANNOT:
            asker.warn(f"{step.name} can not be skipped: {reason}.")
        elif choice is Choice.QUIT:
            raise ConfirmationNeededError("Stopped. Nothing was changed.")
        else:
            return choice


def confirm_all(confirmations: Iterable[Confirmation], mode: Mode, asker: Confirmer) -> None:
    """Get every yes. Raises `ConfirmationNeededError`, with nothing changed, when one is missing.

    At a terminal what needs one is asked for, what needs two is typed and then asked for. Elsewhere `--confirm` must
    have named it, for two twice.
    """
    given = Counter(mode.confirmed)
    missing = [one for one in confirmations if given[one.resource] < one.safety.times]
    if mode.interactive:
        for one in missing:
            if not _agreed(one, asker):
                raise ConfirmationNeededError(f"{one.resource} was not confirmed. Nothing was changed.", one.options)
    elif missing:
        lines = [f"  {' '.join(one.options)}: {one.reason}" for one in missing]
        text = "\n".join(["Nothing was changed: this needs to be confirmed on the command line.", *lines])
        raise ConfirmationNeededError(text, [option for one in missing for option in one.options])


def _agreed(one: Confirmation, asker: Confirmer) -> bool:
    word = "destroy" if one.resource == "everything" else one.resource
    if one.safety is Safety.DOUBLE_CONFIRM and not asker.types(word, one.reason):
        return False
    return asker.agrees(f"{one.resource}: {one.reason}. Go on?")
