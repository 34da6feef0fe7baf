"""What the rotation tests share."""

import pytest

from tests.deploy.rotation.rotations import REGION


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every client the credentials of nobody and a region."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "ECS_CLUSTER", "ECS_SERVICES", "DATABASE_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
