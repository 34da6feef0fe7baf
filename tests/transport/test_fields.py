from headgate.transport.fields import HeaderFields

LINES = b"Content-Type: text/plain\r\nX-Empty:\r\nX-Colon: a:b \r\nset-cookie: a\r\nSet-Cookie: b\r\n"


def test_fields_come_in_order_with_names_in_lower_case() -> None:
    assert list(HeaderFields(LINES)) == [
        (b"content-type", b"text/plain"),
        (b"x-empty", b""),
        (b"x-colon", b"a:b"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
    ]


def test_fields_are_a_sequence() -> None:
    fields = HeaderFields(LINES)
    assert len(fields) == 5
    assert fields[0] == (b"content-type", b"text/plain")
    assert list(fields[1:2]) == [(b"x-empty", b"")]
    assert len(HeaderFields()) == 0


def test_a_name_is_found_in_any_case_and_only_as_a_whole() -> None:
    fields = HeaderFields(LINES)
    assert fields.contains(b"content-type")
    assert fields.contains(b"set-cookie")
    assert not fields.contains(b"type")
    assert not fields.contains(b"text/plain")
