import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headgate.deploy.engine import DeployError, LocalStore, MemoryStore, StateStore, StoreConflictError


def test_what_was_written_is_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "state")
    assert store.read("journal") is None
    version = store.write("journal", b"{}", None)
    found = store.read("journal")
    assert found is not None
    assert (found.data, found.version) == (b"{}", version)


@pytest.mark.parametrize("kind", ["files", "memory"])
def test_only_who_knows_what_is_there_replaces_it(kind: str, tmp_path: Path) -> None:
    store: StateStore = LocalStore(tmp_path) if kind == "files" else MemoryStore()
    first = store.write("journal", b"1", None)
    with pytest.raises(StoreConflictError):
        store.write("journal", b"2", None)
    second = store.write("journal", b"2", first)
    for stale in (first, None):
        with pytest.raises(StoreConflictError):
            store.write("journal", b"3", stale)
    with pytest.raises(StoreConflictError):
        store.delete("journal", first)
    store.delete("journal", second)
    assert store.read("journal") is None
    with pytest.raises(StoreConflictError):
        store.delete("journal", second)


def test_of_many_at_once_one_wins(tmp_path: Path) -> None:
    def attempt(number: int) -> bool:
        try:
            LocalStore(tmp_path).write("lock", str(number).encode(), None)
        except StoreConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(32))) == 1


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    LocalStore(tmp_path / "state").write("lock", b"{}", None)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "lock.json").stat().st_mode) == 0o600


def test_a_key_is_a_plain_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a key"):
        LocalStore(tmp_path).read("../lock")


def test_a_directory_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LocalStore(tmp_path / "file")
    with pytest.raises(DeployError, match=r"Can not write .*lock\.json: "):
        store.write("lock", b"", None)
    with pytest.raises(DeployError, match=r"Can not read .*lock\.json: Not a directory"):
        store.read("lock")
