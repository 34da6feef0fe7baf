"""What docs/compatibility.md lists is what the code has."""

import re
from pathlib import Path

import pytest

from headgate.core.errors import InvalidRequestError
from headgate.core.json import decode_object
from headgate.dialects import Steering, _steering
from headgate.dialects._steering import is_special, take_headers, take_members

PAGE = (Path(__file__).parents[2] / "docs/compatibility.md").read_text()


def named(row: str, column: int) -> list[str]:
    """The names in code marks of a cell, as the page has them."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {row} |")]
    return re.findall(r"`([^`]+)`", line.strip("| ").split(" | ")[column])


REFUSED = [name for name in named("members that are refused", 2) if name != "param"]
TAKEN_OUT = named("members that are taken out", 2)
STEERING = named("members that steer", 1)


def test_the_lists_are_complete() -> None:
    assert set(REFUSED) == _steering._REFUSED | set(_steering._REFUSED_PREFIXES)
    assert set(TAKEN_OUT) | set(STEERING) == _steering._KEPT | set(_steering._KEPT_PREFIXES)
    assert set(STEERING) == set(_steering._READERS)


@pytest.mark.parametrize("name", REFUSED)
def test_a_member_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        is_special(name + "x" if name.endswith("_") else name)


@pytest.mark.parametrize("name", TAKEN_OUT)
def test_a_member_is_taken_out_without_effect(name: str) -> None:
    name = name + "x" if name.endswith("_") else name
    members, steering = decode_object(b'{"%b": {"any": "thing"}, "seed": 1}' % name.encode()), Steering()
    take_members(steering, members, "model")
    assert list(members) == ["seed"]
    assert steering == Steering()


def test_the_request_headers_count() -> None:
    headers = [name for name in named("request headers", 2) if name.startswith("x-litellm-")]
    for name in headers:
        steering = Steering()
        take_headers(steering, [(name.encode(), b"3")])
        assert steering != Steering(), name
    assert len(headers) == 4
