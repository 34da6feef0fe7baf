"""The price table that comes with Headgate, and tables of one's own."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from headgate.core.errors import ConfigurationError
from headgate.deploy.costs import INTERFACE_ENDPOINTS, Price, load_prices

TABLE = """\
complete: us-east-1
sources:
  page: {page: https://example.com/prices, date: 2026-01-02}
regions:
  us-east-1:
    nat.hour: {price: "0.045", unit: hour, source: page}
    endpoint.hour: {price: "0.01", unit: hour, source: page}
  eu-west-1:
    nat.hour: {price: "0.048", unit: hour, source: page}
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "dollars", "unit"),
    [
        ("fargate.vcpu", "0.04048", "vCPU-hour"),
        ("fargate.memory", "0.004445", "GB-hour"),
        ("rds.db.t3.micro", "0.018", "hour"),
        ("rds.db.r6g.large", "0.225", "hour"),
        ("rds.storage", "0.115", "GB-month"),
        ("load-balancer.hour", "0.0225", "hour"),
        ("nat.hour", "0.045", "hour"),
        ("endpoint.hour", "0.01", "hour"),
        ("secret.month", "0.40", "month"),
        ("logs.ingestion", "0.50", "GB"),
    ],
)
def test_the_table_states_what_aws_lists_for_us_east_1(name: str, dollars: str, unit: str) -> None:
    price = load_prices().find("us-east-1", name)
    assert price is not None
    assert (price.dollars, price.unit, price.region) == (Decimal(dollars), unit, "us-east-1")


def test_spot_is_seventy_percent_below_on_demand() -> None:
    table = load_prices()
    for kind in ("vcpu", "memory"):
        spot, regular = table.find("us-east-1", f"fargate.spot.{kind}"), table.find("us-east-1", f"fargate.{kind}")
        assert spot is not None
        assert regular is not None
        assert spot.dollars == regular.dollars * Decimal("0.3")


def test_a_region_states_what_differs_and_borrows_the_rest(tmp_path: Path) -> None:
    table = load_prices(_written(tmp_path, TABLE))
    own = Price(Decimal("0.048"), "hour", "eu-west-1", "https://example.com/prices", date(2026, 1, 2))
    assert table.find("eu-west-1", "nat.hour") == own
    borrowed = table.find("eu-west-1", "endpoint.hour")
    assert borrowed is not None
    assert borrowed.region == table.complete_region == "us-east-1"
    assert table.find("eu-west-1", "nothing") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TABLE.replace('"0.045"', "0.045"), "in quotes"),
        (TABLE.replace('"0.045"', '"-1"'), "greater than or equal to 0"),
        (TABLE.replace('"0.045"', '"NaN"'), "finite"),
        (TABLE.replace("complete: us-east-1", "complete: mars-1"), "`complete` names mars-1"),
        (TABLE.replace("source: page", "source: rumor"), "`sources` does not have rumor"),
        (TABLE.replace("unit: hour", "until: hour"), "unit: Field required"),
        ("a: [", "line 1 is not YAML"),
        ("just words", "the table"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"prices\.yaml") as caught:
        load_prices(_written(tmp_path, text))
    assert words in str(caught.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can not be read: No such file"):
        load_prices(tmp_path / "prices.yaml")


def test_the_interface_endpoints_are_those_of_the_guide_and_the_ones_it_forgot() -> None:
    assert set(INTERFACE_ENDPOINTS) >= {"ecr.api", "ecr.dkr", "secretsmanager", "logs"}
    assert set(INTERFACE_ENDPOINTS) >= {"kms", "sts", "bedrock-runtime", "ssmmessages", "monitoring"}
