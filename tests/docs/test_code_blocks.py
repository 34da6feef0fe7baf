"""Every code block of README.md and docs/ does what it says, or says why nobody tried."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from headgate.config import load_configuration
from tests.docs.pages import ELSEWHERE, PAGES, ROOT, Block, all_blocks, blocks
from tests.docs.reader import Reader
from tests.doubles.anthropic_upstream import anthropic_upstream
from tests.doubles.openai_upstream import OpenAIUpstream

BLOCKS = all_blocks()
NOT_EXECUTED = 4
"""Blocks that no test executes: they install from the network, or need a container engine or a cluster, or minutes."""

EXECUTED = ("sh", "python")
TOOLS = ("curl", "make", "openssl")


def _of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language and not block.skipped]


def _name(block: Block | Path) -> str:
    return block.where if isinstance(block, Block) else block.stem


@pytest.fixture
def upstreams() -> Iterator[dict[str, str]]:
    with OpenAIUpstream() as openai, anthropic_upstream() as anthropic:
        yield {"OPENAI_API_BASE": openai.api_base, "ANTHROPIC_API_BASE": anthropic.url}


def test_every_block_is_of_a_language_that_is_tested() -> None:
    # What nginx blocks do is in test_reverse_proxy.py.
    tested = {*EXECUTED, "yaml", "json", "nginx"}
    unknown = [b.where for b in BLOCKS if b.language not in tested and not b.skipped and not b.prints]
    assert unknown == []


def test_pages_with_a_test_of_their_own_have_one() -> None:
    for page, test in ELSEWHERE.items():
        assert f"docs/{page}" in (ROOT / test).read_text()


def test_few_blocks_are_not_executed() -> None:
    assert len([block for block in BLOCKS if block.skipped]) <= NOT_EXECUTED, (
        "execute it, or raise the number and say why"
    )


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.page == page and b.language in EXECUTED for b in BLOCKS)], ids=_name
)
def test_who_follows_a_page_gets_what_it_says(page: Path, tmp_path: Path, upstreams: dict[str, str]) -> None:
    followed = [block for block in blocks(page) if not block.skipped]
    text = "".join(block.text for block in followed)
    missing = [tool for tool in TOOLS if re.search(rf"\b{tool} ", text) and shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with Reader(tmp_path, upstreams) as reader:
        for block in followed:
            reader.follow(block)


@pytest.mark.parametrize("block", [block for block in _of("python") if block.file], ids=_name)
def test_a_program_that_is_saved_is_run(block: Block) -> None:
    after = [b.text for b in blocks(block.page) if b.line > block.line and b.language == "sh" and not b.skipped]
    assert any(f"python {block.file}\n" in text for text in after)


@pytest.mark.parametrize("block", _of("yaml"), ids=_name)
def test_a_configuration_loads_without_a_warning(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(block.text)
    names = re.findall(r"os\.environ/(\w+)", block.text)
    configuration = load_configuration(file, dict.fromkeys(names, "sk-example"))
    assert configuration.models
    assert configuration.warnings == ()


@pytest.mark.parametrize("block", _of("json"), ids=_name)
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.skipped and b.language in ("yaml", "json")], ids=_name)
def test_data_that_is_not_executed_parses(block: Block) -> None:
    documents = list(yaml.safe_load_all(block.text))
    assert documents
    assert None not in documents


def test_the_configurations_in_the_repository_load() -> None:
    for file in (ROOT / "configs").glob("*.yaml"):
        environ = dict.fromkeys(re.findall(r"os\.environ/(\w+)", file.read_text()), "us-east-1")
        assert load_configuration(file, environ).models
