"""ARCHITECTURE.md names what exists."""

import re
import tomllib

from tests.docs.pages import ROOT

PAGE = (ROOT / "ARCHITECTURE.md").read_text()
SOURCE = ROOT / "src/headgate"


def test_the_layers_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    drawn = PAGE.partition("```\n")[2].partition("```")[0].splitlines()
    assert [re.split(r" {2,}", line)[0] for line in drawn] == layers


def test_every_module_that_is_named_exists() -> None:
    named = set(re.findall(r"\b((?:\w+/)*_?\w+\.py)\b", PAGE)) - {"conftest.py"}
    assert len(named) > 20
    assert {name for name in named if not list(SOURCE.rglob(name))} == set()
