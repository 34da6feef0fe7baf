"""What `headgate check` tells about a configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headgate.config._audit import KeyUse
from headgate.config._findings import Finding, Severity, dotted
from headgate.config._load import analyse
from headgate.config._models import ModelEntry

Verifier = Callable[[ModelEntry, Mapping[str, str]], Sequence[str]]
"""Says what keeps a model from working that the configuration alone does not show, a sentence each."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and what becomes of each key."""

    findings: tuple[Finding, ...]
    keys: tuple[KeyUse, ...]

    @property
    def exit_code(self) -> int:
        """0 when all is well, 1 with warnings, 2 with errors."""
        severities = {finding.severity for finding in self.findings}
        return 2 if Severity.ERROR in severities else 1 if Severity.WARNING in severities else 0


def check_configuration(path: Path, environ: Mapping[str, str], verify: Verifier | None = None) -> Report:
    """Find everything that there is to say about a configuration. Raises nothing for what a file may hold.

    `verify` is asked about each model that has no error yet.
    """
    analysis = analyse(path, environ)
    findings = analysis.findings
    if verify is not None and analysis.configuration is not None:
        for position, entry in analysis.models.items():
            key = dotted(("model_list", position))
            if findings.has_error_below(key):
                continue
            for problem in verify(entry, analysis.configuration.environ):
                findings.add(Finding(Severity.ERROR, problem, entry.file, entry.line, key, fatal=True))
    return Report(tuple(findings), analysis.keys)
