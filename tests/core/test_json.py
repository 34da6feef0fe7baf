import json as standard
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequestError
from headgate.core.json import Members, decode_object, encode, flag, integer, raw, text

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)
STYLES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"ensure_ascii": False},
        {"indent": 2},
        {"separators": (" ,\t", "\r\n:\n ")},
    ]
)


def _refusal(body: bytes) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        decode_object(body)
    return caught.value


@given(OBJECTS, STYLES)
def test_any_object_is_decoded_to_its_raw_members(value: dict[str, object], style: dict[str, Any]) -> None:
    members = decode_object(standard.dumps(value, **style).encode("utf-8"))
    assert {name: standard.loads(bytes(member)) for name, member in members.items()} == value


@given(OBJECTS.filter(bool), STYLES, st.data())
def test_a_repeated_key_is_found_in_any_writing(
    value: dict[str, object], style: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    again = f"{standard.dumps(name)}: {standard.dumps(data.draw(VALUES))}"
    written = standard.dumps(value, **style).removesuffix("}")
    body = f"{written},{again}}}".encode()
    assert _refusal(body).param == name


def test_a_member_is_kept_as_it_was_written() -> None:
    members = decode_object(b'{"stop" : [ "\\u00e9" , 1.0e2 ] ,"n":1}')
    assert bytes(members["stop"]) == b'[ "\\u00e9" , 1.0e2 ]'


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"a"}',
        b'{"model":12,"model":1}',
        b'{"model":1,"model":12}',
        b'{"mod\\u0065l":"a","model":"b"}',
        b'{ "model": "a", "n": 1, "model": "b" }',
    ],
)
def test_a_duplicate_key_is_refused_by_name(body: bytes) -> None:
    error = _refusal(body)
    assert error.param == "model"
    assert error.message == "Invalid JSON payload: duplicate key 'model'."


@pytest.mark.parametrize("body", [b'{"a":1,"b":{"a":1}}', b'{"a":"\\"a\\":1","b":"\\"a\\":1"}', b"{}", b" { } "])
def test_keys_of_other_objects_and_texts_are_no_duplicates(body: bytes) -> None:
    assert set(decode_object(body)) == set(standard.loads(body))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"[1]", "expected an object"),
        (b"null", "expected an object"),
        (b'"text"', "expected an object"),
        (b"[" * 100_000, "expected an object"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":' + b'{"b":' * 100_000 + b"1" + b"}" * 100_001, "nested too deeply"),
        (b'{"a":"\xff"}', "not valid UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not valid UTF-8"),
        ('{"a":"é"}'.encode("utf-16"), "not valid UTF-8"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (b'{"a":1', "truncated"),
        (b"{bad json", "malformed"),
        (b'{"a":1} {"b":2}', "trailing characters"),
        (b'{"a":NaN}', "malformed"),
        (b'{"a":01}', "malformed"),
        (b'{"a":"\\udc00"}', "malformed"),
        (b'{"a":"\n"}', "malformed"),
    ],
)
def test_what_is_not_exactly_one_object_is_refused_with_the_reason(body: bytes, words: str) -> None:
    error = _refusal(body)
    assert words in error.message
    assert (error.status, error.param) == (400, "request_body")


@given(st.binary(max_size=40))
def test_any_bytes_are_an_object_or_a_refusal(noise: bytes) -> None:
    for body in (noise, b"{" + noise + b"}", b'{"a":' + noise + b"}"):
        try:
            members = decode_object(body)
        except InvalidRequestError:
            continue
        assert set(members) == set(standard.loads(body))


def test_typed_members() -> None:
    members = decode_object(b'{"model":"gpt\\u002d4","stream":true,"n":2,"user":null}')
    assert text(members, "model") == "gpt-4"
    assert flag(members, "stream") is True
    assert integer(members, "n") == 2
    for read in (text, flag, integer):
        assert read(members, "user") is None
        assert read(members, "absent") is None


@pytest.mark.parametrize(
    ("read", "member", "words"),
    [
        (text, b"1", "a string"),
        (text, b"[]", "a string"),
        (flag, b'"true"', "a boolean"),
        (flag, b"0", "a boolean"),
        (integer, b"1.5", "an integer"),
        (integer, b"true", "an integer"),
        (integer, b'"1"', "an integer"),
    ],
)
def test_a_member_of_another_type_is_refused_by_name(
    read: Callable[[Members, str], object], member: bytes, words: str
) -> None:
    members = decode_object(b'{"field":%b}' % member)
    with pytest.raises(InvalidRequestError) as caught:
        read(members, "field")
    assert caught.value.message == f"Invalid value for 'field': expected {words}."
    assert caught.value.param == "field"


def test_encoding_copies_raw_members_and_is_compact() -> None:
    members = decode_object(b'{"messages": [ {"role" : "user"} ]}')
    assert encode({"model": "é", **members, "stream": raw(True)}) == (
        '{"model":"é","messages":[ {"role" : "user"} ],"stream":true}'.encode()
    )
