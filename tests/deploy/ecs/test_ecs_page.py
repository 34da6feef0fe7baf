"""`docs/ecs.md` says what the templates say."""

from pathlib import Path

import pytest

from headgate.deploy.ecs import TEMPLATES, parse_template, template_text

PAGE = (Path(__file__).parents[3] / "docs" / "ecs.md").read_text()
COMMON = ("Project", "Environment", "DataPolicy")


def table(template: str) -> str:
    """Return the table of a template's own parameters."""
    rows = ["| parameter | default | what it is |", "|---|---|---|"]
    for name, parameter in parse_template(template_text(template))["Parameters"].items():
        if name not in COMMON:
            default = parameter.get("Default")
            shown = "required" if default is None else f"`{default}`" if default != "" else "empty"
            rows.append(f"| `{name}` | {shown} | {parameter['Description']} |")
    return "\n".join(rows)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_parameter_stands_there_with_its_default(template: str) -> None:
    assert f"### {template}\n" in PAGE
    assert table(template) in PAGE


def test_templates_stand_there_in_their_order() -> None:
    assert [line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")] == list(TEMPLATES)


def test_the_guides_that_this_rests_on_are_named() -> None:
    places = (
        "/AmazonECS/latest/bestpracticesguide/",
        "/AmazonRDS/",
        "/architecture/well-architected/",
        "/docs/benchmarks",
    )
    assert [place for place in places if place not in PAGE] == []
