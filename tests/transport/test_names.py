"""Names of header fields in lower case."""

from collections.abc import Iterator

import pytest

from headgate.transport import names


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    names._known.clear()
    yield
    names._known.clear()


def test_a_name_comes_in_lower_case_and_as_the_same_object() -> None:
    assert names.lower(b"Content-Type") == b"content-type"
    assert names.lower(b"Content-" + b"Type") is names.lower(b"Content-Type")


def test_what_is_kept_is_bounded() -> None:
    assert names.lower(b"X" * 65) is not names.lower(b"X" * 65)
    for number in range(1000):
        assert names.lower(b"X-%d" % number) == b"x-%d" % number
    assert names.lower(b"Y-%d" % 1) is not names.lower(b"Y-%d" % 1)
