"""The examples of docs/routing.md are configurations that work."""

import re
from pathlib import Path

import pytest

from headgate.config import load_configuration

PAGE = Path(__file__).parents[2] / "docs" / "routing.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
KEYS = ["OPENAI_API_KEY", "AZURE_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads_without_a_warning(example: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(example)
    configuration = load_configuration(file, dict.fromkeys(KEYS, "sk-example"))
    assert configuration.models
    assert configuration.warnings == ()
