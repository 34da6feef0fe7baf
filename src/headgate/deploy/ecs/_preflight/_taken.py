"""Whether the names that a run gives are free."""

from functools import partial

from headgate.deploy.ecs._names import taken_names
from headgate.deploy.ecs._preflight._subject import Result, Subject
from headgate.deploy.engine import Verdict

SERVICES = ("cloudformation", "ecr", "ecs", "elbv2", "iam", "kms", "logs", "rds", "s3", "secretsmanager")
"""What is asked for names."""
_SHOWN = 3


def names(subject: Subject) -> Result:
    """Look for things that have the name of something that the run creates."""
    subject.questions.prepare(SERVICES)
    stacks = [spec for template, spec in subject.stacks.items() if subject.makes(template)]
    found = subject.questions.together([partial(taken_names, subject.account, [spec]) for spec in stacks])
    taken = [sentence for sentences in found for sentence in sentences]
    if taken:
        more = f" And {len(taken) - _SHOWN} more." if len(taken) > _SHOWN else ""
        return Verdict.FAILED, " ".join(taken[:_SHOWN]) + more
    return Verdict.PASSED, f"nothing has the name of anything in {len(stacks)} stacks"


def names_apply(subject: Subject) -> bool:
    """Tell whether the run creates a stack. Raises `ConfigurationError`."""
    return not subject.made_here.isdisjoint(subject.stacks)
