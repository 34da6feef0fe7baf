"""Components as data, a plan that only reads, one executor that changes things, and the rules between them."""

from headgate.deploy.engine._component import (
    Action,
    Change,
    Clock,
    Component,
    Health,
    Operation,
    Progress,
    Risk,
    State,
    Trait,
)
from headgate.deploy.engine._decisions import Asker, Choice, Confirmer, Mode, confirm_all, decide, mode_from
from headgate.deploy.engine._errors import (
    ConfirmationNeededError,
    DeployError,
    ExitCode,
    LockedError,
    StoreConflictError,
)
from headgate.deploy.engine._executor import Event, EventKind, Outcome, RunResult, StepResult, execute
from headgate.deploy.engine._graph import Graph
from headgate.deploy.engine._journal import Journal
from headgate.deploy.engine._lock import Holder, LockInfo, break_lock, held_lock, locked
from headgate.deploy.engine._plan import Confirmation, Plan, Step, plan_down, plan_up
from headgate.deploy.engine._policy import (
    SAFETY_RULES,
    SKIP_RULES,
    Safety,
    SafetyRule,
    Situation,
    Skip,
    SkipRule,
    may_skip,
    safety_of,
)
from headgate.deploy.engine._store import LocalStore, StateStore, Stored
from headgate.deploy.engine._target import Target

__all__ = [
    "SAFETY_RULES",
    "SKIP_RULES",
    "Action",
    "Asker",
    "Change",
    "Choice",
    "Clock",
    "Component",
    "Confirmation",
    "ConfirmationNeededError",
    "Confirmer",
    "DeployError",
    "Event",
    "EventKind",
    "ExitCode",
    "Graph",
    "Health",
    "Holder",
    "Journal",
    "LocalStore",
    "LockInfo",
    "LockedError",
    "Mode",
    "Operation",
    "Outcome",
    "Plan",
    "Progress",
    "Risk",
    "RunResult",
    "Safety",
    "SafetyRule",
    "Situation",
    "Skip",
    "SkipRule",
    "State",
    "StateStore",
    "Step",
    "StepResult",
    "StoreConflictError",
    "Stored",
    "Target",
    "Trait",
    "break_lock",
    "confirm_all",
    "decide",
    "execute",
    "held_lock",
    "locked",
    "may_skip",
    "mode_from",
    "plan_down",
    "plan_up",
    "safety_of",
]
