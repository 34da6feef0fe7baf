from pathlib import Path

import pytest

from headgate.deploy.engine import (
    DeployError,
    ExitCode,
    Holder,
    LocalStore,
    LockedError,
    MemoryStore,
    break_lock,
    held_lock,
    locked,
)

ANN = Holder("ann", "laptop", 7, "headgate deploy up")
BOB = Holder("bob", "runner", 8, "headgate deploy down")


def test_the_lock_names_owner_host_age_and_command(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with locked(store, ANN, lambda: 1000.0):
        with pytest.raises(LockedError) as caught, locked(store, BOB, lambda: 1000.0 + 185):
            pytest.fail("two at once")
        lock = held_lock(store)
        assert lock is not None
        assert lock.data(1010.0) == {
            "owner": "ann",
            "host": "laptop",
            "process": 7,
            "command": "headgate deploy up",
            "since": "1970-01-01T00:16:40+00:00",
            "age_seconds": 10,
        }
    assert str(caught.value) == (
        "Locked by ann on laptop (process 7) for 3 min: headgate deploy up. Wait, or run `headgate deploy unlock` when "
        "that run is dead."
    )
    assert caught.value.exit_code is ExitCode.LOCKED
    assert held_lock(store) is None


def test_a_run_that_fails_gives_the_lock_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(KeyboardInterrupt), locked(store, ANN, lambda: 0.0):
        raise KeyboardInterrupt
    assert held_lock(store) is None


def happen(what: BaseException | None) -> None:
    if what is not None:
        raise what


class Unreachable(MemoryStore):
    """A store that loses its connection before the lock is given back."""

    def delete(self, key: str, replaces: str) -> None:
        raise DeployError("The token has expired.")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (None, "The token has expired. The lock stays: `headgate deploy unlock` takes it away."),
        (KeyboardInterrupt(), "The token has expired. The lock stays: `headgate deploy unlock` takes it away."),
        (
            DeployError("The token has expired."),
            "The token has expired. The lock stays: `headgate deploy unlock` takes it away.",
        ),
        (
            DeployError("The disk is full."),
            "The disk is full. The token has expired. The lock stays: `headgate deploy unlock` takes it away.",
        ),
    ],
)
def test_a_lock_that_can_not_be_given_back_says_how_to_go_on(what: BaseException | None, said: str) -> None:
    store = Unreachable()
    with pytest.raises(DeployError) as caught, locked(store, ANN, lambda: 0.0):
        happen(what)
    assert str(caught.value) == said
    assert held_lock(store) is not None


def test_a_lock_can_be_broken_and_its_old_holder_does_not_release_the_next(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert break_lock(store) is None
    with locked(store, ANN, lambda: 0.0):
        broken = break_lock(store)
        assert broken is not None
        assert broken.owner == "ann"
        next_run = locked(store, BOB, lambda: 1.0)
        next_run.__enter__()
    held = held_lock(store)
    assert held is not None
    assert held.owner == "bob"
    next_run.__exit__(None, None, None)
    assert held_lock(store) is None


def test_a_lock_that_can_not_be_read_is_still_a_lock(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("lock", b"{", None)
    with pytest.raises(LockedError, match="Locked by unknown"), locked(store, ANN, lambda: 0.0):
        pytest.fail("the lock was ignored")


@pytest.mark.parametrize(("age", "shown"), [(5, "5 s"), (7300, "2 h"), (200_000, "2 d")])
def test_an_age_is_told_in_words(age: float, shown: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with locked(store, ANN, lambda: 0.0):
        held = held_lock(store)
        assert held is not None
        assert f" for {shown}: " in held.describe(age)


def test_this_process_is_named() -> None:
    holder = Holder.this_process("headgate deploy up")
    assert holder.owner
    assert holder.host
    assert holder.process > 0
