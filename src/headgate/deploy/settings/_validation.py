"""Checking the gateway's configuration where it is deployed from, without the variables that it will be given there."""

from pathlib import Path

from headgate.config import Finding, Severity, check_configuration
from headgate.config.documents import Findings, read_with_includes, variables_of
from headgate.deploy.engine import Check, Verdict

_VERDICTS = {Severity.ERROR: Verdict.FAILED, Severity.WARNING: Verdict.WARNING}
_STANDS_FOR = "sk-given-there"


def configuration_checks(
    path: Path | None, provided: frozenset[str] | None = None, *, of_litellm: bool = False
) -> list[Check]:
    """Check a gateway's configuration; None is the built-in one, which is well.

    `provided` are the variables that the gateway will be given; None takes those that the file reads for given. With
    `of_litellm` only what can not be read is told: another program decides about the rest.
    """
    if path is None:
        return [Check("configuration", Verdict.PASSED, "the built-in demo model serves")]
    findings = Findings()
    root = read_with_includes(path, {}, findings)
    if root is None or findings.fatal or of_litellm:
        return _checks(path, list(findings))
    given = frozenset(variables_of(root)) if provided is None else provided
    return _checks(path, list(check_configuration(path, dict.fromkeys(given, _STANDS_FOR)).findings))


def _checks(path: Path, findings: list[Finding]) -> list[Check]:
    told = [
        Check("configuration", _VERDICTS[finding.severity], str(finding))
        for finding in findings
        # What has no place in a file is about the variables of this machine.
        if finding.severity in _VERDICTS and finding.file is not None
    ]
    return told or [Check("configuration", Verdict.PASSED, f"nothing is wrong with {path}")]
