from hypothesis import given
from hypothesis import strategies as st

from headgate.core.money import Price, format_dollars, pico_dollars
from headgate.core.usage import Usage


def test_a_cost_is_rounded_half_up_once() -> None:
    price = Price(input=2_500_000, output=10_000_000)
    assert price.cost(Usage(input_tokens=9, output_tokens=4)) == 62_500
    assert [Price(input=each).cost(Usage(input_tokens=1)) for each in (499, 500, 1499, 1500)] == [0, 1, 1, 2]
    assert Price(input=400).cost(Usage(input_tokens=10)) == 4


def test_parts_of_the_input_have_prices_of_their_own() -> None:
    price = Price(input=10_000, cache_read=1_000, cache_write=12_000)
    usage = Usage(input_tokens=100, cache_read_tokens=50, cache_write_tokens=20)
    assert price.cost(usage) == 30 * 10 + 50 * 1 + 20 * 12
    assert Price(input=10_000).cost(usage) == 100 * 10


def test_audio_and_reasoning_have_prices_of_their_own() -> None:
    price = Price(input=1_000, output=2_000, input_audio=30_000, output_audio=60_000, reasoning=3_000)
    usage = Usage(input_tokens=10, input_audio_tokens=4, output_tokens=20, output_audio_tokens=5, reasoning_tokens=7)
    assert price.cost(usage) == 6 * 1 + 4 * 30 + 8 * 2 + 5 * 60 + 7 * 3
    assert Price(input=1_000, output=2_000).cost(usage) == 10 + 40


def test_cached_audio_is_not_billed_twice() -> None:
    price = Price(input=1_000, cache_read=100, input_audio=30_000)
    usage = Usage(input_tokens=10, cache_read_tokens=8, input_audio_tokens=10)
    assert price.cost(usage) == (8 * 100 + 2 * 30_000) // 1_000 + 1


def test_a_tier_begins_above_its_threshold_and_prices_every_token() -> None:
    price = Price(input=1_000, per_request=5, tiers=((100, Price(input=2_000)), (200, Price(input=3_000))))
    costs = [price.cost(Usage(input_tokens=tokens)) for tokens in (100, 101, 200, 201)]
    assert costs == [105, 202, 400, 603]


def test_dollars_are_read_exactly() -> None:
    assert pico_dollars(2.5e-06) == 2_500_000
    assert pico_dollars("0.00000015") == 150_000
    assert pico_dollars(0) == 0


@given(st.integers(min_value=0, max_value=10**15))
def test_formatted_dollars_read_back(nano: int) -> None:
    assert pico_dollars(format_dollars(nano)) == nano * 1_000


@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=6, max_size=6))
def test_a_cost_is_never_negative(counts: list[int]) -> None:
    usage = Usage(
        input_tokens=counts[0],
        output_tokens=counts[1],
        cache_read_tokens=counts[2],
        cache_write_tokens=counts[3],
        input_audio_tokens=counts[4],
        output_audio_tokens=min(counts[5], counts[1]),
    )
    assert Price(input=10, output=10, cache_read=1, input_audio=5, output_audio=3).cost(usage) >= 0
