from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.money import PICO_PER_NANO, Price, format_dollars, pico_dollars
from headgate.core.usage import Usage

GPT_4O = Price(input=2_500_000, output=10_000_000, cache_read=1_250_000)
COUNTS = st.integers(0, 10_000_000)


def test_a_call_costs_its_tokens_at_their_prices() -> None:
    assert GPT_4O.cost(Usage(input_tokens=9, output_tokens=4)) == 62_500


def test_cached_tokens_are_priced_apart_and_counted_once() -> None:
    price = Price(input=3_000, output=0, cache_read=300, cache_write=3_750)
    assert price.cost(Usage(input_tokens=100, cache_read_tokens=60, cache_write_tokens=20)) == 60 + 18 + 75


def test_cached_tokens_without_a_price_of_their_own_cost_as_input() -> None:
    usage = Usage(input_tokens=100, cache_read_tokens=60, cache_write_tokens=20)
    assert Price(input=3_000).cost(usage) == Price(input=3_000).cost(Usage(input_tokens=100)) == 300


def test_a_cache_price_of_zero_is_a_price() -> None:
    assert Price(input=3_000, cache_read=0).cost(Usage(input_tokens=100, cache_read_tokens=60)) == 120


def test_more_cached_tokens_than_input_never_give_money_back() -> None:
    assert Price(input=3_000, cache_read=0).cost(Usage(input_tokens=10, cache_read_tokens=60)) == 0


@pytest.mark.parametrize(("tokens", "each"), [(128_000, 1_000), (128_001, 2_000), (200_000, 2_000), (200_001, 4_000)])
def test_the_highest_tier_below_the_input_prices_the_whole_call(tokens: int, each: int) -> None:
    price = Price(input=1_000, tiers=((128_000, Price(input=2_000)), (200_000, Price(input=4_000))))
    assert price.cost(Usage(input_tokens=tokens)) == tokens * each // PICO_PER_NANO


@pytest.mark.parametrize(("pico", "nano"), [(499, 0), (500, 1), (1_499, 1), (1_500, 2)])
def test_a_call_is_rounded_half_up_once(pico: int, nano: int) -> None:
    assert Price(input=pico).cost(Usage(input_tokens=1)) == nano


def test_a_price_per_request_is_added() -> None:
    assert Price(per_request=7).cost(Usage()) == 7


@given(COUNTS, COUNTS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_cost_is_exact_to_half_a_nano_dollar(
    input_tokens: int, output_tokens: int, input_price: int, output_price: int
) -> None:
    cost = Price(input=input_price, output=output_price).cost(Usage(input_tokens, output_tokens))
    exact = Fraction(input_tokens * input_price + output_tokens * output_price, PICO_PER_NANO)
    assert abs(cost - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("dollars", "pico"),
    [
        (2.5e-06, 2_500_000),
        (1e-07, 100_000),
        ("0.00000015", 150_000),
        (Decimal("0.000015"), 15_000_000),
        (0, 0),
        (3, 3 * 10**12),
    ],
)
def test_dollars_become_exact_pico_dollars(dollars: Decimal | float | str, pico: int) -> None:
    assert pico_dollars(dollars) == pico


@pytest.mark.parametrize(
    ("nano", "words"), [(62_500, "6.25e-05"), (100, "1e-07"), (0, "0.0"), (1_500_000_000, "1.5"), (1, "1e-09")]
)
def test_dollars_are_written_as_litellm_writes_them(nano: int, words: str) -> None:
    assert format_dollars(nano) == words
