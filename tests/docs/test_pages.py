"""The reader of the documentation notices what is wrong with it."""

from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks
from tests.docs.reader import Reader


def _page(directory: Path, text: str) -> Path:
    page = directory / "page.md"
    page.write_text(text)
    return page


def test_blocks_are_found_with_what_stands_above_them(tmp_path: Path) -> None:
    page = _page(
        tmp_path,
        "Text.\n\n```sh\ntrue\n```\n<!-- prints -->\n```json\n{}\n```\n"
        "<!-- not executed: no network -->\n```sh\nx\n```\n",
    )
    found = blocks(page)
    assert [(one.line, one.language, one.text) for one in found] == [
        (3, "sh", "true\n"),
        (7, "json", "{}\n"),
        (11, "sh", "x\n"),
    ]
    assert [(one.prints, one.skipped) for one in found] == [(False, ""), (True, ""), (False, "no network")]


@pytest.mark.parametrize("text", ["```\ntrue\n```\n", "- one\n  ```sh\n  true\n  ```\n", "```sh\ntrue\n"])
def test_a_block_that_can_not_be_followed_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="code block"):
        blocks(_page(tmp_path, text))


def _sh(text: str, **more: bool) -> Block:
    return Block(Path("page.md"), 1, "sh", text, **more)  # type: ignore[arg-type]


def test_variables_and_files_last_from_block_to_block(tmp_path: Path) -> None:
    with Reader(tmp_path, {}) as reader:
        reader.follow(_sh("export NAME=value\n"))
        reader.follow(Block(Path("page.md"), 1, "yaml", "# names.yaml\nname: one\n"))
        reader.follow(_sh('echo "$NAME" "$(tail -n 1 names.yaml)"\n'))
        reader.follow(Block(Path("page.md"), 1, "text", "value ...: one\n", prints=True))


@pytest.mark.parametrize(
    "block",
    [
        _sh("false\n"),
        Block(Path("page.md"), 1, "python", "raise SystemExit(1)\n"),
        Block(Path("page.md"), 1, "text", "something\n", prints=True),
        _sh("headgate serve --config missing.yaml\n"),
    ],
)
def test_what_does_not_work_is_noticed(block: Block, tmp_path: Path) -> None:
    with Reader(tmp_path, {}) as reader, pytest.raises(AssertionError):
        reader.follow(block)


def test_a_gateway_runs_until_the_page_starts_another(tmp_path: Path) -> None:
    ask = "curl --silent --fail http://127.0.0.1:4000/health/liveliness\n"
    with Reader(tmp_path, {}) as reader:
        for start in ("make run\n", "LITELLM_MASTER_KEY=sk-1 headgate serve --host 0.0.0.0\n"):
            reader.follow(_sh(start))
            reader.follow(_sh(ask))
            reader.follow(Block(Path("page.md"), 1, "json", '"I\'m alive!"\n', prints=True))
    with Reader(tmp_path / "after", {}) as reader, pytest.raises(AssertionError):
        reader.follow(_sh(ask))
