import re
from pathlib import Path

import pytest

from headgate.config import check_configuration
from tests.config.documentation import PAGE, rendered

_PAGE = PAGE.read_text()
_EXAMPLES = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)


def test_every_setting_is_documented_as_the_table_has_it() -> None:
    assert rendered(_PAGE) == _PAGE, "run `python -m tests.config.documentation`"


def test_the_page_has_examples() -> None:
    assert len(_EXAMPLES) == 3


@pytest.mark.parametrize("example", _EXAMPLES)
def test_an_example_of_the_page_has_nothing_wrong(example: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(example)
    environ = dict.fromkeys(("OPENAI_API_KEY", "AZURE_API_KEY", "LITELLM_MASTER_KEY"), "sk-value")
    assert check_configuration(path, environ).findings == ()
