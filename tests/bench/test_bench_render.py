"""The page and the charts against what is stored, byte for byte.

After a wanted change of the form:
`python -c "from pathlib import Path; from bench import _render, _results;
_render.render(_results.read(Path('tests/bench/result.json')), Path('tests/bench/expected/benchmarks.md'))"`
"""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import _render, _results
from bench._charts import Bar, bar_chart, line_chart
from bench._machine import ROOT

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"
SVG = "{http://www.w3.org/2000/svg}"


def parse(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314 - our own output


def test_the_page_is_rendered_as_stored(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "stale.svg").write_text("<svg/>")
    _render.render(_results.read(HERE / "result.json"), page)
    rendered = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.*")}
    stored = {path.relative_to(EXPECTED): path.read_text() for path in EXPECTED.rglob("*.*")}
    assert rendered == stored


def test_every_picture_of_the_page_exists_and_is_xml() -> None:
    page = (EXPECTED / "benchmarks.md").read_text()
    pictures = list((EXPECTED / "benchmarks").glob("*.svg"))
    assert len(pictures) == page.count("](benchmarks/")
    for picture in pictures:
        assert f"](benchmarks/{picture.name})" in page
        assert parse(picture.read_text()).tag == f"{SVG}svg"


def test_an_empty_result_still_makes_a_page() -> None:
    machine = _results.read(HERE / "result.json").machine
    empty = _results.Results(_results.SCHEMA, "2026-11-21T00:00:00+00:00", "quick", machine)
    assert _render.charts(empty) == {}
    page = _render.document(empty, "benchmarks", set())
    assert page.count("Not measured in this run.") == 10
    assert "missed" not in page


def test_the_project_page_belongs_to_a_stored_result() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    results = [_results.read(path) for path in sorted((ROOT / "bench" / "results").glob("*.json"))]
    assert any(_render.document(result, "benchmarks", set(_render.charts(result))) == page for result in results)


def test_bars_are_proportional_and_labels_escaped() -> None:
    picture = bar_chart("a < b", [Bar("headgate", 50.0, "50"), Bar("x & y", 100.0, "100"), Bar("z", -1.0, "-1")])
    bars = list(parse(picture).iter(f"{SVG}rect"))[1:]
    widths = [float(rect.attrib["width"]) for rect in bars]
    assert widths[0] * 2 == pytest.approx(widths[1], abs=0.2)
    assert widths[2] == 0
    assert "x &amp; y" in picture


def test_a_logarithmic_chart_refuses_zero() -> None:
    with pytest.raises(ValueError, match="not positive"):
        line_chart("t", "x", "y", {"a": [(1.0, 0.0)]}, logarithmic=True)


def test_a_result_of_another_schema_is_refused(tmp_path: Path) -> None:
    text = (HERE / "result.json").read_text()
    other = tmp_path / "other.json"
    other.write_text(text.replace('"schema": 1', '"schema": 99'))
    with pytest.raises(ValueError, match="schema 99"):
        _results.read(other)
    other.write_text("{}")
    with pytest.raises(ValueError, match="not a result of this benchmark"):
        _results.read(other)


def test_results_survive_writing(tmp_path: Path) -> None:
    first = _results.read(HERE / "result.json")
    _results.write(first, tmp_path / "again.json")
    assert _results.read(tmp_path / "again.json") == first
