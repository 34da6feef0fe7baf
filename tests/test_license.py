"""The license: in the repository, in the package, and named where people look."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_license_is_there_whole_and_goes_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    [name] = project["license-files"]
    text = (ROOT / name).read_text()
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert text.index("1. Definitions.") < text.index("END OF TERMS AND CONDITIONS")
    assert f"]({name})" in (ROOT / "README.md").read_text()
