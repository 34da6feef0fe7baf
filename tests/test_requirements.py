"""`docs/requirements.md` is complete, consistent, and claims only what exists."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "requirements.md").read_text()

SECTIONS = {"ARCH": 31, "ECS": 23, "SCR": 68, "SAFE": 21, "BENCH": 27}
"""The sections with content that each source document has."""

AREAS = {"gateway core", "governance", "observability", "console", "deploy engine", "ECS", "EKS"}


class Row(NamedTuple):
    """One requirement as the page states it."""

    id: str
    requirement: str
    area: str
    done: str
    test: str


def _rows(text: str) -> list[Row]:
    lines = re.findall(r"^\| ([A-Z]+-\d+ .*) \|$", text, flags=re.MULTILINE)
    return [Row(*(cell.strip() for cell in line.split(" |"))) for line in lines]


ROWS = _rows(PAGE)
CHAPTERS = {chapter.partition(":")[0]: chapter for chapter in PAGE.split("\n## ")[1:]}


def _is_test(name: str) -> bool:
    """Tell whether `path` or `path::function` names a test of this project."""
    path, _, function = name.partition("::")
    file = ROOT / path
    if not (file.is_file() and file.name.startswith("test_")):
        return False
    functions = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    return function in functions if function else True


def test_every_table_line_is_a_row() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and not re.match(r"\| id \||\|---", line)]
    assert len(ROWS) == len(lines)


def test_each_document_has_its_chapter() -> None:
    assert list(CHAPTERS) == list(SECTIONS)


@pytest.mark.parametrize("prefix", SECTIONS)
def test_each_section_of_a_document_has_a_table_with_rows(prefix: str) -> None:
    sections = CHAPTERS[prefix].split("\n### ")[1:]
    assert len(sections) == SECTIONS[prefix]
    assert [section.splitlines()[0] for section in sections if not _rows(section)] == []


@pytest.mark.parametrize("prefix", SECTIONS)
def test_ids_are_unique_and_numbered_in_order(prefix: str) -> None:
    rows = _rows(CHAPTERS[prefix])
    assert [row.id for row in rows] == [f"{prefix}-{number}" for number in range(1, len(rows) + 1)]


def test_each_row_has_a_requirement_and_a_known_area() -> None:
    assert [row.id for row in ROWS if not row.requirement or row.area not in AREAS] == []


def test_rows_refer_to_rows_that_exist() -> None:
    known = {row.id for row in ROWS}
    mentioned = set(re.findall(r"\b(?:ARCH|ECS|SCR|SAFE|BENCH)-\d+\b", PAGE))
    assert mentioned - known == set()


def test_every_named_path_exists() -> None:
    cells = [(row, name) for row in ROWS for name in re.findall(r"`([^`]*)`", row.done)]
    assert [(row.id, name) for row, name in cells if not (ROOT / name).exists()] == []
    assert [row.id for row in ROWS if re.sub(r"`[^`]*`", "", row.done).strip()] == []


def test_every_named_test_exists() -> None:
    cells = [(row, name) for row in ROWS for name in re.findall(r"`([^`]*)`", row.test)]
    assert [(row.id, name) for row, name in cells if not _is_test(name)] == []
    assert [row.id for row in ROWS if re.sub(r"`[^`]*`", "", row.test).strip()] == []


def test_a_row_names_a_test_only_for_what_is_done() -> None:
    assert [row.id for row in ROWS if row.test and not row.done] == []
