"""`headgate check`: a report on a configuration, for eyes or as JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from headgate.config import (
    Finding,
    KeyUse,
    ModelEntry,
    Report,
    Severity,
    check_configuration,
    expand_entry,
    load_configuration,
)
from headgate.core.errors import ConfigurationError
from headgate.providers import create

_ERRORS = 2
"""The exit code of a report with errors."""

_COLORS = {Severity.ERROR: typer.colors.RED, Severity.WARNING: typer.colors.YELLOW, Severity.INFO: typer.colors.BLUE}


def check(file: Path, *, as_json: bool) -> int:
    """Print the report on `file` in the environment of this process; return the exit code."""
    report = check_configuration(file, os.environ, verify=_provider_problems)
    if report.exit_code != _ERRORS:
        report = replace(report, findings=(*report.findings, *_obstacles(file, os.environ)))
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


def _obstacles(file: Path, environ: Mapping[str, str]) -> Sequence[Finding]:
    """Return what keeps `headgate serve` from starting although each key by itself is sound."""
    # Imported late: a file with errors is told of them without the time that this takes.
    from headgate.gateway import Gateway

    try:
        configuration = load_configuration(file, environ)
        key = configuration.general.master_key
        Gateway(configuration, None if key is None else key.get_secret_value())
    except ConfigurationError as error:
        return [Finding(Severity.ERROR, problem, fatal=True) for problem in error.problems]
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
