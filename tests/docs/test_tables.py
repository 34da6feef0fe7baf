"""The tables of the documentation say what the code says."""

from pathlib import Path

import pytest

from tests.docs.tables import OPERATIONS_PAGE, PROVIDERS_PAGE, rendered


@pytest.mark.parametrize("page", [PROVIDERS_PAGE, OPERATIONS_PAGE], ids=lambda page: page.stem)
def test_tables_are_those_of_the_code(page: Path) -> None:
    assert rendered(page) == page.read_text(), "run `python -m tests.docs.tables`"
