"""Fixtures of the fault tests."""

from collections.abc import Iterator

import pytest

from tests.doubles.gateway import RunningGateway
from tests.fault.support import configuration, deployment


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway for all tests that only ask to be refused; nothing listens where its deployment leads."""
    with RunningGateway(tmp_path_factory.mktemp("closed"), configuration(deployment(1))) as gateway:
        yield gateway
