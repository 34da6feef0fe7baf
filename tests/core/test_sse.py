import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.sse import Event, EventReader

STREAM = (
    b'\xef\xbb\xbf: hello\nevent: delta\r\ndata: {"a":\rdata:1}\n\nid: 7\nretry: 10\n\r\ndata:\n\ndata\n\ndata:  x\r\r'
)
EVENTS = [Event(b"delta", b'{"a":\n1}'), Event(b"", b""), Event(b"", b""), Event(b"", b" x")]


def _read(*parts: bytes) -> list[Event]:
    reader = EventReader()
    return [event for part in parts for event in reader.feed(part)]


def test_every_line_end_and_field_form_is_read() -> None:
    assert _read(STREAM) == EVENTS


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_the_events_do_not_depend_on_where_the_bytes_are_cut(cut: int) -> None:
    assert _read(STREAM[:cut], b"", STREAM[cut:]) == EVENTS


def test_one_byte_at_a_time_reads_the_same() -> None:
    assert _read(*(STREAM[index : index + 1] for index in range(len(STREAM)))) == EVENTS


@given(st.binary(max_size=60), st.data())
def test_any_bytes_read_the_same_in_any_pieces(noise: bytes, data: st.DataObject) -> None:
    stream = noise + b"\n\ndata: end\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _read(*parts) == _read(stream)
    assert _read(*parts)[-1] == Event(b"", b"end")


def test_an_event_ends_with_the_blank_line_even_if_that_is_a_single_carriage_return() -> None:
    assert _read(b"data: 1\r\r") == [Event(b"", b"1")]


def test_an_event_without_data_is_none() -> None:
    assert _read(b"event: ping\n\ndata: 1\n\n") == [Event(b"", b"1")]


def test_what_follows_the_last_blank_line_is_no_event() -> None:
    assert _read(b"data: 1\n\ndata: 2\n") == [Event(b"", b"1")]


def test_a_byte_order_mark_counts_at_the_start_only() -> None:
    assert _read(b"\xef\xbb", b"\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n") == [Event(b"", b"1")]


@pytest.mark.parametrize("endless", [b"data: 0123456789", b"data: 0123456789\n", b": 0123456789"])
def test_an_event_that_never_ends_is_refused_at_the_limit(endless: bytes) -> None:
    # A line that has not ended counts too, whatever it will become; line ends do not.
    reader, pieces = EventReader(limit=60), 0

    def feed() -> None:
        nonlocal pieces
        for _ in range(100):
            assert list(reader.feed(endless)) == []
            pieces += 1

    with pytest.raises(ValueError, match="larger than the limit"):
        feed()
    assert pieces == 60 // len(endless.strip())


def test_events_within_the_limit_and_comments_between_them_never_add_up() -> None:
    reader = EventReader(limit=40)
    for _ in range(100):
        assert list(reader.feed(b": keep-alive\n: keep-alive\ndata: 0123456789\n\n")) == [Event(b"", b"0123456789")]
