"""What a check looks at, made short."""

from datetime import UTC, datetime

from headgate.deploy.ecs import TEMPLATES, Account
from headgate.deploy.ecs._preflight._questions import Questions
from headgate.deploy.ecs._preflight._subject import Subject
from headgate.deploy.settings import Environment

EVERYTHING = frozenset({*TEMPLATES, "image"} - {"bootstrap"})
"""The components of a first run."""
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def subject(
    of: Environment,
    account: Account,
    made_here: frozenset[str] = EVERYTHING,
    acts_on: frozenset[str] | None = None,
    now: float = NOW.timestamp(),
) -> Subject:
    """Return a subject with its own questions."""
    return Subject(of, account, made_here, acts_on, lambda: now, Questions(account))
