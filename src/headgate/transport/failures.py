"""Transport failures as classified errors, worded for the client: no host, port or library text in them.

The cause, with its details, is chained for the log.
"""

from headgate.core.errors import Category, UpstreamError


def connection_failed(what: str) -> UpstreamError:
    """No connection could be made, or it broke before the answer was complete."""
    return UpstreamError(what, category=Category.CONNECTION, status=502)


def protocol_broken(what: str) -> UpstreamError:
    """The upstream sent something that is not the protocol it should speak."""
    return UpstreamError(what, category=Category.PROTOCOL, status=502)


def timed_out(what: str) -> UpstreamError:
    """A deadline passed."""
    return UpstreamError(what, category=Category.TIMEOUT, status=504, kind="timeout_error")


def busy(what: str) -> UpstreamError:
    """All connections to the upstream are in use."""
    return UpstreamError(what, category=Category.TIMEOUT, status=503, kind="overloaded_error")
