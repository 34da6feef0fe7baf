"""Runs the commands of docs/costs.md.

`python -m tests.deploy.costs.documentation` writes their output into the page.
"""

import os
import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from typer.testing import CliRunner

from headgate.cli._cost import cost

PAGE = Path(__file__).parents[3] / "docs" / "costs.md"
EXAMPLE = re.compile(r"^```console\n\$ (.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_COMMAND = "headgate deploy cost"

_app = typer.Typer(rich_markup_mode=None)
_app.command()(cost)


def run(command: str) -> str:
    """Return what a `headgate deploy cost` command prints to standard output, where there is no deployment file."""
    assert command.startswith(_COMMAND), command
    here = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            result = CliRunner().invoke(_app, shlex.split(command.removeprefix(_COMMAND)))
        finally:
            os.chdir(here)
    assert result.exit_code == 0, result.output
    return result.stdout


if __name__ == "__main__":
    PAGE.write_text(EXAMPLE.sub(lambda found: f"```console\n$ {found[1]}\n{run(found[1])}```", PAGE.read_text()))
