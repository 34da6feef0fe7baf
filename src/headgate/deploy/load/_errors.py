"""What keeps a load test from beginning."""

from headgate.deploy.engine import DeployError


class TargetError(DeployError):
    """The one request that goes before all others was not answered as it should be; the message says how it was."""
