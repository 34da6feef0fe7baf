from pathlib import Path

import pytest

from headgate.config._tree import MAXIMUM_FILE_BYTES, MAXIMUM_VALUES, DocumentError, parse, plain, read

_FILE = Path("config.yaml")


def value(text: str) -> object:
    return plain(parse(text, _FILE))


def error(text: str) -> tuple[int | None, str]:
    with pytest.raises(DocumentError) as caught:
        parse(text, _FILE)
    return caught.value.line, caught.value.message


def test_scalars_are_those_of_yaml() -> None:
    text = "[a, '1', 1, 0x10, 1.5, .inf, true, off, null, ~, '', !!str 5, ! 6, !!int '7', !!float 8]"
    assert value(text) == ["a", "1", 1, 16, 1.5, float("inf"), True, False, None, None, "", "5", "6", 7, 8.0]


def test_dates_and_odd_keys_stay_text() -> None:
    assert value("on: 2024-10-21\n5: b\n") == {"on": "2024-10-21", "5": "b"}


def test_each_value_knows_the_line_of_its_key() -> None:
    root = parse("a:\n  b:\n    - 1\n    - c: 2\n", _FILE)
    inner = root.get("a")
    assert inner is not None
    items = inner.get("b")
    assert items is not None
    assert isinstance(items.value, list)
    assert (inner.line, items.line, [item.line for item in items.value]) == (1, 2, [3, 4])


def test_merge_keys_fill_what_is_not_set() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\n"
    assert value(text) == {"x": {"a": 1, "b": 1}, "y": {"b": 2, "c": 2}, "z": {"a": 0, "b": 1, "c": 2}}
    assert value("'<<': plain\n") == {"<<": "plain"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is already set in line 1"),
        ("a: 1\nb: [1\n", 3, "Not valid YAML"),
        ("a: \tb: c", 1, "Not valid YAML"),
        ("a: *gone", 1, "has no anchor"),
        ("a: &a\n  - *a\n", 2, "refers to the value that holds it"),
        ("? [1]\n: 2\n", 1, "A key must be text"),
        ("a: &a b\n*a : 2\n", 2, "A key must be text"),
        ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ("a: !ENV X", 1, "tag '!ENV' is not supported"),
        ("a: !!python/object:os.system {}", 1, "is not supported"),
        ("a: !!int x", 1, "Not a valid int"),
        ("a: " + "9" * 5000, 1, "Not a valid int"),
        ("a:\n  <<: 5\n", 2, "takes a mapping"),
        ("[" * 65, 1, "levels deep"),
        ("- " * 100_000, 1, "levels deep"),
        ("", None, "Empty"),
        ("# only a comment\n", None, "Empty"),
        ("a: \x01", None, "character that YAML does not allow"),
    ],
)
def test_what_is_not_one_plain_document_is_an_error(text: str, line: int | None, words: str) -> None:
    found = error(text)
    assert words in found[1]
    assert line is None or found[0] == line


def test_aliases_can_not_explode() -> None:
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert f"more than {MAXIMUM_VALUES:,} values" in error("\n".join(levels))[1]


def test_aliases_can_not_nest_beyond_the_limit() -> None:
    levels = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 80)]
    assert "levels deep" in error("\n".join(levels))[1]


def test_files_are_refused_that_can_not_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAXIMUM_FILE_BYTES + 1))
    for path, words in (
        (latin, "Not valid UTF-8"),
        (large, "Larger than 10 MB"),
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (Path("a\0b"), "Cannot be read"),
    ):
        with pytest.raises(DocumentError, match=words):
            read(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(read(path)) == {"a": 1}
