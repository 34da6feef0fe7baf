"""`headgate deploy cost` from the outside."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from headgate.cli._cost import cost
from headgate.core.errors import ConfigurationError

APP = typer.Typer(rich_markup_mode=None)
APP.command()(cost)
FILE = """\
platform: ecs
environments:
  dev: {allow_plaintext: true}
  prod: {domain: llm.example.com}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(APP, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def _json(*arguments: str) -> Any:
    return json.loads(_run(*arguments, "--json").stdout)


def test_without_a_file_the_defaults_are_priced() -> None:
    report = _json()
    totals = {one["environment"]: one["monthly"] for one in report["environments"]}
    assert totals == {"dev": "201.54", "prod": "344.64", "benchmark": "892.18"}


def test_a_file_is_read_from_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "headgate.deploy.yaml").write_text(FILE + "  spare: {like: dev, allow_plaintext: true, nat: true}\n")
    (spare,) = _json("--env", "spare")["environments"]
    assert Decimal(spare["monthly"]) == Decimal("201.54") + Decimal("36.50")


def test_a_named_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(FILE)
    assert [one["environment"] for one in _json("--file", "other.yaml")["environments"]] == ["dev", "prod"]
    with pytest.raises(ConfigurationError, match=r"missing\.yaml"):
        _run("--file", "missing.yaml")


def test_a_platform_shows_its_defaults_and_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "headgate.deploy.yaml").write_text(FILE)
    (here,) = _json("--platform", "compose")["environments"]
    assert (here["environment"], here["platform"], here["monthly"], here["lines"]) == ("dev", "compose", "0", [])
    assert "the machine is yours" in _run("--platform", "compose").stdout
    with pytest.raises(ConfigurationError, match="no platform 'eks'"):
        _run("--platform", "eks")


def test_a_line_carries_its_price_its_day_and_its_source() -> None:
    (dev,) = _json("--env", "dev")["environments"]
    line = next(line for line in dev["lines"] if line["resource"] == "Database db.t3.micro")
    assert (line["quantity"], line["unit"], line["unit_price"], line["monthly"]) == (
        "730.0000",
        "hour",
        "0.018",
        "13.14",
    )
    assert line["region"] == "us-east-1"
    assert line["date"].startswith("2026-")
    assert "Price List" in line["source"]
    assert sum(Decimal(one["monthly"]) for one in dev["lines"]) == Decimal(dev["monthly"])


def test_the_difference_to_another_environment_is_shown() -> None:
    report = _json("--env", "prod", "--against", "dev")
    (found,) = report["differences"]
    assert (found["before"], found["after"], found["monthly"]) == ("dev", "prod", "143.10")
    assert "prod against dev: +$143.10 a month" in _run("--against", "dev").stdout


def test_the_size_of_tasks_is_judged_by_both_numbers_or_not_at_all() -> None:
    assert "fits better" in _run("--env", "dev", "--cpu", "30", "--memory", "60").stdout
    assert "fits better" not in _run("--env", "dev").stdout
    half = _run("--cpu", "30")
    assert half.exit_code == 2
    assert "give both" in half.output


def test_old_prices_and_foreign_regions_are_warned_about_beside_the_report(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "complete: us-east-1\n"
        "sources: {old: {page: p, date: 2020-01-01}}\n"
        'regions: {us-east-1: {kms.key: {price: "1", unit: month, source: old}}}\n'
    )
    (tmp_path / "headgate.deploy.yaml").write_text(FILE.replace("platform: ecs", "platform: ecs\nregion: eu-west-1"))
    result = _run("--env", "dev", "--prices", "prices.yaml")
    assert result.exit_code == 0
    assert "warning: dev: All prices are those of us-east-1" in result.stderr
    assert "1 of 1 prices are older than 90 days" in result.stderr
    assert "No price is known for Fargate vCPU (Spot)" in result.stderr
    assert "at least $1.00" in result.stdout
    assert "warning" not in result.stdout


def test_the_guides_are_worked_out() -> None:
    rows = _json("--guides")["guides"]
    assert len(rows) == 17
    assert "published $150 to $200" in _run("--guides").stdout


def test_an_environment_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no environment is called 'staging'"):
        _run("--env", "staging")
