from collections.abc import Mapping
from pathlib import Path

import pytest

from headgate.config._environment import extended, resolve
from headgate.config._findings import Findings, KeyPath
from headgate.config._tree import parse, plain


def resolved(text: str, environ: Mapping[str, str]) -> tuple[object, list[tuple[str, bool]]]:
    findings = Findings()
    node = resolve(parse(text, Path("f")), (), environ, findings)
    return plain(node), [(finding.message, finding.fatal) for finding in findings]


def test_references_are_resolved_everywhere() -> None:
    text = "a: os.environ/X\nb: [os.environ/X, {c: os.environ/X}]\nd: see os.environ/X\n"
    assert resolved(text, {"X": "1"}) == ({"a": "1", "b": ["1", {"c": "1"}], "d": "see os.environ/X"}, [])


def test_a_value_from_the_environment_is_not_resolved_again() -> None:
    environ = {"X": "os.environ/SECRET", "SECRET": "s"}
    assert resolved("a: os.environ/X", environ) == ({"a": "os.environ/SECRET"}, [])
    findings = Findings()
    variables = parse("Y: os.environ/X", Path("f"))
    taken = extended(environ, variables, findings)
    assert taken["Y"] == "os.environ/SECRET"
    assert resolved("a: os.environ/Y", taken) == ({"a": "os.environ/SECRET"}, [])


def test_an_unset_variable_leaves_nothing_and_is_told() -> None:
    value, findings = resolved("general_settings: {alerting: os.environ/GONE, master_key: os.environ/KEY}", {})
    assert value == {"general_settings": {"alerting": None, "master_key": None}}
    assert findings == [
        ("general_settings.alerting refers to the environment variable GONE, which is not set.", False),
        ("general_settings.master_key refers to the environment variable KEY, which is not set.", True),
    ]


@pytest.mark.parametrize(
    "text", ["${X}", "$X", "${X:-default}", "os.environ.X", "os.environ['X']", "os.environ:X", "os.getenv('X')"]
)
def test_other_ways_to_name_a_variable_are_told(text: str) -> None:
    findings = Findings()
    node = parse(f'model_list: [{{litellm_params: {{api_key: "{text}"}}}}]', Path("f"))
    assert plain(resolve(node, (), {"X": "1"}, findings)) == plain(node)
    (finding,) = findings
    assert (finding.suggestion, finding.fatal) == ("Write os.environ/X.", True)


@pytest.mark.parametrize("text", ["costs 5$", "$5", "a ${X} b", "os.path", "os.environ"])
def test_text_that_only_looks_alike_is_left_alone(text: str) -> None:
    assert resolved(f"a: {text}", {"X": "1"}) == ({"a": text}, [])


def test_variables_of_the_file_extend_a_copy() -> None:
    environ = {"A": "process", "B": "process"}
    findings = Findings()
    node = parse("A: file\nFLAG: true\nNUMBER: 5\nC: os.environ/B\nNONE: null\n", Path("f"))
    assert extended(environ, node, findings) == {
        "A": "file",
        "B": "process",
        "FLAG": "true",
        "NUMBER": "5",
        "C": "process",
    }
    assert environ == {"A": "process", "B": "process"}
    assert not list(findings)


@pytest.mark.parametrize("text", ["A: [1]", "'A=B': 1", "'': 1", "[1]"])
def test_what_is_no_variable_is_an_error(text: str) -> None:
    findings = Findings()
    extended({}, parse(text, Path("f")), findings)
    assert findings.fatal


def test_a_reference_without_a_name_is_an_error() -> None:
    assert resolved("a: os.environ/", {"": "x"}) == ({"a": None}, [("a names no variable after os.environ/.", True)])


def test_the_key_path_tells_list_positions() -> None:
    findings = Findings()
    path: KeyPath = ("model_list", 3)
    resolve(parse("[os.environ/GONE]", Path("f")), path, {}, findings)
    assert [finding.key for finding in findings] == ["model_list.3.0"]
