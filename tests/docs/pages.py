"""Finds the code blocks of the documentation.

A block is fenced with three backticks at the start of a line and names its language. What stands in a comment on the
line before the fence says how a test treats it:

- nothing: it is executed (see `reader.py`), or checked where its language is data;
- `<!-- prints -->`: it is what the block before it printed; `...` stands for any text;
- `<!-- not executed: reason -->`: it is left alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {
    "backups.md": "tests/deploy/test_backups_page.py",
    "costs.md": "tests/deploy/costs/test_documentation.py",
    "deploying-ecs.md": "tests/deploy/ecs/test_ecs_from_nothing.py",
    "deploying.md": "tests/deploy/test_deploying_page.py",
    "load-testing.md": "tests/deploy/load/test_load_testing_page.py",
    "pipelines.md": "tests/deploy/pipelines/test_documentation.py",
    "verifying.md": "tests/deploy/ecs/test_verifying_page.py",
}
"""Pages whose blocks a test of their own executes."""

_FENCE = re.compile(r"^( *)```(.*)$")
_SKIPPED = re.compile(r"<!-- not executed: (.+) -->")
_PRINTS = "<!-- prints -->"


class Block(NamedTuple):
    """A code block. `line` is that of its first fence; `skipped` is why it is not executed, empty where it is."""

    page: Path
    line: int
    language: str
    text: str
    skipped: str = ""
    prints: bool = False

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}" if self.page.is_relative_to(ROOT) else f"line {self.line}"

    @property
    def file(self) -> str:
        """The name of the file that the block is, by its first line (`# config.yaml`); empty without."""
        first = re.match(r"# ([\w./-]+\.\w+)\n", self.text)
        return first[1] if first else ""


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order. Raises `ValueError` for one that is not closed, indented or unnamed."""
    return list(_blocks(page))


def all_blocks() -> list[Block]:
    """Return the blocks of every page that has no test of its own."""
    return [block for page in PAGES if page.name not in ELSEWHERE for block in blocks(page)]


def _blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text().split("\n")
    opened = -1
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if opened >= 0:
            above = lines[opened - 1] if opened else ""
            skipped = _SKIPPED.fullmatch(above)
            language = lines[opened][3:].strip()
            text = "\n".join([*lines[opened + 1 : number], ""])
            yield Block(page, opened + 1, language, text, skipped[1] if skipped else "", above == _PRINTS)
            opened = -1
        elif fence[1] or not fence[2].strip():
            raise ValueError(f"{page}:{number + 1}: a code block starts its line and names its language")
        else:
            opened = number
    if opened >= 0:
        raise ValueError(f"{page}:{opened + 1}: the code block is not closed")
