"""What is looked at before anything is changed: whether a run could succeed."""

from headgate.deploy.ecs._preflight._run import CHECKS, LIMIT_SECONDS, preflight

__all__ = ["CHECKS", "LIMIT_SECONDS", "preflight"]
