import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import InvalidRequestError
from headgate.core.multipart import MAX_FIELD_BYTES, MAX_PARTS, Form, parse_form

KIND = b"multipart/form-data; boundary=b"
FILE = (
    b'Content-Disposition: form-data; name="file"; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"RIFF\x00\xff\r\n-b\r\n\r\n--B\r\n\n- -b--"
)
MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper'
EMPTY = b"content-disposition:form-data;name=empty\r\n\r\n"


def _form(*parts: bytes, boundary: bytes = b"b", end: bytes = b"\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--" + end


def _contents(body: bytes, form: Form) -> list[tuple[str, str | None, bytes]]:
    return [(part.name, part.filename, body[part.start : part.end]) for part in form.parts]


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_parts_are_found_without_touching_them(end: bytes) -> None:
    body = _form(FILE, MODEL, EMPTY, end=end)
    form = parse_form(body, KIND)
    assert _contents(body, form) == [
        ("file", 'a "b".wav', FILE.partition(b"\r\n\r\n")[2]),
        ("model", None, b"whisper"),
        ("empty", None, b""),
    ]
    assert form.fields(body) == {"model": "whisper", "empty": ""}


def test_a_field_is_replaced_added_and_taken_out_and_the_rest_stays_the_same_bytes() -> None:
    body = _form(FILE, MODEL, EMPTY)
    form = parse_form(body, KIND)
    assert form.rewrite(body, {}) == body
    assert form.rewrite(body, {"model": b"new"}) == _form(FILE, MODEL.replace(b"whisper", b"new"), EMPTY)
    assert form.rewrite(body, {"model": None}) == _form(FILE, EMPTY)
    assert form.rewrite(body, {"empty": None, "absent": None, "model": b"x"}) == _form(
        FILE, MODEL.replace(b"whisper", b"x")
    )
    added = b'Content-Disposition: form-data; name="stream"\r\n\r\ntrue'
    assert form.rewrite(body, {"stream": b"true"}) == _form(added, FILE, MODEL, EMPTY)
    assert parse_form(form.rewrite(body, {"model": b"new"}), form.content_type).boundary == b"b"


@pytest.mark.parametrize(
    "kind",
    [
        b'multipart/form-data; boundary="b"',
        b"Multipart/Form-Data;charset=utf-8;BOUNDARY=b",
        b"multipart/form-data; boundary=b;",
    ],
)
def test_the_boundary_is_read_from_every_form_of_header(kind: bytes) -> None:
    assert parse_form(_form(MODEL), kind).parts[0].name == "model"


def test_repeated_names_are_for_lists_only() -> None:
    item = b'Content-Disposition: form-data; name="include[]"\r\n\r\nlogprobs'
    assert parse_form(_form(item, item), KIND).fields(_form(item, item)) == {"include[]": "logprobs"}
    with pytest.raises(InvalidRequestError) as caught:
        parse_form(_form(MODEL, MODEL), KIND)
    assert (caught.value.param, caught.value.message) == ("model", "The form field 'model' occurs twice.")


@pytest.mark.parametrize(
    "kind",
    [
        *(b"application/json", b"", b"multipart/form-data", b"multipart/form-data; boundary=", b"\xff"),
        *(b"multipart/form-data; boundary=b; boundary=c", b"multipart/form-data; boundary=" + b"x" * 71),
        *(
            b'multipart/form-data; boundary="a\xc3\xa9"',
            b'multipart/form-data; boundary="b',
            b"multipart/mixed; boundary=b",
        ),
        *(b'multipart/form-data; boundary="b "', b"multipart/form-data; boundary=b junk"),
    ],
)
def test_a_content_type_without_a_valid_boundary_is_refused(kind: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_form(_form(MODEL), kind)
    assert caught.value.param == "request_body"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"--b", b"--b\r\n", b"--b\n", b"--c--\r\n", b"preamble\r\n" + _form(MODEL), _form(MODEL)[:-6]),
        *(_form(MODEL) + b"epilogue", _form(MODEL, end=b"\r\n\r\n"), _form(MODEL).replace(b"\r\n", b"\n")),
        *(_form(b"\r\nno headers"), _form(b"X: y\r\n\r\nv"), _form(MODEL.replace(b"form-data", b"attachment"))),
        *(_form(MODEL.replace(b'name="model"', b'name=""')), _form(MODEL.replace(b'name="model"', b"nameless"))),
        *(_form(MODEL.replace(b'"model"', b'"a\xff"')), _form(MODEL.replace(b'"model"', b'"a\tb"'))),
        *(_form(MODEL.replace(b'"model"', b'"model"; name="other"')), _form(MODEL.replace(b'"model"', b'"unclosed'))),
        *(_form(MODEL.partition(b"\r\n")[0] + b"\r\n" + MODEL), _form(b"X: " + b"y" * 9_000 + b"\r\n" + MODEL)),
        _form(*[MODEL.replace(b"model", b"m%d" % number) for number in range(MAX_PARTS + 1)]),
    ],
)
def test_anything_but_a_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_form(body, KIND)
    assert caught.value.message.startswith("Invalid multipart form: ")


@pytest.mark.parametrize("value", [b"\xff", b"x" * (MAX_FIELD_BYTES + 1)])
def test_a_field_must_be_text_of_a_sane_size(value: bytes) -> None:
    body = _form(MODEL.replace(b"whisper", value))
    with pytest.raises(InvalidRequestError) as caught:
        parse_form(body, KIND).fields(body)
    assert caught.value.param == "model"


CONTENT = st.lists(st.sampled_from([b"--", b"\r\n", b"\n", b"-", b"b", b"\r", b"x", b"\x00"]), max_size=8).map(b"".join)


@given(CONTENT.filter(lambda content: b"--b" not in content))
def test_any_content_without_the_boundary_comes_out_as_it_went_in(content: bytes) -> None:
    body = _form(b'Content-Disposition: form-data; name="file"; filename=""\r\n\r\n' + content, MODEL)
    form = parse_form(body, KIND)
    assert _contents(body, form)[0][2] == content
    assert form.rewrite(body, {"model": b"whisper"}) == body


@pytest.mark.parametrize(
    "content", [b"--b--", b"--b\r\n", b"x--b", b"\n--b\n", b"\r\n--bc", b"\r\n--b \r\n", b"\r\n--b"]
)
def test_a_boundary_inside_a_part_is_refused_because_other_readers_may_end_the_part_there(content: bytes) -> None:
    smuggled = content + b'\nContent-Disposition: form-data; name="model"\r\n\r\nother'
    with pytest.raises(InvalidRequestError, match="Invalid multipart form"):
        parse_form(_form(b'Content-Disposition: form-data; name="a"\r\n\r\n' + smuggled), KIND)


@given(
    st.lists(
        st.sampled_from([b"--b\r\n", b"--b--", b"\r\n", b"--b", MODEL, FILE, EMPTY]) | st.binary(max_size=5), max_size=8
    )
)
def test_any_bytes_are_a_form_or_a_refusal(parts: list[bytes]) -> None:
    body = b"".join(parts)
    with contextlib.suppress(InvalidRequestError):
        form = parse_form(body, KIND)
        assert form.rewrite(body, {}) == body
