"""An OpenAI double, and gateways in front of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.gateway import RunningGateway
from tests.doubles.openai_upstream import OpenAIUpstream

Serve = Callable[..., RunningGateway]


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIUpstream]:
    with OpenAIUpstream() as running:
        yield running


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Run a gateway for the rest of the test: `serve([entry, ...], router={...}, general={...})`."""
    with ExitStack() as stack:

        def run(models: list[dict[str, Any]], environ: dict[str, str] | None = None, **sections: Any) -> RunningGateway:
            configuration = {"model_list": models, **{f"{name}_settings": value for name, value in sections.items()}}
            return stack.enter_context(RunningGateway(tmp_path, configuration, environ))

        yield run
