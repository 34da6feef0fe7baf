"""docs/costs.md shows what the command prints."""

import re
from pathlib import Path

import pytest

from headgate.deploy.costs import load_prices
from tests.deploy.costs.documentation import EXAMPLE, PAGE, run

EXAMPLES = EXAMPLE.findall(PAGE.read_text())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_an_example_prints_what_the_page_shows(command: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    assert run(command) == shown


def test_the_price_table_of_the_page_is_one(tmp_path: Path) -> None:
    (table,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "prices.yaml").write_text(table)
    assert load_prices(tmp_path / "prices.yaml").complete_region == "eu-central-1"
