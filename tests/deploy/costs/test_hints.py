"""Where money can be saved."""

from datetime import date
from decimal import Decimal

import pytest

from headgate.deploy.costs import (
    Size,
    Utilization,
    commitment_hints,
    estimate,
    load_prices,
    network_hints,
    right_size,
    scaling_hints,
    size_hints,
)
from tests.deploy.costs.environments import environment

PRICES = load_prices()
TODAY = date(2026, 6, 1)


def test_commitments_are_worked_out_for_tasks_on_demand_and_the_database() -> None:
    known = estimate(environment("prod"), PRICES, today=TODAY)
    assert commitment_hints(known) == [
        "A 1-year savings plan for Fargate saves 20% to 30%: $7.21 to $10.81 a month.",  # of 36.04
        "A 3-year savings plan for Fargate saves 40% to 50%: $14.42 to $18.02 a month.",
        "A 1-year reserved database instance saves about 30%: $15.77 a month.",  # of 52.56
        "A 3-year reserved database instance saves about 60%: $31.54 a month.",
    ]


def test_a_savings_plan_is_not_offered_for_spot() -> None:
    hints = commitment_hints(estimate(environment(), PRICES, today=TODAY))
    assert hints
    assert not [hint for hint in hints if "Fargate" in hint]


def _used(cpu: float, memory: float) -> Utilization:
    return Utilization(Decimal(str(cpu)), Decimal(str(memory)))


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        (49.9, 65, Size(512, 2048)),
        (50, 65, Size(1024, 2048)),
        (80, 65, Size(1024, 2048)),
        (80.1, 65, Size(2048, 4096)),  # 2 vCPU take 4 GB at least
        (65, 81, Size(1024, 4096)),
        (65, 20, Size(1024, 2048)),  # 1 vCPU takes 2 GB at least
        (20, 20, Size(512, 1024)),
        (90, 90, Size(2048, 4096)),
    ],
)
def test_a_task_is_halved_below_fifty_percent_and_doubled_above_eighty(
    cpu: float, memory: float, expected: Size
) -> None:
    assert right_size(Size(1024, 2048), _used(cpu, memory)) == expected


def test_a_task_stays_within_what_fargate_offers() -> None:
    assert right_size(Size(256, 512), _used(1, 1)) == Size(256, 512)
    assert right_size(Size(16384, 122880), _used(99, 99)) == Size(16384, 122880)
    assert right_size(Size(512, 3072), _used(65, 10)) == Size(512, 2048)  # half is 1.5 GB, which is not on offer


def test_another_size_is_told_with_what_it_saves() -> None:
    (hint,) = size_hints(environment("benchmark"), PRICES, _used(30, 60))
    # 4 x (2 x 0.04048 + 8 x 0.004445) x 730 = 340.24 against 576.64
    assert "a task of 2048 CPU units and 8192 MB" in hint
    assert hint.endswith("-$236.40 a month.")


def test_a_size_that_fits_and_one_that_does_not_exist_are_told() -> None:
    (fits,) = size_hints(environment("benchmark"), PRICES, _used(60, 60))
    assert "the right size" in fits
    (unknown,) = size_hints(environment(task_cpu=300), PRICES, _used(60, 60))
    assert "Fargate offers no task with 300 CPU units" in unknown


def test_endpoints_dearer_than_a_nat_gateway_are_pointed_out() -> None:
    dev = environment()
    (hint,) = network_hints(dev, estimate(dev, PRICES, today=TODAY), PRICES)
    assert hint.startswith("The interface endpoints cost $146.00, a NAT gateway $36.50 and $0.045 a GB.")
    prod = environment("prod")
    (hint,) = network_hints(prod, estimate(prod, PRICES, today=TODAY), PRICES)
    assert "the NAT gateway could carry it" in hint


def test_what_autoscaling_may_add_is_told() -> None:
    prod = environment("prod")
    known = estimate(prod, PRICES, today=TODAY)
    assert scaling_hints(prod, known) == ["With all 4 tasks running: $36.04 a month more at most."]
    fixed = environment("prod", max_tasks=2)
    assert scaling_hints(fixed, known) == []


def test_one_machine_has_no_hints() -> None:
    here = environment(platform="compose")
    known = estimate(here, PRICES, today=TODAY)
    assert [*commitment_hints(known), *network_hints(here, known, PRICES), *scaling_hints(here, known)] == []
    assert size_hints(here, PRICES, _used(1, 1)) == []
