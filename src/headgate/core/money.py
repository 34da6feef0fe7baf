"""Money is an integer number of nano-dollars; prices are integer pico-dollars per token, so that nothing is lost
before the one rounding that each request gets.
"""

from decimal import Decimal

import msgspec

from headgate.core.usage import Usage

PICO_PER_NANO = 1_000
NANO_PER_DOLLAR = 1_000_000_000
PICO_PER_DOLLAR = PICO_PER_NANO * NANO_PER_DOLLAR


class Price(msgspec.Struct, frozen=True):
    """What one model costs: pico-dollars per token of each kind, nano-dollars per request.

    `cache_read`, `cache_write` and `input_audio` price parts of the input, `output_audio` and `reasoning` parts of the
    output; None means at the price of the whole. Audio that came from a cache counts as cached.
    `tiers` hold prices that replace this one from a number of input tokens on, ascending: `((200_000, Price(...)),)`.
    """

    input: int = 0
    output: int = 0
    cache_read: int | None = None
    cache_write: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    reasoning: int | None = None
    per_request: int = 0
    tiers: tuple[tuple[int, "Price"], ...] = ()

    def cost(self, usage: Usage) -> int:
        """Nano-dollars for one call, rounded half up once."""
        price = self
        for threshold, tier in self.tiers:
            if usage.input_tokens > threshold:
                price = tier
        read, written, output = usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens
        uncached = max(usage.input_tokens - read - written, 0)
        pico = (
            uncached * price.input
            + read * (price.input if price.cache_read is None else price.cache_read)
            + written * (price.input if price.cache_write is None else price.cache_write)
            + output * price.output
        )
        if price.input_audio is not None:
            pico += min(usage.input_audio_tokens, uncached) * (price.input_audio - price.input)
        if price.output_audio is not None:
            pico += min(usage.output_audio_tokens, output) * (price.output_audio - price.output)
        if price.reasoning is not None:
            pico += min(usage.reasoning_tokens, output) * (price.reasoning - price.output)
        return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO + price.per_request


def pico_dollars(dollars: Decimal | float | str) -> int:
    """Dollars as integer pico-dollars; a float is read by its shortest decimal form, so 2.5e-06 is exact."""
    return int((Decimal(str(dollars)) * PICO_PER_DOLLAR).to_integral_value())


def format_dollars(nano: int) -> str:
    """Nano-dollars as the decimal text of a dollar amount, in Python's shortest float form: 62500 is '6.25e-05'."""
    return repr(nano / NANO_PER_DOLLAR)
