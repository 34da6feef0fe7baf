"""Files are written all or none, and never over what somebody changed."""

from pathlib import Path

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.pipelines import Written, write_files

FILES = {"a/one.yml": "1\n", "two.yml": "2\n"}


def test_files_are_created_with_their_folders(tmp_path: Path) -> None:
    assert write_files(FILES, tmp_path / "new") == Written(created=("a/one.yml", "two.yml"))
    assert (tmp_path / "new/a/one.yml").read_text() == "1\n"


def test_a_second_time_nothing_changes(tmp_path: Path) -> None:
    write_files(FILES, tmp_path)
    assert write_files(FILES, tmp_path) == Written(unchanged=("a/one.yml", "two.yml"))


def test_a_file_that_differs_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "two.yml").write_text("mine\n")
    assert write_files(FILES, tmp_path) == Written(kept=("two.yml",))
    assert (tmp_path / "two.yml").read_text() == "mine\n"
    assert not (tmp_path / "a").exists()


def test_force_replaces_what_differs(tmp_path: Path) -> None:
    write_files(FILES, tmp_path)
    (tmp_path / "two.yml").write_text("mine\n")
    assert write_files(FILES, tmp_path, force=True) == Written(replaced=("two.yml",), unchanged=("a/one.yml",))
    assert (tmp_path / "two.yml").read_text() == "2\n"


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file\n")
    with pytest.raises(ConfigurationError, match="can not be written"):
        write_files(FILES, tmp_path)
