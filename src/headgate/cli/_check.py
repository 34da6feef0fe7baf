"""`headgate check`: a report on a configuration, for eyes or as JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from headgate.config import Finding, KeyUse, ModelEntry, Report, Severity, check_configuration, expand_entry
from headgate.core.errors import ConfigurationError
from headgate.providers import create

_COLORS = {Severity.ERROR: typer.colors.RED, Severity.WARNING: typer.colors.YELLOW, Severity.INFO: typer.colors.BLUE}


def check(file: Path, *, as_json: bool) -> int:
    """Print the report on `file` in the environment of this process; return the exit code."""
    report = check_configuration(file, os.environ, verify=_provider_problems)
    if as_json:
        typer.echo(json.dumps(_as_data(report), indent=2))
    else:
        _print(report, file)
    return report.exit_code


def _provider_problems(entry: ModelEntry, environ: Mapping[str, str]) -> Sequence[str]:
    try:
        for one in expand_entry(entry, environ):
            create(one.parameters.model, one.parameters.resolved(), environ)
    except ConfigurationError as error:
        return error.problems
    return ()


def _print(report: Report, file: Path) -> None:
    for finding in report.findings:
        label = typer.style(finding.severity.value, fg=_COLORS[finding.severity], bold=True)
        typer.echo(f"{label}: {finding}")
    if report.findings and report.keys:
        typer.echo()
    width = max((len(use.key) for use in report.keys), default=0)
    for use in report.keys:
        typer.echo(f"{_disposition(use):<8}  {use.key:<{width}}  {use.note}")
    if report.keys:
        typer.echo()
    counts = {severity: sum(one.severity is severity for one in report.findings) for severity in Severity}
    summary = ", ".join(f"{count} {severity.value}{'s' * (count != 1)}" for severity, count in counts.items())
    typer.echo(f"{file}: {summary}")


def _disposition(use: KeyUse) -> str:
    return "unknown" if use.disposition is None else use.disposition.value


def _as_data(report: Report) -> dict[str, object]:
    return {
        "exit_code": report.exit_code,
        "findings": [_finding(finding) for finding in report.findings],
        "keys": [
            {
                "key": use.key,
                "file": str(use.file),
                "line": use.line,
                "count": use.count,
                "disposition": _disposition(use),
                "note": use.note,
            }
            for use in report.keys
        ],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity.value,
        "file": None if finding.file is None else str(finding.file),
        "line": finding.line,
        "key": finding.key or None,
        "message": finding.message,
        "suggestion": finding.suggestion or None,
        "disposition": None if finding.disposition is None else finding.disposition.value,
    }
