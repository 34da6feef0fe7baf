"""Plans: what would be done, in which order, and why. Making one only reads."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from headgate.deploy.engine._component import Action, Change, Component, Health, Operation, Risk, State
from headgate.deploy.engine._errors import DeployError
from headgate.deploy.engine._graph import Graph
from headgate.deploy.engine._policy import Safety, Situation, Skip, may_skip, safety_of

IDLE = frozenset({Action.SKIP, Action.BLOCKED})
"""Actions that change nothing."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A yes that is needed, and how it is given on the command line."""

    resource: str
    safety: Safety
    reason: str

    @property
    def options(self) -> tuple[str, ...]:
        """The command-line options that say it."""
        return (f"--confirm={self.resource}",) * self.safety.times


@dataclass(frozen=True, slots=True)
class Step:
    """One component in a plan."""

    component: Component
    state: State
    change: Change

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def works(self) -> bool:
        """True when the step changes something."""
        return self.change.action not in IDLE

    def confirmations(self) -> tuple[Confirmation, ...]:
        """Every yes that this step needs."""
        risks = list(self.change.risks)
        if self.change.security:
            risks.append(Risk(f"{self.name}.security", Operation.OPEN, "; ".join(self.change.security)))
        judged = [(risk, safety_of(risk)) for risk in risks]
        return tuple(Confirmation(risk.resource, rule.safety, risk.why or rule.reason) for risk, rule in judged)

    def data(self) -> dict[str, Any]:
        """Return the step for JSON."""
        return {
            "component": self.name,
            "requires": list(self.component.requires),
            "state": self.state.health.value,
            "state_reason": self.state.reason,
            "action": self.change.action.value,
            "reasons": list(self.change.reasons),
            "security": list(self.change.security),
            "confirmations": [
                {"resource": needed.resource, "safety": needed.safety.value, "reason": needed.reason}
                for needed in (self.confirmations() if self.works else ())
            ],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are done, and the health that all of them are to end with."""

    graph: Graph
    steps: tuple[Step, ...]
    goal: Health

    @property
    def works(self) -> bool:
        """True when some step changes something."""
        return any(step.works for step in self.steps)

    @property
    def blocked(self) -> tuple[Step, ...]:
        """The steps that can not be done."""
        return tuple(step for step in self.steps if step.change.action is Action.BLOCKED)

    def confirmations(self) -> tuple[Confirmation, ...]:
        """Every yes that is needed, each once."""
        needed = [one for step in self.steps if step.works for one in step.confirmations()]
        return tuple({one.resource: one for one in needed}.values())

    def counts(self) -> dict[str, int]:
        """Return how many steps there are of each action."""
        return {action.value: sum(step.change.action is action for step in self.steps) for action in Action}

    def situation(self, step: Step) -> Situation:
        """What the skip rules look at for a step of this plan."""
        dependents = set(self.graph.dependents(step.name))
        others = [other for other in self.steps if other.name in dependents]
        return Situation(
            health=step.state.health,
            trait=step.component.trait,
            dependents_in_run=tuple(other.name for other in others if other.works),
            dependents_deployed=tuple(other.name for other in others if other.state.health is not Health.ABSENT),
        )

    def may_skip(self, step: Step) -> tuple[Skip, str]:
        """Judge whether a step may be left out, given what the other steps do."""
        return may_skip(self.situation(step))

    def without(self, name: str, reason: str) -> "Plan":
        """Return the plan with one step left out."""
        change = Change(Action.SKIP, (reason,))
        steps = tuple(replace(step, change=change) if step.name == name else step for step in self.steps)
        return replace(self, steps=steps)

    def data(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        return {"steps": [step.data() for step in self.steps], "counts": self.counts()}


def plan_up(graph: Graph, only: Iterable[str] = ()) -> Plan:
    """Plan to bring the chosen components (all for none) to what is wanted."""
    chosen = graph.selected(only)
    states = {component.name: _state(component) for component in graph}
    steps: dict[str, Step] = {}
    for component in graph:
        if component.name in chosen:
            state = states[component.name]
            change = _judged(component.plan(state), _obstacles(component, chosen, states, steps))
            steps[component.name] = Step(component, state, change)
    return Plan(graph, tuple(steps.values()), Health.HEALTHY)


def plan_down(graph: Graph, only: Iterable[str] = ()) -> Plan:
    """Plan to take the chosen components (all for none) away, those that depend on others first."""
    named = frozenset(only)
    chosen = graph.selected(named)
    states = {component.name: _state(component) for component in graph}
    steps: list[Step] = []
    whole = Risk("everything", Operation.DESTROY)
    for component in reversed(list(graph)):
        if component.name not in chosen:
            continue
        state = states[component.name]
        standing = [
            f"{other} depends on it and is not part of this run"
            for other in graph.dependents(component.name)
            if other not in chosen and states[other].health is not Health.ABSENT
        ]
        change = component.plan_destroy(state)
        if change.action is Action.DELETE:
            risk = Risk(component.name, Operation.DESTROY) if named else whole
            change = replace(change, risks=(risk, *change.risks))
        steps.append(Step(component, state, _judged(change, standing)))
    return Plan(graph, tuple(steps), Health.ABSENT)


def _state(component: Component) -> State:
    try:
        return component.describe()
    except DeployError as error:
        return State(Health.UNKNOWN, str(error))


def _obstacles(
    component: Component, chosen: frozenset[str], states: dict[str, State], steps: dict[str, Step]
) -> list[str]:
    """Say what is missing below a component."""
    blocked = [name for name in component.requires if name in steps and steps[name].change.action is Action.BLOCKED]
    missing = {
        health: [name for name in component.requires if name not in chosen and states[name].health is health]
        for health in (Health.ABSENT, Health.UNHEALTHY)
    }
    found = {"blocked": blocked} | {
        f"{health.value} and not part of this run": names for health, names in missing.items()
    }
    return [f"it requires {_listed(names)} {how}" for how, names in found.items() if names]


def _listed(names: list[str]) -> str:
    """Return names as words of a sentence, up to its verb."""
    if len(names) == 1:
        return f"{names[0]}, which is"
    return f"{', '.join(names[:-1])} and {names[-1]}, which are"


def _judged(change: Change, obstacles: list[str]) -> Change:
    """Block a change that would do something while something stands in its way."""
    if change.action in IDLE:
        return change
    for risk in change.risks:
        rule = safety_of(risk)
        if rule.safety is Safety.BLOCKED:
            why = f" ({risk.why})" if risk.why else ""
            obstacles.append(f"to {risk.operation.value} the {risk.resource}{why} is never allowed: {rule.reason}")
    return replace(change, action=Action.BLOCKED, reasons=tuple(obstacles)) if obstacles else change
