"""Every row of the guides' cost tables, as published and as worked out."""

from datetime import date
from decimal import Decimal

import pytest

from headgate.deploy.costs import compare_guides, load_prices

ROWS = compare_guides(load_prices(), today=date(2026, 6, 1))
PUBLISHED = [
    # ECS guide, "Cost Estimates", dev environment: $111 in all
    ("NAT gateway, 1 zone", "32", "36.50"),
    ("RDS db.t3.micro, 20 GB gp3", "13", "15.44"),
    ("Fargate, 1 task, 0.5 vCPU, 1 GB, Spot", "15", "5.40"),
    ("Load balancer", "16", "23.73"),
    ("KMS, 1 key", "1", "1.00"),
    ("Secrets Manager, 4 secrets", "2", "1.60"),
    ("CloudWatch Logs, 5 GB", "3", "2.57"),
    ("4 interface endpoints", "29", "58.40"),
    ("7 alarms", None, "0.70"),
    ("Total", "111", "145.34"),
    # production additions
    ("RDS db.t3.small, Multi-AZ", "25", "41.72"),
    ("Fargate, 2 tasks on demand", "15", "30.64"),
    ("Certificate", "0", "0.00"),
    ("WAF", "10", "10.00"),
    ("NAT gateway", "32", "36.50"),
    # Benchmark deployment guide, "Alternative Configurations"
    ("2 tasks x 2 vCPU x 4 GB, db.t3.micro, one zone", "150", "225.17"),
    ("8 tasks x 4 vCPU x 8 GB, db.r6g.large Multi-AZ, Redis", "1200", "1617.07"),
]


@pytest.mark.parametrize(("resource", "published", "computed"), PUBLISHED)
def test_a_row_of_the_guides_is_published_and_worked_out(resource: str, published: str | None, computed: str) -> None:
    (row,) = [row for row in ROWS if row.resource == resource]
    assert row.low == (None if published is None else Decimal(published))
    assert row.computed == Decimal(computed)


def test_there_is_no_other_row() -> None:
    assert [row.resource for row in ROWS] == [resource for resource, _, _ in PUBLISHED]


def test_every_difference_is_explained_and_only_differences_are() -> None:
    for row in ROWS:
        agrees = row.low is not None and row.high is not None and row.low <= row.computed <= row.high
        assert bool(row.correction) is not agrees, row.resource


def test_the_published_total_is_the_sum_of_the_published_rows() -> None:
    dev = [row for row in ROWS if row.table == "ECS guide, dev"]
    *parts, total = dev
    assert sum(row.low or 0 for row in parts) == total.low
    assert sum((row.computed for row in parts), Decimal(0)) == total.computed


def test_ranges_keep_both_ends() -> None:
    assert [(row.low, row.high) for row in ROWS if row.low != row.high] == [
        (Decimal(150), Decimal(200)),
        (Decimal(1200), Decimal(1500)),
    ]
