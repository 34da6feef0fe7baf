"""Everything that Headgate would do with CloudFormation, as files for the aws command line alone."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from headgate.deploy.ecs._stacks import CAPABILITIES, StackSpec

_PREAMBLE = """#!/bin/sh
# Creates or updates every stack, in order, and stops at the first that fails. Needs the aws command line, version 2.
# Between bootstrap and database the rotation package, before gateway image and configuration have to be in their place.
set -eu
cd "$(dirname "$0")"
"""


def render(specs: Sequence[StackSpec], region: str, directory: Path) -> list[Path]:
    """Write templates, parameter files and a script with the commands into `directory`; return what was written.

    For each stack `NAME.yaml` and `NAME.parameters.json`, in the form that `aws cloudformation deploy` reads. Files
    that are there are overwritten. Raises `OSError` where the directory can not be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    commands = [_PREAMBLE]
    for spec in specs:
        template, parameters = directory / f"{spec.template}.yaml", directory / f"{spec.template}.parameters.json"
        template.write_text(spec.body, encoding="utf-8")
        values = [f"{name}={value}" for name, value in sorted(spec.parameters.items())]
        parameters.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        written += [template, parameters]
        commands.append(_commands(spec, region))
    script = directory / "deploy.sh"
    script.write_text("\n".join(commands), encoding="utf-8")
    script.chmod(0o755)
    return [*written, script]


def _commands(spec: StackSpec, region: str) -> str:
    tags = " ".join(shlex.quote(f"{key}={value}") for key, value in sorted(spec.tags.items()))
    lines = [
        f"aws cloudformation deploy --region {region} --stack-name {spec.name} --no-fail-on-empty-changeset",
        f"  --template-file {spec.template}.yaml --parameter-overrides file://{spec.template}.parameters.json",
        f"  --capabilities {' '.join(CAPABILITIES)} --tags {tags}",
    ]
    protect = (
        f"aws cloudformation update-termination-protection --region {region} --stack-name {spec.name}"
        " --enable-termination-protection\n"
    )
    return " \\\n".join(lines) + "\n" + (protect if spec.termination_protection else "")
