"""What environments cost a month: three worked by hand, and what is said where a price is not certain."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from headgate.deploy.costs import PriceTable, difference, estimate, load_prices
from tests.deploy.costs.environments import DOMAIN, environment

TODAY = date(2026, 6, 1)
PRICES = load_prices()

# By hand, 730 hours a month, each line rounded to a cent.
COMMON = {
    "Load balancer": "16.43",  # 730 x 0.0225 = 16.425
    "Load balancer addresses": "7.30",  # 2 x 730 x 0.005
    "Interface endpoints": "146.00",  # 10 x 2 x 730 x 0.01
    "KMS key": "1.00",
    "Logs taken in": "2.50",  # 5 x 0.50
    "Dashboard": "3.00",
    "Custom metrics": "0.60",  # 2 x 0.30
}
WITH_REDIS = {"Secrets": "2.80", "Alarms": "1.50"}  # one more of each
NAT = {"NAT gateway": "32.85", "NAT gateway address": "3.65"}  # 730 x 0.045 and 730 x 0.005
DEV = {
    **COMMON,
    "Fargate vCPU (Spot)": "4.43",  # 0.5 x 730 x 0.012144 = 4.43256
    "Fargate memory (Spot)": "0.97",  # 1 x 730 x 0.0013335 = 0.973455
    "Database db.t3.micro": "13.14",  # 730 x 0.018
    "Database storage (gp3)": "2.30",  # 20 x 0.115
    "Secrets": "2.40",  # 6 x 0.40
    "Alarms": "1.40",  # 14 x 0.10
    "Logs kept": "0.07",  # 5 x 14 / 30 x 0.03 = 0.07
}
PROD = {
    **COMMON,
    **NAT,
    **WITH_REDIS,
    "Fargate vCPU (on demand)": "29.55",  # 2 x 0.5 x 730 x 0.04048 = 29.5504
    "Fargate memory (on demand)": "6.49",  # 2 x 1 x 730 x 0.004445 = 6.4897
    "Database db.t3.small": "52.56",  # 2 x 730 x 0.036
    "Database storage (gp3)": "4.60",  # 2 x 20 x 0.115
    "Redis cache.t4g.micro": "23.36",  # 2 x 730 x 0.016
    "Certificate": "0.00",
    "WAF web ACL": "5.00",
    "WAF rules": "5.00",  # 5 x 1
    "Logs kept": "0.45",  # 5 x 90 / 30 x 0.03
}
BENCHMARK = {
    **COMMON,
    **NAT,
    **WITH_REDIS,
    "Fargate vCPU (on demand)": "472.81",  # 4 x 4 x 730 x 0.04048 = 472.8064
    "Fargate memory (on demand)": "103.84",  # 4 x 8 x 730 x 0.004445 = 103.8352
    "Mock vCPU (Spot)": "17.73",  # 2 x 730 x 0.012144 = 17.7302
    "Mock memory (Spot)": "3.89",  # 2 x 2 x 730 x 0.0013335 = 3.8938
    "Private DNS zone": "0.50",
    "Database db.t3.medium": "52.56",  # 730 x 0.072
    "Database storage (gp3)": "11.50",  # 100 x 0.115
    "Redis cache.t4g.micro": "11.68",  # 730 x 0.016
    "Logs kept": "0.04",  # 5 x 7 / 30 x 0.03 = 0.035
}


@pytest.mark.parametrize(
    ("preset", "settings", "expected", "total"),
    [
        ("dev", {}, DEV, "201.54"),
        ("prod", {"redis": True, "domain": DOMAIN}, PROD, "344.64"),
        ("benchmark", {"redis": True}, BENCHMARK, "892.18"),
    ],
)
def test_an_environment_costs_what_was_worked_out_by_hand(
    preset: str, settings: dict[str, object], expected: dict[str, str], total: str
) -> None:
    known = estimate(environment(preset, **settings), PRICES, today=TODAY)
    assert {line.resource: str(line.monthly) for line in known.lines} == expected
    assert known.total == Decimal(total)
    assert known.total == sum(Decimal(amount) for amount in expected.values())
    assert known.complete


def test_what_depends_on_traffic_is_told_and_in_no_total() -> None:
    known = estimate(environment("prod"), PRICES, today=TODAY)
    metered = {one.resource: one.price.dollars for one in known.metered}
    assert metered["NAT gateway data"] == Decimal("0.045")
    assert metered["Data to the internet"] == Decimal("0.09")
    assert metered["WAF requests"] == Decimal("0.60")
    assert not metered.keys() & {line.resource for line in known.lines}
    assert "NAT gateway data" not in {one.resource for one in estimate(environment(), PRICES, today=TODAY).metered}


def test_one_machine_has_nothing_that_aws_bills() -> None:
    known = estimate(environment(platform="compose"), PRICES, today=TODAY)
    assert (known.lines, known.metered, known.total, known.warnings) == ((), (), Decimal(0), ())


def _aged(folder: Path, days: int) -> PriceTable:
    source = Path(__file__).parents[3] / "src/headgate/deploy/costs/prices.yaml"
    lines = source.read_text().splitlines()
    day = TODAY - timedelta(days=days)
    path = folder / "prices.yaml"
    path.write_text("\n".join(f"    date: {day}" if line.startswith("    date:") else line for line in lines))
    return load_prices(path)


@pytest.mark.parametrize(("days", "warned"), [(0, False), (90, False), (91, True), (400, True)])
def test_prices_older_than_ninety_days_are_warned_about(days: int, warned: bool, tmp_path: Path) -> None:
    warnings = estimate(environment(), _aged(tmp_path, days), today=TODAY).warnings
    assert len(warnings) == warned
    if warned:
        assert f"14 of 14 prices are older than 90 days, the oldest is of {TODAY - timedelta(days=days)}" in warnings[0]
        assert f"({days} days ago)" in warnings[0]


def test_an_unknown_region_is_priced_as_the_complete_one_and_says_so(tmp_path: Path) -> None:
    here = estimate(environment(), _aged(tmp_path, 1), today=TODAY)
    there = estimate(environment(region="eu-central-1"), _aged(tmp_path, 1), today=TODAY)
    assert there.total == here.total
    assert here.warnings == ()
    (warning,) = there.warnings
    assert warning.startswith("All prices are those of us-east-1, because the table has none for eu-central-1.")


def test_a_region_with_some_prices_of_its_own_says_which_are_borrowed(tmp_path: Path) -> None:
    known = estimate(environment("prod", region="ap-southeast-1"), _aged(tmp_path, 1), today=TODAY)
    assert {line.resource: line.monthly for line in known.lines}["NAT gateway"] == Decimal("43.07")  # 730 x 0.059
    (warning,) = known.warnings
    assert "Load balancer addresses" in warning
    assert "NAT gateway," not in warning


def test_a_class_without_a_price_makes_the_total_a_lower_bound(tmp_path: Path) -> None:
    known = estimate(environment(database_class="db.z9.huge"), _aged(tmp_path, 1), today=TODAY)
    assert not known.complete
    assert known.total == Decimal("201.54") - Decimal("13.14")
    assert known.warnings[0].startswith("No price is known for Database db.z9.huge: the total is without it.")


def test_the_difference_of_two_environments_adds_up_and_comes_largest_first() -> None:
    dev = estimate(environment(), PRICES, today=TODAY)
    prod = estimate(environment("prod", redis=True, domain=DOMAIN), PRICES, today=TODAY)
    found = difference(dev, prod)
    assert found.monthly == prod.total - dev.total == Decimal("143.10")
    sizes = [abs(change.after - change.before) for change in found.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert "Interface endpoints" not in {change.resource for change in found.changes}
    assert difference(prod, dev).monthly == -found.monthly


def test_creating_and_removing_an_environment_differ_by_its_total() -> None:
    dev = estimate(environment(), PRICES, today=TODAY)
    assert difference(None, dev).monthly == dev.total
    assert difference(dev, None).monthly == -dev.total
    assert difference(dev, dev) == difference(None, None)
