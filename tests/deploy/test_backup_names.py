"""What a backup may be called."""

import pytest

from headgate.deploy._backup_names import check_backup_name
from headgate.deploy.engine import DeployError


@pytest.mark.parametrize("name", ["monday", "20261120-093000", "a", "before-1-2", "a" * 60])
def test_names_that_every_platform_takes(name: str) -> None:
    check_backup_name(name)


@pytest.mark.parametrize("name", ["", "Monday", "a--b", "a-", "-a", "a" * 61, "a b", "../a", "rds:x", "@x", "a\n"])
def test_names_that_some_platform_would_refuse(name: str) -> None:
    with pytest.raises(DeployError, match="can not be the name of a backup"):
        check_backup_name(name)
